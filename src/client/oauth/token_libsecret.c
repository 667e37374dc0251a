/* Tokens in the desktop's keyring, by libsecret. */
#include <libsecret/secret.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/oauth/token_use.h"

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
	g_error_free(error);
	return err_set(eb, E_IO, _("the keyring cannot be reached: %s"), why);
}

static enum err
load(const struct oauth_party *p, struct buf *text, struct errbuf *eb)
{
	GError *error = NULL;
	gchar *found = secret_password_lookup_sync(
	    &schema, NULL, &error, "key", p->key, "user", p->user, NULL);
	enum err e;

	if (error != NULL)
		return keyring_failed(error, eb);
	if (found == NULL)
		return E_NOENT;
	e = buf_put(text, found, strlen(found));
	secret_password_free(found);
	return e == E_FULL ? E_FORMAT : e;
}

static enum err
save(const struct oauth_party *p, const char *text, struct errbuf *eb)
{
	GError *error = NULL;
	char label[256];

	snprintf(label, sizeof(label), "malote: %s", p->user);
	if (secret_password_store_sync(&schema, SECRET_COLLECTION_DEFAULT,
		label, text, NULL, &error, "key", p->key, "user", p->user,
		NULL))
		return E_OK;
	return error != NULL
		   ? keyring_failed(error, eb)
		   : err_set(eb, E_IO, "%s", _("the keyring takes no tokens"));
}

const struct token_use token_libsecret = { load, save };
