#include "client/secret/secret.h"

#include <ev.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/i18n.h"
#include "client/secret/source.h"

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

static void
release(struct secret *s)
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
	release(s);
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
	release(s);
}

/* ---- what needs no waiting: told in the next turn of the loop ---- */

static enum err
start_at_once(struct secret *s, void (*turn)(struct ev_loop *, ev_timer *, int))
{
	ev_timer *t = s->own = calloc(1, sizeof(*t));

	if (t == NULL)
		return E_NOMEM;
	ev_timer_init(t, turn, 0, 0);
	t->data = s;
	ev_timer_start(s->loop, t);
	return E_OK;
}

static void
stop_at_once(struct secret *s)
{
	if (s->own != NULL)
		ev_timer_stop(s->loop, s->own);
	free(s->own);
	s->own = NULL;
}

static void
file_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct secret *s = w->data;
	size_t n = strlen(s->account->password);

	(void)loop;
	(void)revents;
	if (n > SECRET_MAX) {
		secret_fail(s, E_DENIED, _("the password is too long"));
		return;
	}
	memcpy(s->value, s->account->password, n);
	s->n = n;
	secret_end(s, "password");
}

static enum err
file_start(struct secret *s, struct errbuf *eb)
{
	enum err e = start_at_once(s, file_turn);

	return e == E_OK ? e : err_set(eb, e, "%s", _("out of memory"));
}

const struct secret_source secret_file = { file_start, stop_at_once };

static void
nowhere_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct secret *s = w->data;

	(void)loop;
	(void)revents;
	if (s->kind == SECRET_TOKEN)
		secret_fail(
		    s, E_NOENT, _("no token is configured: token_command"));
	else
		secret_fail(s, E_NOENT,
		    _("no password is configured (password_command, keyring "
		      "or password), and there is no terminal to ask on"));
}

static enum err
nowhere_start(struct secret *s, struct errbuf *eb)
{
	enum err e = start_at_once(s, nowhere_turn);

	return e == E_OK ? e : err_set(eb, e, "%s", _("out of memory"));
}

const struct secret_source secret_nowhere = { nowhere_start, stop_at_once };

/* ---- asking ---- */

static const struct secret_source *
source_of(const struct account *a, enum secret_kind kind, bool terminal)
{
	if (kind == SECRET_TOKEN)
		return a->token_command != NULL ? &secret_command
						: &secret_nowhere;
	if (a->password != NULL)
		return &secret_file;
	if (a->password_command != NULL)
		return &secret_command;
	if (a->keyring)
		return &secret_keyring;
	return terminal ? &secret_terminal : &secret_nowhere;
}

enum err
secret_ask(struct secret **s_r, struct ev_loop *loop, const struct account *a,
    enum secret_kind kind, bool terminal, double timeout, secret_done *done,
    void *arg, struct errbuf *eb)
{
	struct secret *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	*s = (struct secret){ .loop = loop,
		.account = a,
		.kind = kind,
		.timeout = timeout,
		.source = source_of(a, kind, terminal),
		.value = secret_memory_new(),
		.done = done,
		.arg = arg };
	e = s->value == NULL ? err_set(eb, E_NOMEM, "%s", _("out of memory"))
			     : s->source->start(s, eb);
	if (e != E_OK) {
		release(s);
		return e;
	}
	*s_r = s;
	return E_OK;
}

void
secret_cancel(struct secret *s)
{
	if (s != NULL)
		release(s);
}
