#include "client/secret/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/i18n.h"

enum { WORDS = 768 };

/* ---- memory ---- */

char *
secret_memory_new(void)
{
	char *p = mmap(NULL, SECRET_MAX + 1, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* As far as the limits let us. */
	mlock(p, SECRET_MAX + 1);
	madvise(p, SECRET_MAX + 1, MADV_DONTDUMP);
	return p;
}

void
secret_memory_free(char *p)
{
	if (p == NULL)
		return;
	explicit_bzero(p, SECRET_MAX + 1);
	munmap(p, SECRET_MAX + 1);
}

void
secret_release(struct secret *s)
{
	s->source->stop(s);
	secret_memory_free(s->value);
	free(s);
}

/* ---- the end ---- */

void
secret_fail(struct secret *s, enum err e, const char *fmt, ...)
{
	char words[WORDS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	s->done(s->arg, e, NULL, words);
	secret_release(s);
}

void
secret_end(struct secret *s, const char *from)
{
	const char *eol = memchr(s->value, '\n', s->n);
	size_t n = eol != NULL ? (size_t)(eol - s->value) : s->n;

	if (n != 0 && s->value[n - 1] == '\r')
		n--;
	if (n == 0) {
		secret_fail(s, E_DENIED, _("%s gave nothing"), from);
		return;
	}
	if (memchr(s->value, '\0', n) != NULL ||
	    memchr(s->value, '\r', n) != NULL) {
		secret_fail(s, E_DENIED,
		    _("%s gave a control character that cannot be sent"), from);
		return;
	}
	s->value[n] = '\0';
	s->done(s->arg, E_OK, s->value, "");
	secret_release(s);
}

void
secret_fail_nowhere(struct secret *s)
{
	const struct account *a = s->account;

	if (a->is_place)
		secret_fail(s, E_NOENT,
		    _("no password for %s is configured, and there is no "
		      "terminal to ask on; write password_command, keyring or "
		      "password into a block destination \"%s\""),
		    a->server, a->server);
	else
		secret_fail(s, E_NOENT,
		    _("no password is configured (password_command, keyring "
		      "or password), and there is no terminal to ask on"));
}
