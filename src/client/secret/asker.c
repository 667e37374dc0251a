#include "client/secret/asker.h"

#include <ev.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/secret/refused.h"

/* One thread asks at a time: an account has one that delivers. */
struct asker {
	struct ev_loop *loop;
	const char *state_dir;
	bool terminal, insist;
	ev_async wake;         /* a question has come */
	struct secret *secret; /* the loop's: it is being asked for */

	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t answered;
	bool closed, asked, over;
	const struct account *login;
	bool anew;
	char *to;
	size_t size;
	enum err e;
	struct errbuf words;

	/* The thread's: by what it signs in, and since when. */
	int64_t mark_at;
	unsigned mark;
};

/* ---- in the loop ---- */

static void
asker_answer(struct asker *a, enum err e, const char *value, const char *words)
{
	pthread_mutex_lock(&a->lock);
	if (a->asked && !a->over) {
		a->over = true;
		a->e = err_set(&a->words, e, "%s", words);
		if (e == E_OK && strlen(value) < a->size)
			strcpy(a->to, value);
		else if (e == E_OK)
			a->e = err_set(&a->words, E_CONFIG, "%s",
			    _("the password is too long"));
	}
	pthread_cond_signal(&a->answered);
	pthread_mutex_unlock(&a->lock);
}

static void
asker_has_secret(void *arg, enum err e, const char *value, const char *words)
{
	struct asker *a = arg;

	a->secret = NULL;
	/* What does not come by itself is for a person to mend, and no fault of
	 * the disk that the mail would go to. */
	if (e != E_OK && e != E_AGAIN && e != E_NOMEM)
		e = E_CONFIG;
	asker_answer(a, e, value, words);
}

static void
asker_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct asker *a = w->data;
	struct secret_question q = {
		.loop = loop,
		.terminal = a->terminal,
		.state_dir = a->state_dir,
		.done = asker_has_secret,
		.arg = a,
	};
	struct errbuf eb;
	enum err e;

	pthread_mutex_lock(&a->lock);
	q.account = a->asked && !a->over ? a->login : NULL;
	q.anew = a->anew;
	pthread_mutex_unlock(&a->lock);
	if (q.account == NULL || a->secret != NULL)
		return;
	q.timeout = q.account->timeout;
	q.kind = account_uses_token(q.account) ? SECRET_TOKEN : SECRET_PASSWORD;
	if ((e = secret_ask(&a->secret, &q, &eb)) != E_OK)
		asker_answer(a, e, "", eb.text);
}

struct asker *
asker_new(
    struct ev_loop *loop, const char *state_dir, bool terminal, bool insist)
{
	struct asker *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->loop = loop;
	a->state_dir = state_dir;
	a->terminal = terminal;
	a->insist = insist;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->answered, NULL);
	ev_async_init(&a->wake, asker_wake);
	a->wake.data = a;
	ev_async_start(loop, &a->wake);
	ev_unref(loop); /* it waits for nobody by itself */
	return a;
}

void
asker_close(struct asker *a)
{
	secret_cancel(a->secret);
	a->secret = NULL;
	pthread_mutex_lock(&a->lock);
	a->closed = true;
	pthread_mutex_unlock(&a->lock);
	asker_answer(a, E_CLOSED, "", _("stopped"));
}

void
asker_free(struct asker *a)
{
	if (a == NULL)
		return;
	secret_cancel(a->secret);
	ev_ref(a->loop);
	ev_async_stop(a->loop, &a->wake);
	pthread_cond_destroy(&a->answered);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* ---- on the thread ---- */

static enum err
wait_for_secret(struct asker *a, const struct account *login, bool anew,
    char *secret, size_t size, struct errbuf *eb)
{
	enum err e;

	pthread_mutex_lock(&a->lock);
	a->asked = true;
	a->over = false;
	a->login = login;
	a->anew = anew;
	a->to = secret;
	a->size = size;
	ev_async_send(a->loop, &a->wake);
	while (!a->over && !a->closed)
		pthread_cond_wait(&a->answered, &a->lock);
	e = a->over ? a->e : E_CLOSED;
	if (e != E_OK)
		err_set(eb, e, "%s", a->over ? a->words.text : _("stopped"));
	a->asked = false;
	pthread_mutex_unlock(&a->lock);
	return e;
}

enum err
asker_ask(struct asker *a, const struct account *login, bool anew, char *secret,
    size_t size, struct errbuf *eb)
{
	enum err e = wait_for_secret(a, login, anew, secret, size, eb);
	char why[REFUSED_WORDS];

	if (e != E_OK)
		return e;
	if (!a->insist && refused_before(a->state_dir, login, secret, why))
		return err_set(eb, E_CONFIG, "%s", why);
	a->mark_at = time(NULL);
	a->mark = refused_mark(login, secret, a->mark_at);
	return E_OK;
}

void
asker_judged(struct asker *a, const struct account *login, const char *refused)
{
	if (refused == NULL)
		refused_forget(a->state_dir, login);
	else
		refused_note(a->state_dir, login, a->mark_at, a->mark, refused);
}
