/*
 * What mechanisms need that do not send the password.
 */
#include "server/users/scheme.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

#include "server/users/scheme_stored.h"

enum err
scheme_password(const char *stored, char out[PASSWORD_MAX + 1])
{
	struct secret v;
	enum err e = secret_read(stored, &v, NULL);

	if (e != E_OK)
		return e == E_NOMEM ? e : E_DENIED;
	if (v.scheme->kind == KIND_PLAIN)
		memcpy(out, v.text, v.n + 1);
	else
		e = E_DENIED;
	secret_wipe(&v);
	return e;
}

enum err
scheme_keys(
    const char *stored, const struct sasl_mechanism *m, struct sasl_keys *keys)
{
	struct secret v;
	enum err e = secret_read(stored, &v, NULL);

	if (e != E_OK)
		return E_DENIED;
	if (v.scheme->kind != KIND_SCRAM || m->hash == NULL ||
	    strcmp(v.scheme->digest, m->hash) != 0 ||
	    secret_keys(&v, keys) != E_OK)
		e = E_DENIED;
	secret_wipe(&v);
	return e;
}

static enum err
make_cram_keys(const struct secret *v, uint8_t key[SASL_CRAM_KEY],
    uint8_t other[SASL_CRAM_KEY])
{
	struct buf prepared;
	enum err e;

	buf_init(&prepared, SECRET_MAX, true);
	e = sasl_prep_if_possible(&prepared, (struct slice){ v->text, v->n });
	if (e == E_OK)
		e = sasl_cram_key(
		    key, (struct slice){ buf_data(&prepared), prepared.len });
	if (e == E_OK)
		e = sasl_cram_key(other, (struct slice){ v->text, v->n });
	buf_free(&prepared);
	return e;
}

enum err
scheme_cram_keys(const char *stored, uint8_t key[SASL_CRAM_KEY],
    uint8_t other[SASL_CRAM_KEY])
{
	struct secret v;
	enum err e = secret_read(stored, &v, NULL);

	if (e != E_OK)
		return E_DENIED;
	if (v.scheme->kind == KIND_CRAM) {
		memcpy(key, v.text, SASL_CRAM_KEY);
		memcpy(other, v.text, SASL_CRAM_KEY);
	} else if (v.scheme->kind == KIND_PLAIN) {
		e = make_cram_keys(&v, key, other);
	} else {
		e = E_DENIED;
	}
	secret_wipe(&v);
	return e;
}

unsigned
scheme_uses(const char *stored)
{
	const struct scheme *s;
	enum form form;
	const char *hash;

	if (scheme_split(stored, &s, &form, &hash, NULL) != E_OK)
		return 0;
	switch (s->kind) {
	case KIND_PLAIN:
		return SCHEME_READABLE | SCHEME_SCRAM_SHA_1 |
		       SCHEME_SCRAM_SHA_256 | SCHEME_CRAM_MD5;
	case KIND_SCRAM:
		return strcmp(s->digest, "SHA1") == 0 ? SCHEME_SCRAM_SHA_1
						      : SCHEME_SCRAM_SHA_256;
	case KIND_CRAM: return SCHEME_CRAM_MD5;
	default: return 0;
	}
}

unsigned
scheme_use_of(const struct sasl_mechanism *m)
{
	if (m->asks != SASL_LOOKUP)
		return 0;
	if (m->hash == NULL)
		return SCHEME_CRAM_MD5;
	return strcmp(m->hash, "SHA1") == 0 ? SCHEME_SCRAM_SHA_1
					    : SCHEME_SCRAM_SHA_256;
}
