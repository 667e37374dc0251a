#include "client/setup/adding.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/i18n.h"

bool
adding_fail(struct adding *a, int code, const char *fmt, ...)
{
	va_list ap;

	a->result->code = code;
	va_start(ap, fmt);
	vsnprintf(a->result->words, sizeof(a->result->words), fmt, ap);
	va_end(ap);
	return false;
}

bool
adding_leave(struct adding *a)
{
	return adding_fail(
	    a, EX_TEMPFAIL, "%s", _("nothing was saved; try again any time"));
}

bool
adding_account(const struct adding *a, struct client_conf *c,
    const struct account **a_r, struct errbuf *eb)
{
	return draft_account(c, a_r, &a->draft, a->text, a->r->conf_file, eb) ==
	       E_OK;
}
