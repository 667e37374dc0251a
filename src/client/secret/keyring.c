/* The desktop's keyring, by libsecret.  Its calls may wait for the bus, and for
 * a person who is to unlock it, so they are made on a thread that nobody waits
 * for longer than they want. */
#include <ev.h>
#include <libsecret/secret.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/secret/source.h"

/* The loop's and the thread's; whoever is second frees it. */
struct job {
	pthread_mutex_t lock;
	struct ev_loop *loop;
	ev_async *wake; /* NULL: nobody waits any more */
	bool finished;
	GCancellable *cancel;
	char *host, *user;
	char *value; /* secret memory */
	size_t n;
	enum err e;
	char words[512];
};

struct keyring {
	ev_async wake;
	ev_timer deadline;
	struct job *job;
};

static void
job_free(struct job *j)
{
	pthread_mutex_destroy(&j->lock);
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

static GList *
search_keyring(const struct job *j, GError **error)
{
	GHashTable *a = secret_attributes_build(
	    &schema, "service", "pop3", "host", j->host, "user", j->user, NULL);
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

static void *
keyring_work(void *arg)
{
	struct job *j = arg;
	bool last;

	j->e = look_up(j);
	pthread_mutex_lock(&j->lock);
	j->finished = true;
	last = j->wake == NULL;
	if (!last)
		ev_async_send(j->loop, j->wake);
	pthread_mutex_unlock(&j->lock);
	if (last)
		job_free(j);
	return NULL;
}

/* ---- in the loop ---- */

static void
on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct secret *s = w->data;
	struct job *j = ((struct keyring *)s->own)->job;

	if (j->e != E_OK) {
		secret_fail(s, j->e, "%s", j->words);
		return;
	}
	memcpy(s->value, j->value, j->n);
	s->n = j->n;
	secret_end(s, "keyring");
}

static void
keyring_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct secret *s = w->data;

	secret_fail(s, E_IO,
	    _("the keyring did not answer within %.0f s; is it locked?"),
	    s->timeout);
}

/* Signals are for the loop's thread. */
static enum err
start_thread(struct job *j, struct errbuf *eb)
{
	sigset_t all, old;
	pthread_t id;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&id, NULL, keyring_work, j);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r != 0)
		return err_set(
		    eb, E_IO, _("cannot start a thread: %s"), strerror(r));
	pthread_detach(id);
	return E_OK;
}

static struct job *
job_new(const struct secret *s, ev_async *wake)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	pthread_mutex_init(&j->lock, NULL);
	j->loop = s->loop;
	j->wake = wake;
	j->cancel = g_cancellable_new();
	j->host = strdup(s->account->server);
	j->user = strdup(s->account->user);
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
	enum err e;

	if (k == NULL || (k->job = job_new(s, &k->wake)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	ev_async_init(&k->wake, on_wake);
	ev_timer_init(&k->deadline, keyring_deadline, s->timeout, 0);
	k->wake.data = k->deadline.data = s;
	ev_async_start(s->loop, &k->wake);
	ev_timer_start(s->loop, &k->deadline);
	if ((e = start_thread(k->job, eb)) != E_OK)
		k->job->finished = true;
	return e;
}

static void
keyring_stop(struct secret *s)
{
	struct keyring *k = s->own;
	struct job *j;
	bool last = true;

	if (k == NULL)
		return;
	ev_timer_stop(s->loop, &k->deadline);
	ev_async_stop(s->loop, &k->wake);
	if ((j = k->job) != NULL) {
		GCancellable *cancel = g_object_ref(j->cancel);

		pthread_mutex_lock(&j->lock);
		j->wake = NULL;
		last = j->finished;
		pthread_mutex_unlock(&j->lock);
		if (last)
			job_free(j);
		else
			g_cancellable_cancel(cancel);
		g_object_unref(cancel);
	}
	free(k);
	s->own = NULL;
}

const struct secret_source secret_keyring = { keyring_start, keyring_stop };
