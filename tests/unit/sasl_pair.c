#include "sasl_pair.h"

#include <stdio.h>
#include <string.h>

const struct sasl_mechanism *
pair_mechanism(const char *name)
{
	return sasl_find((struct slice){ name, strlen(name) });
}

struct pair
pair_make(const char *mechanism)
{
	static const struct sasl_binding bindings[] = {
		{ "tls-exporter", LIT("0123456789abcdef0123456789abcdef") },
		{ "tls-server-end-point", LIT("a hash, NUL\0, and more") },
	};
	struct pair p = { .mechanism = mechanism };
	const struct sasl_mechanism *m = pair_mechanism(mechanism);

	p.cred.authcid = LIT("user");
	p.cred.password = LIT("pencil");
	p.cred.token = LIT("ya29.token");
	p.user = "user";
	p.password = "pencil";
	p.token = "ya29.token";
	p.initial = true;
	if (m->flags & SASL_NEEDS_CERTIFICATE)
		p.cred.authzid = LIT("user");
	if (m->flags & SASL_NEEDS_BINDING) {
		p.channel.bindings = bindings;
		p.channel.n_bindings = 2;
		p.channel.plus_offered = true;
		p.cred.binding_name = bindings[0].name;
		p.cred.binding_data = bindings[0].data;
		p.cred.plus_offered = true;
	}
	return p;
}

/* They take their time: those made last are kept. */
static enum err
make_keys(const struct sasl_mechanism *m, const char *password,
    struct sasl_keys *keys_r)
{
	static const char *last_hash, *last_password;
	static struct sasl_keys last;
	struct slice s = { password, strlen(password) };
	enum err e;

	if (last_hash == m->hash && last_password == password) {
		*keys_r = last;
		return E_OK;
	}
	if ((e = sasl_keys_make(keys_r, m, s, NULL)) != E_OK)
		return e;
	last = *keys_r;
	last_hash = m->hash;
	last_password = password;
	return E_OK;
}

static enum sasl_result
keys(struct pair *p, struct sasl_server *s, struct buf *out)
{
	struct sasl_keys k = { .salt_n = 16, .iterations = 4096 };
	struct slice name = sasl_server_claim(s)->authcid;

	if (p->keys != NULL)
		return sasl_server_keys(s, p->keys, out);
	memcpy(k.salt, "salt of sixteen.", 16);
	if (!slice_eq(name, p->user)) {
		if (sasl_keys_fake(
			&k, s->mechanism, LIT("secret"), name, 4096) != E_OK)
			return SASL_NOMEM;
	} else if (make_keys(s->mechanism, p->password, &k) != E_OK) {
		return SASL_NOMEM;
	}
	return sasl_server_keys(s, &k, out);
}

/* Answers what the server's end asks. */
static enum sasl_result
judge(
    struct pair *p, struct sasl_server *s, enum sasl_result r, struct buf *out)
{
	const struct sasl_claim *c = sasl_server_claim(s);
	struct slice password = { p->password, strlen(p->password) };
	uint8_t key[SASL_CRAM_KEY];

	switch (r) {
	case SASL_LOOKUP:
		if (s->mechanism->hash != NULL)
			return keys(p, s, out);
		if (sasl_cram_key(key, password) != E_OK)
			return SASL_NOMEM;
		return sasl_server_cram_key(
		    s, slice_eq(c->authcid, p->user) ? key : NULL, NULL);
	case SASL_PASSWORD:
		return slice_eq(c->authcid, p->user) &&
			       slice_eq(c->password, p->password)
			   ? SASL_DONE
			   : SASL_DENIED;
	case SASL_TOKEN:
		return slice_eq(c->authzid, p->user) &&
			       slice_eq(c->token, p->token)
			   ? SASL_DONE
			   : sasl_server_refuse_token(s,
				 &(struct sasl_token_refusal){ false, "", "" },
				 out);
	case SASL_EXTERNAL:
		return c->authzid.n == 0 || slice_eq(c->authzid, p->user)
			   ? SASL_DONE
			   : SASL_DENIED;
	default: return r;
	}
}

static struct slice
content(const struct buf *b)
{
	return (struct slice){ b->len != 0 ? buf_data(b) : NULL, b->len };
}

static void
passes(struct pair *p, struct buf *b)
{
	if (p->tamper != NULL)
		p->tamper(p->arg, p->messages, b);
	p->messages++;
}

static void
converse(struct pair *p, struct sasl_server *s, struct sasl_client *c,
    struct buf *said, struct buf *asked)
{
	bool first =
	    p->initial && (s->mechanism->flags & SASL_SERVER_FIRST) == 0;

	p->client = p->server = SASL_MORE;
	if (!first) {
		p->server = sasl_server_step(s, NULL, asked);
		if (p->server == SASL_MORE && asked->len != 0)
			passes(p, asked);
	}
	while (p->server == SASL_MORE) {
		struct slice in;

		buf_consume(said, said->len);
		p->client = sasl_client_step(c, content(asked), said);
		if (p->client != SASL_MORE && p->client != SASL_DONE)
			return;
		passes(p, said);
		buf_consume(asked, asked->len);
		in = content(said);
		p->server = judge(p, s, sasl_server_step(s, &in, asked), asked);
		if (p->server == SASL_MORE)
			passes(p, asked);
	}
}

void
pair_run(struct pair *p)
{
	const struct sasl_mechanism *m = pair_mechanism(p->mechanism);
	struct sasl_server *s = sasl_server_new(m);
	struct sasl_client *c = sasl_client_new(m, &p->cred);
	struct buf said, asked;

	p->accepted = p->verified = false;
	p->messages = 0;
	p->error[0] = p->authzid[0] = '\0';
	p->server = p->client = SASL_NOMEM;
	buf_init(&said, SCRAM_AUTH_MAX, true);
	buf_init(&asked, SCRAM_AUTH_MAX, true);
	if (s != NULL && c != NULL) {
		s->nonce = p->server_nonce;
		c->nonce = p->client_nonce;
		sasl_server_channel(s, &p->channel);
		converse(p, s, c, &said, &asked);
		p->accepted = p->server == SASL_DONE;
		p->verified = sasl_client_is_verified(c);
		if (sasl_client_error(c) != NULL)
			(void)snprintf(p->error, sizeof(p->error), "%s",
			    sasl_client_error(c));
		(void)snprintf(p->authzid, sizeof(p->authzid), "%.*s",
		    (int)sasl_server_claim(s)->authzid.n,
		    sasl_server_claim(s)->authzid.p);
	}
	buf_free(&said);
	buf_free(&asked);
	sasl_client_free(c);
	sasl_server_free(s);
}
