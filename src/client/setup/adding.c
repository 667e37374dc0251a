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
