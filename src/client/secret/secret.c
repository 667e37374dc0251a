/* Where a secret comes from, and the two sources that need no waiting. */
#include "client/secret/secret.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "client/secret/source.h"

/* ---- sources that need no waiting: told in the next turn of the loop ---- */

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

static const struct secret_source secret_file = { file_start, stop_at_once };

static void
nowhere_turn(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct secret *s = w->data;

	if (s->kind == SECRET_TOKEN)
		secret_fail(
		    s, E_NOENT, _("no token is configured: token_command"));
	else
		secret_fail_nowhere(s);
}

static enum err
nowhere_start(struct secret *s, struct errbuf *eb)
{
	enum err e = start_at_once(s, nowhere_turn);

	return e == E_OK ? e : err_set(eb, e, "%s", _("out of memory"));
}

static const struct secret_source secret_nowhere = { nowhere_start,
	stop_at_once };

/* ---- asking ---- */

static const struct secret_source *
source_of(const struct account *a, enum secret_kind kind, bool terminal)
{
	if (kind == SECRET_TOKEN)
		return a->token_command != NULL ? &secret_command
		       : a->client != NULL      ? &secret_token
						: &secret_nowhere;
	if (a->password != NULL)
		return &secret_file;
	if (a->password_command != NULL)
		return &secret_command;
	if (a->keyring)
		return &secret_keyring;
	return terminal ? &secret_terminal : &secret_nowhere;
}

bool
secret_is_typed(const struct account *a, enum secret_kind kind)
{
	return source_of(a, kind, true) == &secret_terminal;
}

enum err
secret_ask(
    struct secret **s_r, const struct secret_question *q, struct errbuf *eb)
{
	struct secret *s = calloc(1, sizeof(*s));
	enum err e;

	if (s == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	*s = (struct secret){
		.loop = q->loop,
		.account = q->account,
		.kind = q->kind,
		.timeout = q->timeout,
		.state_dir = q->state_dir,
		.anew = q->anew,
		.source = source_of(q->account, q->kind, q->terminal),
		.value = secret_memory_new(),
		.done = q->done,
		.arg = q->arg,
	};
	e = s->value == NULL ? err_set(eb, E_NOMEM, "%s", _("out of memory"))
			     : s->source->start(s, eb);
	if (e != E_OK) {
		secret_release(s);
		return e;
	}
	*s_r = s;
	return E_OK;
}

void
secret_cancel(struct secret *s)
{
	if (s != NULL)
		secret_release(s);
}

/* ---- those that were typed ---- */

struct right {
	const struct account *account;
	char *password; /* secret memory */
	struct right *next;
};

static struct right *rights;

void
secret_is_right(const struct account *a, const char *password)
{
	struct right *r = calloc(1, sizeof(*r));

	if (r == NULL || (r->password = secret_memory_new()) == NULL) {
		free(r); /* then nobody is asked about it */
		return;
	}
	snprintf(r->password, SECRET_MAX + 1, "%s", password);
	r->account = a;
	r->next = rights;
	rights = r;
}

const char *
secret_right(const struct account *a)
{
	const struct right *r = rights;

	while (r != NULL && r->account != a)
		r = r->next;
	return r != NULL ? r->password : NULL;
}

void
secret_right_clear(void)
{
	struct right *r;

	while ((r = rights) != NULL) {
		rights = r->next;
		secret_memory_free(r->password);
		free(r);
	}
}
