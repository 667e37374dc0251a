/*
 * Checking a password against a stored hash.
 */
#include "server/users/scheme.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "server/ipc/proto.h"
#include "server/users/scheme_stored.h"

enum {
	DES_MAX = 8,     /* octets of a password that count */
	BCRYPT_MAX = 72, /* likewise */
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
	const EVP_MD *md = scheme_digest(v->scheme);
	size_t size = scheme_digest_size(v->scheme);
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

	if (secret_pbkdf2(v, &p) != E_OK)
		return E_CONFIG;
	if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password),
		(const void *)p.salt.p, (int)p.salt.n, (int)p.rounds,
		scheme_digest(v->scheme), sizeof(is), is) != 1)
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
	enum err e = secret_keys(v, &keys);

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
	if (secret_takes_too_long(v))
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

	if (scheme_split(stored, &s, &form, &hash, NULL) != E_OK)
		return false;
	if (s->kind == KIND_CRYPT && hash[0] != '$' && hash[0] != '_')
		max = DES_MAX;
	else if (s->kind == KIND_CRYPT && strncmp(hash, "$2", 2) == 0)
		max = BCRYPT_MAX;
	return strlen(password) <= max;
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
