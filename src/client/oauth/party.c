#include "client/oauth/party.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The texts of a client. */
static const size_t texts[] = {
	offsetof(struct oauth_client, name),
	offsetof(struct oauth_client, provider),
	offsetof(struct oauth_client, client_id),
	offsetof(struct oauth_client, client_secret),
	offsetof(struct oauth_client, authorization_url),
	offsetof(struct oauth_client, device_url),
	offsetof(struct oauth_client, token_url),
	offsetof(struct oauth_client, scope),
	offsetof(struct oauth_client, redirect_url),
	offsetof(struct oauth_client, ca_file),
};

static char **
text_of(const struct oauth_client *c, size_t i)
{
	return (char **)((char *)c + texts[i]);
}

static bool
copy(char **to, const char *from)
{
	*to = from != NULL ? strdup(from) : NULL;
	return from == NULL || *to != NULL;
}

static bool
copy_client(struct oauth_client *to, const struct oauth_client *from)
{
	to->flow = from->flow;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!copy(text_of(to, i), *text_of(from, i)))
			return false;
	return true;
}

/* Tokens are for one client of one provider, and for what was allowed, and are
 * shown to no other: when the settings name another one, they are those of
 * somebody who has none. */
static bool
make_key(struct oauth_party *p)
{
	char *text;
	int n = asprintf(&text, "%s\n%s\n%s\n%s", p->client.token_url,
	    p->client.client_id, p->user, p->client.scope);

	if (n < 0)
		return false;
	digest_text(p->key, digest_of((struct slice){ text, (size_t)n }));
	free(text);
	return true;
}

/* A place has no name that the command would take. */
static bool
make_login(struct oauth_party *p, const struct account *a)
{
	p->is_place = a->is_place;
	if (asprintf(&p->login, "malote login%s%s", a->is_place ? "" : " ",
		a->is_place ? "" : a->name) < 0)
		p->login = NULL;
	return p->login != NULL;
}

static bool
copy_scope(struct oauth_party *p, const struct account *a)
{
	if (a->scope == NULL)
		return true;
	free(p->client.scope);
	return copy(&p->client.scope, a->scope);
}

static bool
make_folders(struct oauth_party *p, const struct account *a, const char *dir)
{
	if (asprintf(&p->lock_in, "%s/tokens", dir) < 0) {
		p->lock_in = NULL;
		return false;
	}
	return copy(&p->keep_in, a->keyring ? NULL : p->lock_in);
}

struct oauth_party *
oauth_party_new(const struct account *a, const char *state_dir)
{
	struct oauth_party *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->timeout = a->timeout;
	if (copy(&p->account, a->name) && copy(&p->user, a->user) &&
	    copy(&p->email, a->email) && copy(&p->proxy, a->proxy) &&
	    make_login(p, a) && make_folders(p, a, state_dir) &&
	    copy_client(&p->client, a->client) && copy_scope(p, a) &&
	    make_key(p))
		return p;
	oauth_party_free(p);
	return NULL;
}

void
oauth_party_free(struct oauth_party *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		str_wipe(*text_of(&p->client, i));
	free(p->account);
	free(p->login);
	free(p->user);
	free(p->email);
	str_wipe(p->proxy);
	free(p->keep_in);
	free(p->lock_in);
	free(p);
}
