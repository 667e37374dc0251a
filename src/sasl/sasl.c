#include "sasl/sasl.h"

#include <stdlib.h>
#include <string.h>

#include "sasl/mechanism.h"

#define POINTER(name) &name,
const struct sasl_mechanism *const sasl_mechanisms[] = { SASL_MECHANISMS(
    POINTER) NULL };

const struct sasl_mechanism *
sasl_find(struct slice name)
{
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if (slice_caseeq(name, sasl_mechanisms[i]->name))
			return sasl_mechanisms[i];
	return NULL;
}

unsigned
sasl_flags(const char *name)
{
	const struct sasl_mechanism *m =
	    sasl_find((struct slice){ name, strlen(name) });

	return m != NULL ? m->flags : 0;
}

const struct sasl_mechanism *
sasl_find_asking(struct slice name, enum sasl_result asks)
{
	const struct sasl_mechanism *m = sasl_find(name);

	return m != NULL && m->asks == asks ? m : NULL;
}

/* What a mechanism kept for itself may be a secret. */
static void
state_end(const struct sasl_mechanism *m, void *state)
{
	if (m->end != NULL)
		m->end(state);
	explicit_bzero(state, m->state_n);
}

/* ---- the server's end ---- */

struct sasl_server *
sasl_server_new(const struct sasl_mechanism *m)
{
	struct sasl_server *s = calloc(1, sizeof(*s) + m->state_n);

	if (s == NULL)
		return NULL;
	s->mechanism = m;
	s->state = s + 1;
	sasl_server_forget(s); /* the claim is empty */
	if (m->begin != NULL)
		m->begin(s->state);
	return s;
}

void
sasl_server_free(struct sasl_server *s)
{
	if (s == NULL)
		return;
	sasl_server_forget(s);
	state_end(s->mechanism, s->state);
	free(s);
}

void
sasl_server_channel(struct sasl_server *s, const struct sasl_channel *ch)
{
	s->channel = ch;
}

enum sasl_result
sasl_server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	static const struct slice empty = { "", 0 };

	return s->mechanism->server_step(
	    s, in != NULL && in->n == 0 ? &empty : in, out);
}

const struct sasl_claim *
sasl_server_claim(const struct sasl_server *s)
{
	return &s->claim;
}

/* ---- the client's end ---- */

struct sasl_client *
sasl_client_new(
    const struct sasl_mechanism *m, const struct sasl_credentials *cred)
{
	struct sasl_client *c = calloc(1, sizeof(*c) + m->state_n);

	if (c == NULL)
		return NULL;
	c->mechanism = m;
	c->state = c + 1;
	c->cred = cred;
	if (m->begin != NULL)
		m->begin(c->state);
	return c;
}

void
sasl_client_free(struct sasl_client *c)
{
	if (c == NULL)
		return;
	state_end(c->mechanism, c->state);
	free(c);
}

enum sasl_result
sasl_client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	c->error.text[0] = '\0';
	c->verified = false;
	return c->mechanism->client_step(
	    c, in.n != 0 ? in : (struct slice){ "", 0 }, out);
}

bool
sasl_client_is_verified(const struct sasl_client *c)
{
	return c->verified;
}

const char *
sasl_client_error(const struct sasl_client *c)
{
	return c->error.text[0] != '\0' ? c->error.text : NULL;
}
