/* malote status, malote accounts */
#include <sysexits.h>

#include "client/command/call.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/command/outbox_list.h"
#include "client/report/status.h"

static int
show(const struct call *c, enum status_kind kind)
{
	const struct options *o = c->o;
	struct errbuf eb;

	if (status_print(&c->set->conf, c->set->chosen, o->state,
		option_is_given(o, OPT_JSON) ? STATUS_JSON : kind, &eb) == E_OK)
		return EX_OK;
	return failed_by(o, EX_IOERR, "%s", eb.text);
}

int
cmd_status(struct call *call)
{
	int code = show(call, STATUS_STATUS);

	if (code == EX_OK && !option_is_given(call->o, OPT_JSON))
		outbox_print_count(call->o);
	return code;
}

int
cmd_accounts(struct call *call)
{
	return show(call, STATUS_ACCOUNTS);
}
