#include "client/oauth/token_keyring.h"

#include <dlfcn.h>
#include <libsecret/secret.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"

/* ---- the library: loaded by the first thread that needs it ---- */

static struct {
	__typeof__(secret_password_lookup_sync) *lookup;
	__typeof__(secret_password_store_sync) *store;
	__typeof__(secret_password_free) *release;
	__typeof__(g_error_free) *error_free;
	bool is_loaded;
} keyring;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
load(void)
{
	void *library = dlopen("libsecret-1.so.0", RTLD_NOW | RTLD_LOCAL);

	if (library == NULL)
		return;
	keyring.lookup = dlsym(library, "secret_password_lookup_sync");
	keyring.store = dlsym(library, "secret_password_store_sync");
	keyring.release = dlsym(library, "secret_password_free");
	keyring.error_free = dlsym(library, "g_error_free");
	keyring.is_loaded = keyring.lookup != NULL && keyring.store != NULL &&
			    keyring.release != NULL &&
			    keyring.error_free != NULL;
}

static enum err
need_library(struct errbuf *eb)
{
	pthread_once(&once, load);
	return keyring.is_loaded ? E_OK
				 : err_set(eb, E_CONFIG, "%s",
				       _("libsecret, by which the keyring is "
					 "asked, is not there: install it "
					 "(Debian: libsecret-1-0)"));
}

/* ---- tokens ---- */

static const SecretSchema schema = { .name = "org.malote.Token",
	.attributes = {
	    { "key", SECRET_SCHEMA_ATTRIBUTE_STRING },
	    { "user", SECRET_SCHEMA_ATTRIBUTE_STRING },
	    { NULL, 0 },
	} };

static enum err
keyring_failed(GError *error, struct errbuf *eb)
{
	char why[160];

	str_quote(why, sizeof(why), error->message, strlen(error->message));
	keyring.error_free(error);
	return err_set(eb, E_IO, _("the keyring cannot be reached: %s"), why);
}

enum err
token_keyring_load(
    const struct oauth_party *p, struct buf *text, struct errbuf *eb)
{
	GError *error = NULL;
	gchar *found;
	enum err e;

	if ((e = need_library(eb)) != E_OK)
		return e;
	found = keyring.lookup(
	    &schema, NULL, &error, "key", p->key, "user", p->user, NULL);
	if (error != NULL)
		return keyring_failed(error, eb);
	if (found == NULL)
		return E_NOENT;
	e = buf_put(text, found, strlen(found));
	keyring.release(found);
	return e == E_FULL ? E_FORMAT : e;
}

enum err
token_keyring_save(
    const struct oauth_party *p, const char *text, struct errbuf *eb)
{
	GError *error = NULL;
	char label[256];
	enum err e;

	if ((e = need_library(eb)) != E_OK)
		return e;
	snprintf(label, sizeof(label), "malote: %s", p->user);
	if (keyring.store(&schema, SECRET_COLLECTION_DEFAULT, label, text, NULL,
		&error, "key", p->key, "user", p->user, NULL))
		return E_OK;
	return error != NULL
		   ? keyring_failed(error, eb)
		   : err_set(eb, E_IO, "%s", _("the keyring takes no tokens"));
}
