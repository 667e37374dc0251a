#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *
err_str(enum err e)
{
	static const char *const words[] = {
		[E_OK] = "ok",
		[E_NOMEM] = "out of memory",
		[E_IO] = "input/output error",
		[E_FULL] = "limit reached",
		[E_NOENT] = "not found",
		[E_BUSY] = "in use",
		[E_FORMAT] = "malformed",
		[E_DENIED] = "denied",
		[E_CLOSED] = "closed",
		[E_AGAIN] = "try again",
		[E_CONFIG] = "configuration error",
	};

	return (size_t)e < sizeof(words) / sizeof(words[0]) ? words[e] : "?";
}

enum err
err_set(struct errbuf *eb, enum err e, const char *fmt, ...)
{
	va_list ap;

	if (eb == NULL)
		return e;
	va_start(ap, fmt);
	vsnprintf(eb->text, sizeof(eb->text), fmt, ap);
	va_end(ap);
	return e;
}

enum err
err_sys(struct errbuf *eb, enum err e, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	int n;

	if (eb == NULL)
		return e;
	va_start(ap, fmt);
	n = vsnprintf(eb->text, sizeof(eb->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(eb->text))
		snprintf(eb->text + n, sizeof(eb->text) - (size_t)n, ": %s",
		    strerror(saved));
	errno = saved;
	return e;
}
