#include "sasl/field.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "sasl/mechanism.h"

void
sasl_server_forget(struct sasl_server *s)
{
	while (s->n_kept > 0) {
		struct slice *k = &s->kept[--s->n_kept];

		explicit_bzero((char *)k->p, k->n);
		free((char *)k->p);
	}
	s->claim = (struct sasl_claim){ { "", 0 }, { "", 0 }, { "", 0 },
		{ "", 0 }, { "", 0 } };
}

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

/* what: to people. */
static enum sasl_result
client_prep(struct sasl_client *c, struct buf *out, struct slice s,
    enum sasl_prep kind, const char *what)
{
	struct errbuf why;

	switch (sasl_prep(out, s, kind, &why)) {
	case E_OK: return SASL_MORE;
	case E_FORMAT: return sasl_client_fail(c, "%s: %s", what, why.text);
	default: return SASL_NOMEM;
	}
}

enum sasl_result
sasl_client_prep_name(struct sasl_client *c, struct buf *out, struct slice name)
{
	return client_prep(c, out, name, SASL_PREP_NAME, _("the name"));
}

enum sasl_result
sasl_client_prep_password(struct sasl_client *c, struct buf *out)
{
	return client_prep(
	    c, out, c->cred->password, SASL_PREP_QUERY, _("the password"));
}

enum sasl_result
sasl_server_one_field(struct sasl_server *s, const struct slice *in,
    struct slice *field_r, enum sasl_result then)
{
	if (in == NULL)
		return s->step++ == 0 ? SASL_MORE : SASL_FAILED;
	if (s->n_kept != 0 || (in->n != 0 && !sasl_is_field(*in)))
		return SASL_FAILED;
	return sasl_server_keep(s, *in, field_r) ? then : SASL_NOMEM;
}

enum sasl_result
sasl_client_one_field(
    struct sasl_client *c, struct slice field, struct buf *out)
{
	enum sasl_result r;

	if (c->step++ != 0)
		return sasl_client_fail(
		    c, _("the server asks more than there is to say"));
	if (field.n != 0 && !sasl_is_field(field))
		return sasl_client_fail(
		    c, _("the name cannot be sent this way"));
	r = sasl_say(out, field.p, field.n, SASL_DONE);
	c->verified = r == SASL_DONE;
	return r;
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
