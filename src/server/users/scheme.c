/*
 * Reading a stored hash, and checking a password against it.
 */
#include "server/users/scheme.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/b64.h"
#include "base/str.h"
#include "server/ipc/proto.h"
#include "server/users/scheme_cost.h"

enum kind {
	KIND_PLAIN,
	KIND_CRYPT,
	KIND_ARGON2,
	KIND_DIGEST, /* of the password, and of salt behind it */
	KIND_PBKDF2,
	KIND_SCRAM,
	KIND_CRAM,
};

enum form { FORM_TEXT, FORM_HEX, FORM_B64 };

struct scheme {
	const char *name;
	enum kind kind;
	enum form form;     /* unless .b64 or .hex stands behind the name */
	const char *head;   /* every hash begins so */
	const char *digest; /* its name, OpenSSL's or a mechanism's */
	bool salted;
};

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

enum {
	SCHEMES = sizeof(schemes) / sizeof(schemes[0]),
	SECRET_MAX = 2048,
	DES_MAX = 8,     /* octets of a password that count */
	BCRYPT_MAX = 72, /* likewise */
};

/* What is stored, decoded.  To be wiped. */
struct secret {
	const struct scheme *scheme;
	size_t n;
	char text[SECRET_MAX + 1]; /* n octets and a NUL */
};

static EVP_MD *md5;

enum err
scheme_init(void)
{
	if (sodium_init() < 0)
		return E_IO;
	/* NULL where a policy forbids it: then APOP is what fails. */
	if (md5 == NULL)
		md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	return E_OK;
}

/* ---- reading ---- */

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

/* The scheme, and what stands behind its name. */
static enum err
split(const char *stored, const struct scheme **s_r, enum form *form_r,
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

static const EVP_MD *
digest_of(const struct scheme *s)
{
	return EVP_get_digestbyname(s->digest);
}

/* The octets of its digest, which a hash of it has at least. */
static size_t
digest_size(const struct scheme *s)
{
	const EVP_MD *md = s->kind == KIND_DIGEST ? digest_of(s) : NULL;

	return md != NULL ? (size_t)EVP_MD_get_size(md) : 0;
}

/* Dovecot takes a digest in either form where no form is named: it is twice as
 * long in hexadecimal digits. */
static enum form
guess_form(
    const struct scheme *s, enum form form, const char *stored, struct slice in)
{
	size_t size = s->kind == KIND_CRAM ? SASL_CRAM_KEY : digest_size(s);

	if (size == 0 || s->salted ||
	    memchr(stored, '.', (size_t)(in.p - stored)))
		return form;
	return in.n == size * 2 ? FORM_HEX : FORM_B64;
}

static enum err
is_odd(const struct secret *v, struct errbuf *eb)
{
	const struct scheme *s = v->scheme;
	size_t size = digest_size(s);

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

static void
secret_wipe(struct secret *v)
{
	explicit_bzero(v->text, v->n);
}

/* E_OK, and *out is to be wiped; otherwise as scheme_check(). */
static enum err
secret_read(const char *stored, struct secret *out, struct errbuf *eb)
{
	const char *hash;
	struct slice in;
	enum form form;
	enum err e = split(stored, &out->scheme, &form, &hash, eb);

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

	return split(stored, &s, &form, &hash, NULL) == E_OK ? s->name : "";
}

bool
scheme_is_costly(const char *stored)
{
	const struct scheme *s;
	enum form form;
	const char *hash;

	return split(stored, &s, &form, &hash, NULL) == E_OK &&
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
static enum err
get_keys(const struct secret *v, struct sasl_keys *keys)
{
	struct slice rest = { v->text, v->n }, count;
	size_t size = (size_t)EVP_MD_get_size(digest_of(v->scheme));
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

struct pbkdf2 {
	struct slice salt;
	uint32_t rounds;
	uint8_t key[20];
};

/* "$1$salt$rounds$key" */
static enum err
get_pbkdf2(const struct secret *v, struct pbkdf2 *out)
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

static bool
takes_too_long(const struct secret *v)
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
		if (get_keys(v, &keys) != E_OK)
			return err_set(eb, E_CONFIG,
			    "a hash of %s is ITERATIONS,SALT,KEY,KEY",
			    v->scheme->name);
	} else if (v->scheme->kind == KIND_PBKDF2 &&
		   get_pbkdf2(v, &pbkdf2) != E_OK) {
		return err_set(
		    eb, E_CONFIG, "a hash of PBKDF2 is $1$SALT$ROUNDS$KEY");
	} else if (v->scheme->kind == KIND_ARGON2 && !is_argon2(v->text)) {
		return err_set(eb, E_CONFIG,
		    "a hash of %s is %sv=19$m=MEMORY,t=TIMES,p=LANES$SALT$KEY",
		    v->scheme->name, v->scheme->head);
	}
	return takes_too_long(v)
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

/* ---- checking ---- */

/* Takes a time that tells neither where they differ nor how long one is. */
static bool
secret_eq(const char *a, const char *b)
{
	unsigned char ha[crypto_generichash_BYTES];
	unsigned char hb[crypto_generichash_BYTES];

	crypto_generichash(ha, sizeof(ha), (const void *)a, strlen(a), NULL, 0);
	crypto_generichash(hb, sizeof(hb), (const void *)b, strlen(b), NULL, 0);
	return sodium_memcmp(ha, hb, sizeof(ha)) == 0;
}

/* In the form that passwords are compared in, with a NUL. */
static enum err
prepare(struct buf *out, const char *password)
{
	enum err e = sasl_prep_if_possible(
	    out, (struct slice){ password, strlen(password) });

	return e == E_OK ? buf_put(out, "", 1) : e;
}

static enum err
verify_plain(const struct secret *v, const char *password)
{
	struct buf is;
	enum err e;

	buf_init(&is, SECRET_MAX + 1, true);
	if ((e = prepare(&is, v->text)) == E_OK)
		e = secret_eq(buf_data(&is), password) ? E_OK : E_DENIED;
	buf_free(&is);
	return e;
}

static enum err
verify_crypt(const char *hash, const char *password)
{
	struct crypt_data *d;
	const char *is;
	enum err e;

	if (strlen(password) >= CRYPT_MAX_PASSPHRASE_SIZE)
		return E_DENIED; /* crypt() takes no longer one */
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return E_NOMEM;
	errno = 0;
	is = crypt_r(password, hash, d);
	if (is == NULL || is[0] == '*')
		e = errno == ENOMEM ? E_NOMEM : E_CONFIG;
	else
		e = strlen(is) == strlen(hash) &&
			    sodium_memcmp(is, hash, strlen(is)) == 0
			? E_OK
			: E_DENIED;
	explicit_bzero(d, sizeof(*d));
	free(d);
	return e;
}

/* libsodium calls it a mismatch when it lacks memory for the hash. */
static bool
is_memory_there(const char *hash)
{
	const char *m = strstr(hash, "$m=");
	struct slice digits = { m + 3,
		m != NULL ? strspn(m + 3, "0123456789") : 0 };
	uint32_t kib;
	void *p;

	if (m == NULL || !str_to_u32(digits, &kib))
		return true;
	p = mmap(NULL, (size_t)kib * 1024, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	munmap(p, (size_t)kib * 1024);
	return true;
}

static enum err
verify_argon2(const char *hash, const char *password)
{
	char str[SCHEME_STORED_MAX] = "";

	if (strlen(hash) >= sizeof(str))
		return E_CONFIG;
	memcpy(str, hash, strlen(hash));
	errno = 0;
	if (crypto_pwhash_str_verify(str, password, strlen(password)) == 0)
		return E_OK;
	if (errno != EINVAL)
		return errno == ENOMEM ? E_NOMEM : E_CONFIG;
	return is_memory_there(hash) ? E_DENIED : E_NOMEM;
}

static enum err
verify_digest(const struct secret *v, const char *password)
{
	const EVP_MD *md = digest_of(v->scheme);
	size_t size = digest_size(v->scheme);
	uint8_t is[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	if (ctx == NULL)
		return E_NOMEM;
	ok = md != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1 &&
	     EVP_DigestUpdate(ctx, password, strlen(password)) == 1 &&
	     EVP_DigestUpdate(ctx, v->text + size, v->n - size) == 1 &&
	     EVP_DigestFinal_ex(ctx, is, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return E_CONFIG; /* a policy forbids it */
	return sodium_memcmp(is, v->text, size) == 0 ? E_OK : E_DENIED;
}

static enum err
verify_pbkdf2(const struct secret *v, const char *password)
{
	struct pbkdf2 p;
	uint8_t is[sizeof(p.key)];

	if (get_pbkdf2(v, &p) != E_OK)
		return E_CONFIG;
	if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password),
		(const void *)p.salt.p, (int)p.salt.n, (int)p.rounds,
		digest_of(v->scheme), sizeof(is), is) != 1)
		return E_NOMEM;
	return sodium_memcmp(is, p.key, sizeof(is)) == 0 ? E_OK : E_DENIED;
}

/* A mechanism that has keys of this scheme. */
static const struct sasl_mechanism *
mechanism_of(const struct scheme *s)
{
	return sasl_find((struct slice){ s->name, strlen(s->name) });
}

static enum err
verify_scram(const struct secret *v, const char *password)
{
	struct slice given = { password, strlen(password) };
	struct sasl_keys keys, is;
	enum err e = get_keys(v, &keys);

	if (e != E_OK)
		return e;
	is = keys;
	e = sasl_keys_make(&is, mechanism_of(v->scheme), given, NULL);
	if (e == E_OK &&
	    sodium_memcmp(is.stored, keys.stored, sizeof(is.stored)) != 0)
		e = E_DENIED;
	explicit_bzero(&is, sizeof(is));
	return e;
}

static enum err
verify_cram(const struct secret *v, const char *password)
{
	uint8_t key[SASL_CRAM_KEY];
	enum err e =
	    sasl_cram_key(key, (struct slice){ password, strlen(password) });

	if (e == E_OK && sodium_memcmp(key, v->text, sizeof(key)) != 0)
		e = E_DENIED;
	explicit_bzero(key, sizeof(key));
	return e;
}

static enum err
verify(const struct secret *v, const char *password)
{
	if (takes_too_long(v))
		return E_CONFIG;
	switch (v->scheme->kind) {
	case KIND_PLAIN: return verify_plain(v, password);
	case KIND_CRYPT: return verify_crypt(v->text, password);
	case KIND_ARGON2: return verify_argon2(v->text, password);
	case KIND_DIGEST: return verify_digest(v, password);
	case KIND_PBKDF2: return verify_pbkdf2(v, password);
	case KIND_SCRAM: return verify_scram(v, password);
	case KIND_CRAM: return verify_cram(v, password);
	}
	return E_CONFIG;
}

enum err
scheme_verify(const char *stored, const char *password)
{
	struct buf prepared;
	struct secret v;
	enum err e = secret_read(stored, &v, NULL);

	if (e != E_OK)
		return e;
	/* Room for either form. */
	buf_init(&prepared, strlen(password) + SECRET_MAX, true);
	if ((e = prepare(&prepared, password)) == E_OK)
		e = verify(&v, buf_data(&prepared));
	/* Other programs hash a password as it was typed. */
	if (e == E_DENIED && strcmp(buf_data(&prepared), password) != 0)
		e = verify(&v, password);
	buf_free(&prepared);
	secret_wipe(&v);
	return e;
}

bool
scheme_counts_all(const char *stored, const char *password)
{
	const struct scheme *s;
	enum form form;
	const char *hash;
	size_t max = SIZE_MAX;

	if (split(stored, &s, &form, &hash, NULL) != E_OK)
		return false;
	if (s->kind == KIND_CRYPT && hash[0] != '$' && hash[0] != '_')
		max = DES_MAX;
	else if (s->kind == KIND_CRYPT && strncmp(hash, "$2", 2) == 0)
		max = BCRYPT_MAX;
	return strlen(password) <= max;
}

/* ---- mechanisms that do not send the password ---- */

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
	    get_keys(&v, keys) != E_OK)
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

	if (split(stored, &s, &form, &hash, NULL) != E_OK)
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

static enum err
verify_apop(const char *password, const char *timestamp,
    const uint8_t digest[APOP_DIGEST])
{
	uint8_t is[EVP_MAX_MD_SIZE] = { 0 };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	if (ctx == NULL)
		return E_NOMEM;
	ok = EVP_DigestInit_ex(ctx, md5, NULL) &&
	     EVP_DigestUpdate(ctx, timestamp, strlen(timestamp)) &&
	     EVP_DigestUpdate(ctx, password, strlen(password)) &&
	     EVP_DigestFinal_ex(ctx, is, NULL);
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return E_NOMEM;
	return sodium_memcmp(is, digest, APOP_DIGEST) == 0 ? E_OK : E_DENIED;
}

enum err
scheme_verify_apop(const char *stored, const char *timestamp,
    const uint8_t digest[APOP_DIGEST])
{
	char password[PASSWORD_MAX + 1];
	struct buf prepared;
	enum err e;

	if (md5 == NULL)
		return E_CONFIG;
	if (scheme_password(stored, password) != E_OK)
		return E_DENIED;
	buf_init(&prepared, SECRET_MAX + 1, true);
	if ((e = prepare(&prepared, password)) == E_OK)
		e = verify_apop(buf_data(&prepared), timestamp, digest);
	/* Old clients take it as it was typed. */
	if (e == E_DENIED)
		e = verify_apop(password, timestamp, digest);
	buf_free(&prepared);
	explicit_bzero(password, sizeof(password));
	return e;
}

static const char *
behind_scheme(const char *stored)
{
	const char *end = stored[0] == '{' ? strchr(stored, '}') : NULL;

	return end != NULL ? end + 1 : stored;
}

bool
scheme_is_same(const char *a, const char *b)
{
	return strcmp(behind_scheme(a), behind_scheme(b)) == 0;
}
