/* The desktop's keyring, by libsecret.  Its calls may wait for the bus, and for
 * a person who is to unlock it. */
#include <libsecret/secret.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/secret/keyring_use.h"

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
attributes_of(const struct keyring_question *q)
{
	return secret_attributes_build(
	    &schema, "service", "pop3", "host", q->host, "user", q->user, NULL);
}

static GList *
search_keyring(const struct keyring_question *q, GError **error)
{
	GHashTable *a = attributes_of(q);
	GList *items;

	if (a == NULL)
		return NULL;
	items = secret_service_search_sync(NULL, &schema, a,
	    SECRET_SEARCH_UNLOCK | SECRET_SEARCH_LOAD_SECRETS, q->cancel,
	    error);
	g_hash_table_unref(a);
	return items;
}

static enum err
no_item(struct keyring_question *q)
{
	char host[160], user[160];

	str_quote(host, sizeof(host), q->host, strlen(q->host));
	str_quote(user, sizeof(user), q->user, strlen(q->user));
	snprintf(q->words, sizeof(q->words),
	    _("the keyring has no password for it; put it there: secret-tool "
	      "store --label=malote service pop3 host \"%s\" user \"%s\""),
	    host, user);
	return E_DENIED;
}

static enum err
no_keyring(struct keyring_question *q, const GError *error)
{
	char why[256];

	str_quote(why, sizeof(why), error->message, strlen(error->message));
	snprintf(q->words, sizeof(q->words),
	    _("the keyring cannot be reached: %s"), why);
	return E_IO;
}

static enum err
take_item(struct keyring_question *q, SecretItem *item)
{
	SecretValue *v = secret_item_get_secret(item);
	const gchar *text;
	gsize n;
	enum err e = E_OK;

	if (v == NULL) {
		snprintf(q->words, sizeof(q->words), "%s",
		    _("the keyring is locked; unlock it, and try again"));
		return E_DENIED;
	}
	text = secret_value_get(v, &n);
	if (n <= q->max) {
		memcpy(q->value, text, n);
		q->n = n;
	} else {
		snprintf(q->words, sizeof(q->words), "%s",
		    _("the password is too long"));
		e = E_DENIED;
	}
	secret_value_unref(v);
	return e;
}

static enum err
look_up(struct keyring_question *q)
{
	GError *error = NULL;
	GList *items = search_keyring(q, &error);
	enum err e;

	if (error != NULL)
		e = no_keyring(q, error);
	else if (items == NULL)
		e = no_item(q);
	else
		e = take_item(q, items->data);
	g_list_free_full(items, g_object_unref);
	g_clear_error(&error);
	return e;
}

static enum err
store(struct keyring_question *q)
{
	GHashTable *a = attributes_of(q);
	SecretValue *v = secret_value_new(q->value, (gssize)q->n, "text/plain");
	GError *error = NULL;
	enum err e = E_OK;

	if (a == NULL || !secret_service_store_sync(NULL, &schema, a, NULL,
			     "malote", v, q->cancel, &error))
		e = error != NULL ? no_keyring(q, error) : E_NOMEM;
	secret_value_unref(v);
	g_clear_pointer(&a, g_hash_table_unref);
	g_clear_error(&error);
	return e;
}

/* Nothing to remove is no error of the library's. */
static enum err
clear(struct keyring_question *q)
{
	GHashTable *a = attributes_of(q);
	GError *error = NULL;
	enum err e = a == NULL ? E_NOMEM : E_OK;

	if (a != NULL &&
	    !secret_service_clear_sync(NULL, &schema, a, q->cancel, &error))
		e = error != NULL ? no_keyring(q, error) : no_item(q);
	g_clear_pointer(&a, g_hash_table_unref);
	g_clear_error(&error);
	return e;
}

static enum err
reach(struct keyring_question *q)
{
	GError *error = NULL;
	SecretService *service =
	    secret_service_get_sync(SECRET_SERVICE_NONE, q->cancel, &error);
	enum err e = service != NULL ? E_OK : no_keyring(q, error);

	g_clear_object(&service);
	g_clear_error(&error);
	return e;
}

static enum err
keyring_run(struct keyring_question *q)
{
	switch (q->task) {
	case KEYRING_LOOK_UP: return look_up(q);
	case KEYRING_STORE: return store(q);
	case KEYRING_CLEAR: return clear(q);
	case KEYRING_REACH: return reach(q);
	}
	return E_CONFIG;
}

/* ---- how it is told to end ---- */

static void *
keyring_begin(void)
{
	return g_cancellable_new();
}

static void
keyring_cancel(void *cancel)
{
	g_cancellable_cancel(cancel);
}

static void
keyring_keep(void *cancel)
{
	g_object_ref(cancel);
}

static void
keyring_end(void *cancel)
{
	g_object_unref(cancel);
}

const struct keyring_use keyring_libsecret = {
	.begin = keyring_begin,
	.cancel = keyring_cancel,
	.keep = keyring_keep,
	.end = keyring_end,
	.run = keyring_run,
};
