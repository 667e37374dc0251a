/*
 * Reading a stored hash.
 */
#include "server/users/scheme_stored.h"

#include <crypt.h>
#include <sodium.h>
#include <string.h>

#include "base/b64.h"
#include "server/users/scheme_cost.h"

/* clang-format off */
static const struct scheme schemes[] = {
	{ "PLAIN",         KIND_PLAIN,  FORM_TEXT, "", NULL, false },
	{ "CLEAR",         KIND_PLAIN,  FORM_TEXT, "", NULL, false },
	{ "CLEARTEXT",     KIND_PLAIN,  FORM_TEXT, "", NULL, false },
	{ "ARGON2ID",      KIND_ARGON2, FORM_TEXT, "$argon2id$v=19$", NULL, false },
	{ "ARGON2I",       KIND_ARGON2, FORM_TEXT, "$argon2i$v=19$", NULL, false },
	{ "BLF-CRYPT",     KIND_CRYPT,  FORM_TEXT, "$2", NULL, false },
	{ "SHA512-CRYPT",  KIND_CRYPT,  FORM_TEXT, "$6$", NULL, false },
	{ "SHA256-CRYPT",  KIND_CRYPT,  FORM_TEXT, "$5$", NULL, false },
	{ "MD5-CRYPT",     KIND_CRYPT,  FORM_TEXT, "$1$", NULL, false },
	{ "DES-CRYPT",     KIND_CRYPT,  FORM_TEXT, "", NULL, false },
	{ "CRYPT",         KIND_CRYPT,  FORM_TEXT, "", NULL, false },
	{ "PBKDF2",        KIND_PBKDF2, FORM_TEXT, "$1$", "SHA1", true },
	{ "SCRAM-SHA-256", KIND_SCRAM,  FORM_TEXT, "", "SHA256", true },
	{ "SCRAM-SHA-1",   KIND_SCRAM,  FORM_TEXT, "", "SHA1", true },
	{ "SSHA512",       KIND_DIGEST, FORM_B64,  "", "SHA512", true },
	{ "SSHA256",       KIND_DIGEST, FORM_B64,  "", "SHA256", true },
	{ "SSHA",          KIND_DIGEST, FORM_B64,  "", "SHA1", true },
	{ "SMD5",          KIND_DIGEST, FORM_B64,  "", "MD5", true },
	{ "SHA512",        KIND_DIGEST, FORM_B64,  "", "SHA512", false },
	{ "SHA256",        KIND_DIGEST, FORM_B64,  "", "SHA256", false },
	{ "SHA1",          KIND_DIGEST, FORM_B64,  "", "SHA1", false },
	{ "SHA",           KIND_DIGEST, FORM_B64,  "", "SHA1", false },
	{ "LDAP-MD5",      KIND_DIGEST, FORM_B64,  "", "MD5", false },
	{ "PLAIN-MD5",     KIND_DIGEST, FORM_HEX,  "", "MD5", false },
	{ "CRAM-MD5",      KIND_CRAM,   FORM_HEX,  "", NULL, false },
	{ "HMAC-MD5",      KIND_CRAM,   FORM_HEX,  "", NULL, false },
};
/* clang-format on */

enum { SCHEMES = sizeof(schemes) / sizeof(schemes[0]) };

/* The name may end in .b64, .base64 or .hex. */
static const struct scheme *
scheme_find(struct slice name, enum form *form_r)
{
	const char *dot = memchr(name.p, '.', name.n);
	struct slice end = { NULL, 0 };

	if (dot != NULL) {
		end = (struct slice){ dot + 1,
			name.n - (size_t)(dot + 1 - name.p) };
		name.n = (size_t)(dot - name.p);
	}
	for (size_t i = 0; i < SCHEMES; i++) {
		if (!slice_caseeq(name, schemes[i].name))
			continue;
		*form_r = schemes[i].form;
		if (slice_caseeq(end, "b64") || slice_caseeq(end, "base64"))
			*form_r = FORM_B64;
		else if (slice_caseeq(end, "hex"))
			*form_r = FORM_HEX;
		else if (dot != NULL)
			return NULL;
		return &schemes[i];
	}
	return NULL;
}

static struct slice
scheme_implied(const char *hash)
{
	if (strncmp(hash, "$argon2id$", 10) == 0)
		return (struct slice){ "ARGON2ID", 8 };
	if (strncmp(hash, "$argon2i$", 9) == 0)
		return (struct slice){ "ARGON2I", 7 };
	return (struct slice){ "CRYPT", 5 };
}

static bool
is_locked(const struct scheme *s, const char *hash)
{
	return hash[0] == '\0' ||
	       (s->kind != KIND_PLAIN && (hash[0] == '*' || hash[0] == '!'));
}

enum err
scheme_split(const char *stored, const struct scheme **s_r, enum form *form_r,
    const char **hash_r, struct errbuf *eb)
{
	const char *end = stored[0] == '{' ? strchr(stored, '}') : NULL;
	const char *hash = end != NULL ? end + 1 : stored;
	struct slice name = end == NULL ? scheme_implied(hash)
					: (struct slice){ stored + 1,
						  (size_t)(end - stored - 1) };

	if ((*s_r = scheme_find(name, form_r)) == NULL)
		return err_set(eb, E_CONFIG, "unknown password scheme");
	if (is_locked(*s_r, hash))
		return E_DENIED;
	if (end == NULL && hash[0] != '$')
		return err_set(eb, E_CONFIG,
		    "no {SCHEME} before what is not a $...$ hash");
	*hash_r = hash;
	return E_OK;
}

static bool
from_hex(char *out, struct slice in, size_t *n_r)
{
	size_t n;

	return sodium_hex2bin((unsigned char *)out, SECRET_MAX, in.p, in.n,
		   NULL, &n, NULL) == 0 &&
	       (*n_r = n, n * 2 == in.n);
}

/* in: at most SECRET_MAX octets. */
static bool
decode(struct secret *out, enum form form, struct slice in)
{
	switch (form) {
	case FORM_HEX: return from_hex(out->text, in, &out->n);
	case FORM_B64: return b64_decode(out->text, in, &out->n) == E_OK;
	default:
		memcpy(out->text, in.p, in.n);
		out->n = in.n;
		return true;
	}
}

const EVP_MD *
scheme_digest(const struct scheme *s)
{
	return EVP_get_digestbyname(s->digest);
}

size_t
scheme_digest_size(const struct scheme *s)
{
	const EVP_MD *md = s->kind == KIND_DIGEST ? scheme_digest(s) : NULL;

	return md != NULL ? (size_t)EVP_MD_get_size(md) : 0;
}

/* Dovecot takes a digest in either form where no form is named: it is twice as
 * long in hexadecimal digits. */
static enum form
guess_form(
    const struct scheme *s, enum form form, const char *stored, struct slice in)
{
	size_t size =
	    s->kind == KIND_CRAM ? SASL_CRAM_KEY : scheme_digest_size(s);

	if (size == 0 || s->salted ||
	    memchr(stored, '.', (size_t)(in.p - stored)))
		return form;
	return in.n == size * 2 ? FORM_HEX : FORM_B64;
}

static enum err
is_odd(const struct secret *v, struct errbuf *eb)
{
	const struct scheme *s = v->scheme;
	size_t size = scheme_digest_size(s);

	if (strncmp(v->text, s->head, strlen(s->head)) != 0)
		return err_set(eb, E_CONFIG, "a hash of %s begins with %s",
		    s->name, s->head);
	if (s->kind == KIND_CRAM ? v->n != SASL_CRAM_KEY
	    : s->salted          ? v->n < size
				 : size != 0 && v->n != size)
		return err_set(eb, E_CONFIG,
		    "this has not the length of a hash of %s", s->name);
	if (s->kind != KIND_CRAM && s->kind != KIND_DIGEST &&
	    strlen(v->text) != v->n)
		return err_set(eb, E_CONFIG, "there is a NUL in it");
	if (s->kind == KIND_PLAIN && v->n > PASSWORD_MAX)
		return err_set(eb, E_CONFIG,
		    "this password has %zu octets, and %d are the most that "
		    "can be sent to sign in",
		    v->n, PASSWORD_MAX);
	return E_OK;
}

void
secret_wipe(struct secret *v)
{
	explicit_bzero(v->text, v->n);
}

enum err
secret_read(const char *stored, struct secret *out, struct errbuf *eb)
{
	const char *hash;
	struct slice in;
	enum form form;
	enum err e = scheme_split(stored, &out->scheme, &form, &hash, eb);

	if (e != E_OK)
		return e;
	in = (struct slice){ hash, strlen(hash) };
	out->n = 0;
	if (in.n > SECRET_MAX)
		return err_set(eb, E_CONFIG,
		    "what stands behind {%s} has %zu octets, and %d are the "
		    "most",
		    out->scheme->name, in.n, SECRET_MAX);
	if (!decode(out, guess_form(out->scheme, form, stored, in), in))
		return err_set(eb, E_CONFIG,
		    "a hash of %s is in hexadecimal digits or base64",
		    out->scheme->name);
	out->text[out->n] = '\0';
	if ((e = is_odd(out, eb)) != E_OK)
		secret_wipe(out);
	return e;
}

const char *
scheme_name(const char *stored)
{
	const struct scheme *s;
	enum form form;
	const char *hash;

	return scheme_split(stored, &s, &form, &hash, NULL) == E_OK ? s->name
								    : "";
}

bool
scheme_is_costly(const char *stored)
{
	const struct scheme *s;
	enum form form;
	const char *hash;

	return scheme_split(stored, &s, &form, &hash, NULL) == E_OK &&
	       s->kind != KIND_PLAIN && s->kind != KIND_DIGEST &&
	       s->kind != KIND_CRAM;
}
/* ---- what is in a hash of several fields ---- */

/* What is before the next `end`, or all; false if it is empty. */
static bool
cut(struct slice *rest, char end, struct slice *field_r)
{
	const char *at = memchr(rest->p, end, rest->n);

	*field_r = (struct slice){ rest->p,
		at != NULL ? (size_t)(at - rest->p) : rest->n };
	rest->p += field_r->n + (at != NULL);
	rest->n -= field_r->n + (at != NULL);
	return field_r->n != 0;
}

/* At most max octets. */
static bool
cut_b64(struct slice *rest, uint8_t *out, size_t max, size_t *n_r)
{
	char octets[B64_ENCODED(SASL_SALT_MAX)];
	struct slice field;

	if (!cut(rest, ',', &field) || field.n > sizeof(octets) ||
	    b64_decode(octets, field, n_r) != E_OK || *n_r > max)
		return false;
	memcpy(out, octets, *n_r);
	return true;
}

/* "iterations,salt,StoredKey,ServerKey" */
enum err
secret_keys(const struct secret *v, struct sasl_keys *keys)
{
	struct slice rest = { v->text, v->n }, count;
	size_t size = (size_t)EVP_MD_get_size(scheme_digest(v->scheme));
	size_t stored, server;

	memset(keys, 0, sizeof(*keys));
	if (!cut(&rest, ',', &count) || !str_to_u32(count, &keys->iterations) ||
	    keys->iterations < SASL_ITERATIONS_MIN ||
	    keys->iterations > SASL_ITERATIONS_MAX ||
	    !cut_b64(&rest, keys->salt, SASL_SALT_MAX, &keys->salt_n) ||
	    !cut_b64(&rest, keys->stored, SASL_KEY_MAX, &stored) ||
	    !cut_b64(&rest, keys->server, SASL_KEY_MAX, &server) ||
	    rest.n != 0 || stored != size || server != size)
		return E_CONFIG;
	return E_OK;
}

/* "$1$salt$rounds$key" */
enum err
secret_pbkdf2(const struct secret *v, struct pbkdf2 *out)
{
	struct slice rest = { v->text + 3, v->n - 3 }, rounds;
	size_t n;

	if (!cut(&rest, '$', &out->salt) || !cut(&rest, '$', &rounds) ||
	    !str_to_u32(rounds, &out->rounds) || out->rounds == 0 ||
	    out->rounds > SASL_ITERATIONS_MAX ||
	    rest.n != 2 * sizeof(out->key) ||
	    sodium_hex2bin(out->key, sizeof(out->key), rest.p, rest.n, NULL, &n,
		NULL) != 0 ||
	    n != sizeof(out->key))
		return E_CONFIG;
	return E_OK;
}

/* Of one that is longer only verifying tells. */
static bool
is_argon2(const char *hash)
{
	return strlen(hash) >= crypto_pwhash_STRBYTES ||
	       crypto_pwhash_str_needs_rehash(hash, crypto_pwhash_OPSLIMIT_MIN,
		   crypto_pwhash_MEMLIMIT_MIN) >= 0;
}

bool
secret_takes_too_long(const struct secret *v)
{
	return (v->scheme->kind == KIND_CRYPT ||
		   v->scheme->kind == KIND_ARGON2) &&
	       hash_takes_too_long(v->text);
}

static enum err
check_fields(const struct secret *v, struct errbuf *eb)
{
	struct sasl_keys keys;
	struct pbkdf2 pbkdf2;
	int salt;

	if (v->scheme->kind == KIND_CRYPT) {
		salt = crypt_checksalt(v->text);
		if (salt == CRYPT_SALT_INVALID ||
		    salt == CRYPT_SALT_METHOD_DISABLED)
			return err_set(
			    eb, E_CONFIG, "crypt(3) knows no such hash");
	} else if (v->scheme->kind == KIND_SCRAM) {
		if (secret_keys(v, &keys) != E_OK)
			return err_set(eb, E_CONFIG,
			    "a hash of %s is ITERATIONS,SALT,KEY,KEY",
			    v->scheme->name);
	} else if (v->scheme->kind == KIND_PBKDF2 &&
		   secret_pbkdf2(v, &pbkdf2) != E_OK) {
		return err_set(
		    eb, E_CONFIG, "a hash of PBKDF2 is $1$SALT$ROUNDS$KEY");
	} else if (v->scheme->kind == KIND_ARGON2 && !is_argon2(v->text)) {
		return err_set(eb, E_CONFIG,
		    "a hash of %s is %sv=19$m=MEMORY,t=TIMES,p=LANES$SALT$KEY",
		    v->scheme->name, v->scheme->head);
	}
	return secret_takes_too_long(v)
		   ? err_set(eb, E_CONFIG,
			 "computing this hash takes too long; make another one "
			 "that costs less")
		   : E_OK;
}

enum err
scheme_check(const char *stored, struct errbuf *eb)
{
	struct secret v;
	enum err e = secret_read(stored, &v, eb);

	if (e != E_OK)
		return e;
	e = check_fields(&v, eb);
	secret_wipe(&v);
	return e;
}
