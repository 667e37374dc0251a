/* The desktop's keyring, asked by the module that is linked with libsecret. */
#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "base/errand.h"
#include "base/i18n.h"
#include "base/module.h"
#include "client/secret/keyring_use.h"
#include "client/secret/source.h"

#define UNANSWERED N_("the keyring did not answer within %.0f s; is it locked?")

enum { REACH_SECONDS = 3 };

/* What the thread needs, and what it finds. */
struct job {
	const struct keyring_use *use;
	struct keyring_question q;
	char *host, *user;
	enum err e;
};

struct keyring {
	const struct keyring_use *use;
	void *cancel;
	struct errand *errand; /* NULL: it is over, or has not begun */
	struct job *job;       /* the errand's, as long as there is one */
};

/* NULL: there is none. */
static const struct keyring_use *
use_find(struct errbuf *eb)
{
	const struct keyring_use *use =
	    module_find("keyring", "keyring_libsecret");

	if (use == NULL)
		err_set(eb, E_CONFIG, "%s",
		    _("keyring: libsecret, or malote's module for it, is not "
		      "installed; use password_command"));
	return use;
}

static void
job_free(void *work)
{
	struct job *j = work;

	if (j == NULL)
		return;
	j->use->end(j->q.cancel);
	secret_memory_free(j->q.value);
	free(j->host);
	free(j->user);
	free(j);
}

static void
job_run(void *work)
{
	struct job *j = work;

	j->e = j->use->run(&j->q);
}

/* ---- in the loop ---- */

static void
keyring_done(void *arg, bool in_time)
{
	struct secret *s = arg;
	struct keyring *k = s->own;
	struct job *j = k->job;

	k->errand = NULL;
	if (!in_time) {
		k->use->cancel(k->cancel);
		k->job = NULL;
		secret_fail(s, E_IO, _(UNANSWERED), s->timeout);
	} else if (j->e != E_OK) {
		secret_fail(s, j->e, "%s", j->q.words);
	} else {
		memcpy(s->value, j->q.value, j->q.n);
		s->n = j->q.n;
		secret_end(s, "keyring");
	}
}

static struct job *
job_new(enum keyring_task task, const struct account *a,
    const struct keyring_use *use, void *cancel)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->use = use;
	j->host = strdup(a->server);
	j->user = strdup(a->user);
	use->keep(cancel);
	j->q = (struct keyring_question){
		.task = task,
		.host = j->host,
		.user = j->user,
		.value = secret_memory_new(),
		.max = SECRET_MAX,
		.cancel = cancel,
	};
	if (j->host == NULL || j->user == NULL || j->q.value == NULL) {
		job_free(j);
		return NULL;
	}
	return j;
}

static enum err
keyring_start(struct secret *s, struct errbuf *eb)
{
	const struct keyring_use *use = use_find(eb);
	struct keyring *k;

	if (use == NULL)
		return E_CONFIG;
	if ((k = s->own = calloc(1, sizeof(*k))) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	k->use = use;
	k->cancel = use->begin();
	k->job = job_new(KEYRING_LOOK_UP, s->account, use, k->cancel);
	if (k->job == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return errand_start(&k->errand,
	    &(struct errand_question){
		.loop = s->loop,
		.timeout = s->timeout,
		.work = k->job,
		.run = job_run,
		.drop = job_free,
		.done = keyring_done,
		.arg = s,
	    },
	    eb);
}

static void
keyring_stop(struct secret *s)
{
	struct keyring *k = s->own;

	if (k == NULL)
		return;
	if (k->errand != NULL) {
		errand_leave(k->errand);
		k->use->cancel(k->cancel);
	} else {
		job_free(k->job);
	}
	k->use->end(k->cancel);
	free(k);
	s->own = NULL;
}

const struct secret_source secret_keyring = { keyring_start, keyring_stop };

/* ---- changing it ---- */

struct wait {
	struct ev_loop *loop;
	struct job *job; /* ours again, if it has ended in time */
	bool in_time;
};

static void
change_done(void *arg, bool in_time)
{
	struct wait *w = arg;

	w->in_time = in_time;
	ev_break(w->loop, EVBREAK_ALL);
}

/* Takes w->job. */
static enum err
wait_for(struct wait *w, double timeout, struct errbuf *eb)
{
	const struct keyring_use *use = w->job->use;
	void *cancel = w->job->q.cancel;
	struct errand *errand;
	enum err e = errand_start(&errand,
	    &(struct errand_question){
		.loop = w->loop,
		.timeout = timeout,
		.work = w->job,
		.run = job_run,
		.drop = job_free,
		.done = change_done,
		.arg = w,
	    },
	    eb);

	if (e == E_OK) {
		ev_run(w->loop, 0);
		if (!w->in_time) {
			use->cancel(cancel);
			return err_set(eb, E_IO, _(UNANSWERED), timeout);
		}
		e = w->job->e;
		if (e != E_OK)
			err_set(eb, e, "%s", w->job->q.words);
	}
	job_free(w->job);
	return e;
}

static enum err
change(enum keyring_task task, const struct account *a, const char *password,
    double timeout, struct errbuf *eb)
{
	const struct keyring_use *use = use_find(eb);
	struct wait w = { .loop = NULL };
	void *cancel;
	enum err e = E_NOMEM;

	if (use == NULL)
		return E_CONFIG;
	w.loop = ev_loop_new(EVFLAG_AUTO);
	cancel = use->begin();
	w.job = job_new(task, a, use, cancel);
	if (w.loop == NULL || w.job == NULL) {
		job_free(w.job);
		err_set(eb, e, "%s", _("out of memory"));
	} else {
		w.job->q.n = strnlen(password, SECRET_MAX);
		memcpy(w.job->q.value, password, w.job->q.n);
		e = wait_for(&w, timeout, eb);
	}
	if (w.loop != NULL)
		ev_loop_destroy(w.loop);
	use->end(cancel);
	return e;
}

enum err
secret_keep(const struct account *a, const char *password, struct errbuf *eb)
{
	return change(password != NULL ? KEYRING_STORE : KEYRING_CLEAR, a,
	    password != NULL ? password : "", a->timeout, eb);
}

bool
secret_can_keep(const struct account *a)
{
	return change(KEYRING_REACH, a, "", REACH_SECONDS, NULL) == E_OK;
}
