/* malote fetch: collects what the person has chosen. */
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/command/looks.h"

static int
fetch(struct call *call, const struct numbered *v, size_t n)
{
	const struct options *o = call->o;
	struct chosen *chosen = looks_chosen(v, n);
	struct collect_options c = {
		.state_dir = o->state,
		.terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) &&
			    !option_is_given(o, OPT_JSON) &&
			    !option_is_given(o, OPT_QUIET),
		.insist = true,
		.trace = option_is_given(o, OPT_VERBOSE),
		.chosen = chosen,
		.n_chosen = n,
	};
	struct errbuf eb;
	int code;

	if (chosen == NULL)
		return failed_by(o, EX_OSERR, "%s", _("out of memory"));
	if (collect_run(&c, &call->set, NULL, &eb) == E_OK)
		code = report_end(call->set->report);
	else
		code = failed_by(o, EX_OSERR, "%s", eb.text);
	free(chosen);
	return code;
}

int
cmd_fetch(struct call *call)
{
	struct numbered *v;
	size_t n;
	int code = looks_known(call, &v, &n);

	if (code == -1)
		code = fetch(call, v, n);
	free(v);
	return code;
}
