/* The desktop's keyring, by libsecret.  Its calls may wait for the bus, and for
 * a person who is to unlock it. */
#include <ev.h>
#include <libsecret/secret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/errand.h"
#include "base/i18n.h"
#include "base/str.h"
#include "client/secret/source.h"

#define UNANSWERED N_("the keyring did not answer within %.0f s; is it locked?")

enum { REACH_SECONDS = 3 };

enum task { LOOK_UP, STORE, CLEAR, REACH };

/* What the thread needs, and what it finds. */
struct job {
	enum task task;
	GCancellable *cancel;
	char *host, *user;
	char *value; /* secret memory */
	size_t n;
	enum err e;
	char words[512];
};

struct keyring {
	GCancellable *cancel;
	struct errand *errand; /* NULL: it is over, or has not begun */
	struct job *job;       /* the errand's, as long as there is one */
};

static void
job_free(void *work)
{
	struct job *j = work;

	if (j == NULL)
		return;
	if (j->cancel != NULL)
		g_object_unref(j->cancel);
	secret_memory_free(j->value);
	free(j->host);
	free(j->user);
	free(j);
}

/* ---- on the thread ---- */

/* As mpop and msmtp store them. */
static const SecretSchema schema = { .name = "org.malote.Password",
	.flags = SECRET_SCHEMA_DONT_MATCH_NAME,
	.attributes = {
	    { "service", SECRET_SCHEMA_ATTRIBUTE_STRING },
	    { "host", SECRET_SCHEMA_ATTRIBUTE_STRING },
	    { "user", SECRET_SCHEMA_ATTRIBUTE_STRING },
	    { NULL, 0 },
	} };

static GHashTable *
attributes_of(const struct job *j)
{
	return secret_attributes_build(
	    &schema, "service", "pop3", "host", j->host, "user", j->user, NULL);
}

static GList *
search_keyring(const struct job *j, GError **error)
{
	GHashTable *a = attributes_of(j);
	GList *items;

	if (a == NULL)
		return NULL;
	items = secret_service_search_sync(NULL, &schema, a,
	    SECRET_SEARCH_UNLOCK | SECRET_SEARCH_LOAD_SECRETS, j->cancel,
	    error);
	g_hash_table_unref(a);
	return items;
}

static enum err
no_item(struct job *j)
{
	char host[160], user[160];

	str_quote(host, sizeof(host), j->host, strlen(j->host));
	str_quote(user, sizeof(user), j->user, strlen(j->user));
	snprintf(j->words, sizeof(j->words),
	    _("the keyring has no password for it; put it there: secret-tool "
	      "store --label=malote service pop3 host \"%s\" user \"%s\""),
	    host, user);
	return E_DENIED;
}

static enum err
no_keyring(struct job *j, const GError *error)
{
	char why[256];

	str_quote(why, sizeof(why), error->message, strlen(error->message));
	snprintf(j->words, sizeof(j->words),
	    _("the keyring cannot be reached: %s"), why);
	return E_IO;
}

static enum err
take_item(struct job *j, SecretItem *item)
{
	SecretValue *v = secret_item_get_secret(item);
	const gchar *text;
	gsize n;
	enum err e = E_OK;

	if (v == NULL) {
		snprintf(j->words, sizeof(j->words), "%s",
		    _("the keyring is locked; unlock it, and try again"));
		return E_DENIED;
	}
	text = secret_value_get(v, &n);
	if (n <= SECRET_MAX) {
		memcpy(j->value, text, n);
		j->n = n;
	} else {
		snprintf(j->words, sizeof(j->words), "%s",
		    _("the password is too long"));
		e = E_DENIED;
	}
	secret_value_unref(v);
	return e;
}

static enum err
look_up(struct job *j)
{
	GError *error = NULL;
	GList *items = search_keyring(j, &error);
	enum err e;

	if (error != NULL)
		e = no_keyring(j, error);
	else if (items == NULL)
		e = no_item(j);
	else
		e = take_item(j, items->data);
	g_list_free_full(items, g_object_unref);
	g_clear_error(&error);
	return e;
}

static enum err
store(struct job *j)
{
	GHashTable *a = attributes_of(j);
	SecretValue *v = secret_value_new(j->value, (gssize)j->n, "text/plain");
	GError *error = NULL;
	enum err e = E_OK;

	if (a == NULL || !secret_service_store_sync(NULL, &schema, a, NULL,
			     "malote", v, j->cancel, &error))
		e = error != NULL ? no_keyring(j, error) : E_NOMEM;
	secret_value_unref(v);
	g_clear_pointer(&a, g_hash_table_unref);
	g_clear_error(&error);
	return e;
}

/* Nothing to remove is no error of the library's. */
static enum err
clear(struct job *j)
{
	GHashTable *a = attributes_of(j);
	GError *error = NULL;
	enum err e = a == NULL ? E_NOMEM : E_OK;

	if (a != NULL &&
	    !secret_service_clear_sync(NULL, &schema, a, j->cancel, &error))
		e = error != NULL ? no_keyring(j, error) : no_item(j);
	g_clear_pointer(&a, g_hash_table_unref);
	g_clear_error(&error);
	return e;
}

static enum err
reach(struct job *j)
{
	GError *error = NULL;
	SecretService *service =
	    secret_service_get_sync(SECRET_SERVICE_NONE, j->cancel, &error);
	enum err e = service != NULL ? E_OK : no_keyring(j, error);

	g_clear_object(&service);
	g_clear_error(&error);
	return e;
}

static void
job_run(void *work)
{
	struct job *j = work;

	switch (j->task) {
	case LOOK_UP: j->e = look_up(j); break;
	case STORE: j->e = store(j); break;
	case CLEAR: j->e = clear(j); break;
	case REACH: j->e = reach(j); break;
	}
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
		g_cancellable_cancel(k->cancel);
		k->job = NULL;
		secret_fail(s, E_IO, _(UNANSWERED), s->timeout);
	} else if (j->e != E_OK) {
		secret_fail(s, j->e, "%s", j->words);
	} else {
		memcpy(s->value, j->value, j->n);
		s->n = j->n;
		secret_end(s, "keyring");
	}
}

static struct job *
job_new(enum task task, const struct account *a, GCancellable *cancel)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->task = task;
	j->cancel = g_object_ref(cancel);
	j->host = strdup(a->server);
	j->user = strdup(a->user);
	j->value = secret_memory_new();
	if (j->host == NULL || j->user == NULL || j->value == NULL) {
		job_free(j);
		return NULL;
	}
	return j;
}

static enum err
keyring_start(struct secret *s, struct errbuf *eb)
{
	struct keyring *k = s->own = calloc(1, sizeof(*k));

	if (k == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	k->cancel = g_cancellable_new();
	if ((k->job = job_new(LOOK_UP, s->account, k->cancel)) == NULL)
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
		g_cancellable_cancel(k->cancel);
	} else {
		job_free(k->job);
	}
	g_object_unref(k->cancel);
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
	GCancellable *cancel = w->job->cancel;
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
			g_cancellable_cancel(cancel);
			return err_set(eb, E_IO, _(UNANSWERED), timeout);
		}
		e = w->job->e;
		if (e != E_OK)
			err_set(eb, e, "%s", w->job->words);
	}
	job_free(w->job);
	return e;
}

static enum err
change(enum task task, const struct account *a, const char *password,
    double timeout, struct errbuf *eb)
{
	struct wait w = { .loop = ev_loop_new(EVFLAG_AUTO) };
	GCancellable *cancel = g_cancellable_new();
	enum err e = E_NOMEM;

	w.job = job_new(task, a, cancel);
	if (w.loop == NULL || w.job == NULL) {
		job_free(w.job);
		err_set(eb, e, "%s", _("out of memory"));
	} else {
		w.job->n = strnlen(password, SECRET_MAX);
		memcpy(w.job->value, password, w.job->n);
		e = wait_for(&w, timeout, eb);
	}
	if (w.loop != NULL)
		ev_loop_destroy(w.loop);
	g_object_unref(cancel);
	return e;
}

enum err
secret_keep(const struct account *a, const char *password, struct errbuf *eb)
{
	return change(password != NULL ? STORE : CLEAR, a,
	    password != NULL ? password : "", a->timeout, eb);
}

bool
secret_can_keep(const struct account *a)
{
	return change(REACH, a, "", REACH_SECONDS, NULL) == E_OK;
}
