#include "sasl/sasl.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "sasl/mechanism.h"

const struct sasl_mechanism *const sasl_mechanisms[] = {
	&sasl_scram_sha_256_plus,
	&sasl_scram_sha_1_plus,
	&sasl_external,
	&sasl_scram_sha_256,
	&sasl_scram_sha_1,
	&sasl_oauthbearer,
	&sasl_xoauth2,
	&sasl_plain,
	&sasl_login,
	&sasl_cram_md5,
	NULL,
};

const struct sasl_mechanism *
sasl_find(struct slice name)
{
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if (slice_caseeq(name, sasl_mechanisms[i]->name))
			return sasl_mechanisms[i];
	return NULL;
}

const struct sasl_mechanism *
sasl_find_asking(struct slice name, enum sasl_result asks)
{
	const struct sasl_mechanism *m = sasl_find(name);

	return m != NULL && m->asks == asks ? m : NULL;
}

/* ---- the server's end ---- */

struct sasl_server *
sasl_server_new(const struct sasl_mechanism *m)
{
	struct sasl_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->mechanism = m;
	s->claim =
	    (struct sasl_claim){ { "", 0 }, { "", 0 }, { "", 0 }, { "", 0 } };
	scram_init(&s->scram);
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
	scram_clear(&s->scram);
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
	struct sasl_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->mechanism = m;
	c->cred = cred;
	scram_init(&c->scram);
	return c;
}

void
sasl_client_free(struct sasl_client *c)
{
	if (c == NULL)
		return;
	scram_clear(&c->scram);
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

enum sasl_result
sasl_server_keep_prepared(
    struct sasl_server *s, struct slice in, struct slice *copy_r)
{
	enum sasl_result r = SASL_FAILED;
	struct buf name;
	enum err e;

	buf_init(&name, SASL_FIELD_MAX, true);
	e = sasl_prep(&name, in, SASL_PREP_QUERY, NULL);
	if (e == E_NOMEM)
		r = SASL_NOMEM;
	else if (e == E_OK)
		r = sasl_server_keep(s, scram_slice(&name), copy_r)
			? SASL_MORE
			: SASL_NOMEM;
	buf_free(&name);
	return r;
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

enum sasl_result
sasl_say_buf(
    struct buf *out, enum err e, const struct buf *said, enum sasl_result then)
{
	return e == E_OK && sasl_put_buf(out, said) == E_OK ? then : SASL_NOMEM;
}

enum err
sasl_put_buf(struct buf *out, const struct buf *b)
{
	return b->len == 0 ? E_OK : buf_put(out, buf_data(b), b->len);
}

enum err
sasl_put(struct buf *out, const char *before, struct slice s, const char *after)
{
	enum err e = buf_put(out, before, strlen(before));

	if (e == E_OK && s.n != 0)
		e = buf_put(out, s.p, s.n);
	if (e == E_OK)
		e = buf_put(out, after, strlen(after));
	return e;
}

enum err
sasl_put_b64(struct buf *out, const void *p, size_t n)
{
	char *room = buf_room(out, B64_ENCODED(n));

	if (room == NULL)
		return E_NOMEM;
	b64_encode(room, p, n);
	buf_added(out, B64_ENCODED(n));
	return E_OK;
}

enum err
sasl_put_name(struct buf *out, struct slice name)
{
	enum err e = E_OK;

	for (size_t i = 0; i < name.n && e == E_OK; i++)
		switch (name.p[i]) {
		case ',': e = buf_put(out, "=2C", 3); break;
		case '=': e = buf_put(out, "=3D", 3); break;
		default: e = buf_put(out, name.p + i, 1); break;
		}
	return e;
}

enum err
sasl_get_name(struct buf *out, struct slice escaped)
{
	const char *p = escaped.p, *end = p + escaped.n;
	size_t before = out->len;
	enum err e = E_OK;

	for (; p < end && e == E_OK; p++) {
		if (*p == ',')
			return E_FORMAT;
		if (*p != '=') {
			e = buf_put(out, p, 1);
			continue;
		}
		if (end - p < 3)
			return E_FORMAT;
		if (memcmp(p, "=2C", 3) == 0)
			e = buf_put(out, ",", 1);
		else if (memcmp(p, "=3D", 3) == 0)
			e = buf_put(out, "=", 1);
		else
			return E_FORMAT;
		p += 2;
	}
	if (e != E_OK)
		return e == E_FULL ? E_FORMAT : e;
	if (out->len == before ||
	    !sasl_is_field(
		(struct slice){ buf_data(out) + before, out->len - before }))
		return E_FORMAT;
	return E_OK;
}

enum err
sasl_nonce(char out[SASL_NONCE])
{
	unsigned char raw[SASL_NONCE / 4 * 3];

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return E_NOMEM;
	b64_encode(out, raw, sizeof(raw));
	return E_OK;
}

enum sasl_result
sasl_client_prep(
    struct sasl_client *c, struct buf *out, struct slice s, const char *what)
{
	struct errbuf why;

	switch (sasl_prep(out, s, SASL_PREP_QUERY, &why)) {
	case E_OK: return SASL_MORE;
	case E_FORMAT: return sasl_client_fail(c, "%s: %s", what, why.text);
	default: return SASL_NOMEM;
	}
}

enum sasl_result
sasl_client_fail(struct sasl_client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(c->error.text, sizeof(c->error.text), fmt, ap);
	va_end(ap);
	return SASL_FAILED;
}

void
sasl_client_server_said(struct sasl_client *c, struct slice words)
{
	char quoted[160];

	str_quote(quoted, sizeof(quoted), words.p, words.n);
	(void)snprintf(c->error.text, sizeof(c->error.text),
	    _("the server says \"%s\""), quoted);
}
