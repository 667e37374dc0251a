/* The desktop's keyring, by libsecret.  Its calls may wait for the bus, and for
 * a person who is to unlock it. */
#include <libsecret/secret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/errand.h"
#include "base/i18n.h"
#include "base/str.h"
#include "client/secret/source.h"

/* What the thread needs, and what it finds. */
struct job {
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

static void
job_run(void *work)
{
	struct job *j = work;

	j->e = look_up(j);
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
		secret_fail(s, E_IO,
		    _("the keyring did not answer within %.0f s; is it "
		      "locked?"),
		    s->timeout);
	} else if (j->e != E_OK) {
		secret_fail(s, j->e, "%s", j->words);
	} else {
		memcpy(s->value, j->value, j->n);
		s->n = j->n;
		secret_end(s, "keyring");
	}
}

static struct job *
job_new(const struct secret *s, GCancellable *cancel)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->cancel = g_object_ref(cancel);
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

	if (k == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	k->cancel = g_cancellable_new();
	if ((k->job = job_new(s, k->cancel)) == NULL)
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
