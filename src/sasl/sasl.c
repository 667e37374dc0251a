#include "sasl/sasl.h"

#include <stdlib.h>
#include <string.h>

#include "sasl/mechanism.h"

const struct sasl_mechanism *const sasl_mechanisms[] = { &sasl_plain,
	&sasl_login, NULL };

const struct sasl_mechanism *
sasl_find(struct slice name)
{
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if (slice_caseeq(name, sasl_mechanisms[i]->name))
			return sasl_mechanisms[i];
	return NULL;
}

/* ---- the server's end ---- */

struct sasl_server *
sasl_server_new(const struct sasl_mechanism *m)
{
	struct sasl_server *s = calloc(1, sizeof(*s));

	if (s != NULL)
		s->mechanism = m;
	return s;
}

void
sasl_server_free(struct sasl_server *s)
{
	if (s == NULL)
		return;
	while (s->n_kept > 0) {
		struct slice *k = &s->kept[--s->n_kept];

		explicit_bzero((char *)k->p, k->n);
		free((char *)k->p);
	}
	free(s);
}

enum sasl_result
sasl_server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	return s->mechanism->server_step(s, in, out);
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
	struct sasl_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->mechanism = m;
	c->cred = cred;
	return c;
}

void
sasl_client_free(struct sasl_client *c)
{
	free(c);
}

enum sasl_result
sasl_client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	return c->mechanism->client_step(c, in, out);
}

/* ---- for the mechanisms ---- */

bool
sasl_server_keep(struct sasl_server *s, struct slice in, struct slice *copy_r)
{
	char *copy;

	if (s->n_kept == SASL_KEEP || (copy = malloc(in.n + 1)) == NULL)
		return false;
	if (in.n != 0)
		memcpy(copy, in.p, in.n);
	*copy_r = s->kept[s->n_kept++] = (struct slice){ copy, in.n };
	return true;
}

bool
sasl_is_field(struct slice s)
{
	return s.n > 0 && s.n <= SASL_FIELD_MAX &&
	       memchr(s.p, '\0', s.n) == NULL && str_is_utf8(s.p, s.n);
}

enum sasl_result
sasl_say(struct buf *out, const void *p, size_t n, enum sasl_result then)
{
	return buf_put(out, p, n) == E_OK ? then : SASL_NOMEM;
}
