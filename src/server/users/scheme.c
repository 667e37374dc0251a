#include "server/users/scheme.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/str.h"

enum kind { KIND_PLAIN, KIND_CRYPT, KIND_ARGON2 };

struct scheme {
	const char *name;
	enum kind kind;
	const char *head; /* every hash begins so */
};

static const struct scheme schemes[] = {
	{ "PLAIN", KIND_PLAIN, "" },
	{ "CLEAR", KIND_PLAIN, "" },
	{ "CLEARTEXT", KIND_PLAIN, "" },
	{ "ARGON2ID", KIND_ARGON2, "$argon2id$v=19$" },
	{ "ARGON2I", KIND_ARGON2, "$argon2i$v=19$" },
	{ "BLF-CRYPT", KIND_CRYPT, "$2" },
	{ "SHA512-CRYPT", KIND_CRYPT, "$6$" },
	{ "SHA256-CRYPT", KIND_CRYPT, "$5$" },
	{ "MD5-CRYPT", KIND_CRYPT, "$1$" },
	{ "CRYPT", KIND_CRYPT, "" },
};

enum { SCHEMES = sizeof(schemes) / sizeof(schemes[0]) };

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

static const struct scheme *
scheme_find(struct slice name)
{
	for (size_t i = 0; i < SCHEMES; i++)
		if (slice_caseeq(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

static const struct scheme *
scheme_implied(const char *hash)
{
	return scheme_find(strncmp(hash, "$argon2id$", 10) == 0
			       ? (struct slice){ "ARGON2ID", 8 }
			   : strncmp(hash, "$argon2i$", 9) == 0
			       ? (struct slice){ "ARGON2I", 7 }
			       : (struct slice){ "CRYPT", 5 });
}

static bool
is_locked(const struct scheme *s, const char *hash)
{
	return hash[0] == '\0' ||
	       (s->kind != KIND_PLAIN && (hash[0] == '*' || hash[0] == '!'));
}

/* What scheme_check() says, and the parts. */
static enum err
scheme_parse(const char *stored, const struct scheme **s_r, const char **hash_r,
    struct errbuf *eb)
{
	const char *end = stored[0] == '{' ? strchr(stored, '}') : NULL;
	const char *hash = end != NULL ? end + 1 : stored;
	const struct scheme *s = end == NULL
				     ? scheme_implied(hash)
				     : scheme_find((struct slice){ stored + 1,
					   (size_t)(end - stored - 1) });

	if (s == NULL)
		return err_set(eb, E_CONFIG, "unknown password scheme");
	if (is_locked(s, hash))
		return E_DENIED;
	if (end == NULL && hash[0] != '$')
		return err_set(eb, E_CONFIG,
		    "no {SCHEME} before what is not a $...$ hash");
	if (strncmp(hash, s->head, strlen(s->head)) != 0)
		return err_set(eb, E_CONFIG, "a hash of %s begins with %s",
		    s->name, s->head);
	*s_r = s;
	*hash_r = hash;
	return E_OK;
}

enum err
scheme_check(const char *stored, struct errbuf *eb)
{
	const struct scheme *s;
	const char *hash;
	enum err e = scheme_parse(stored, &s, &hash, eb);
	int salt;

	if (e != E_OK || s->kind != KIND_CRYPT)
		return e;
	salt = crypt_checksalt(hash);
	if (salt == CRYPT_SALT_INVALID || salt == CRYPT_SALT_METHOD_DISABLED)
		return err_set(eb, E_CONFIG, "crypt(3) knows no such hash");
	return E_OK;
}

bool
scheme_is_costly(const char *stored)
{
	const struct scheme *s;
	const char *hash;

	return scheme_parse(stored, &s, &hash, NULL) == E_OK &&
	       s->kind != KIND_PLAIN;
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

enum err
scheme_verify(const char *stored, const char *password)
{
	const struct scheme *s;
	const char *hash;
	enum err e = scheme_parse(stored, &s, &hash, NULL);

	if (e != E_OK)
		return e;
	switch (s->kind) {
	case KIND_PLAIN: return secret_eq(hash, password) ? E_OK : E_DENIED;
	case KIND_CRYPT: return verify_crypt(hash, password);
	case KIND_ARGON2: return verify_argon2(hash, password);
	}
	return E_CONFIG;
}

enum err
scheme_verify_apop(const char *stored, const char *timestamp,
    const uint8_t digest[APOP_DIGEST])
{
	uint8_t is[EVP_MAX_MD_SIZE] = { 0 };
	const struct scheme *s;
	const char *hash;
	EVP_MD_CTX *ctx;
	bool ok;

	if (md5 == NULL)
		return E_CONFIG;
	if (scheme_parse(stored, &s, &hash, NULL) != E_OK ||
	    s->kind != KIND_PLAIN)
		return E_DENIED;
	if ((ctx = EVP_MD_CTX_new()) == NULL)
		return E_NOMEM;
	ok = EVP_DigestInit_ex(ctx, md5, NULL) &&
	     EVP_DigestUpdate(ctx, timestamp, strlen(timestamp)) &&
	     EVP_DigestUpdate(ctx, hash, strlen(hash)) &&
	     EVP_DigestFinal_ex(ctx, is, NULL);
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return E_NOMEM;
	return sodium_memcmp(is, digest, APOP_DIGEST) == 0 ? E_OK : E_DENIED;
}

/* ---- making ---- */

/* Costs: some 50 to 150 ms of one core of 2020. */
static const struct maker {
	const char *name;   /* on the command line */
	const char *stored; /* what stands between the braces */
	const char *prefix; /* of crypt_gensalt(3); NULL: not by crypt */
	unsigned long cost; /* likewise */
	size_t max;         /* octets of password that count */
} makers[] = {
	{ "ARGON2ID", "ARGON2ID", NULL, 0, SIZE_MAX },
	{ "BLF-CRYPT", "BLF-CRYPT", "$2y$", 11, 72 },
	{ "SHA512-CRYPT", "SHA512-CRYPT", "$6$", 100000, 511 },
	{ "YESCRYPT", "CRYPT", "$y$", 5, 511 },
	{ "PLAIN", "PLAIN", NULL, 0, SIZE_MAX },
};

const char scheme_made[] = "ARGON2ID, BLF-CRYPT, SHA512-CRYPT, YESCRYPT, PLAIN";

static const struct maker *
maker_find(const char *scheme)
{
	struct slice s = { scheme, strlen(scheme) };

	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		if (slice_caseeq(s, makers[i].name))
			return &makers[i];
	return NULL;
}

bool
scheme_is_made(const char *scheme)
{
	return maker_find(scheme) != NULL;
}

static enum err
make_crypt(const struct maker *m, const char *password, char *out, size_t size,
    struct errbuf *eb)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *d;
	const char *hash;
	enum err e = E_OK;

	if (crypt_gensalt_rn(
		m->prefix, m->cost, NULL, 0, setting, sizeof(setting)) == NULL)
		return err_sys(eb, E_IO, "no salt for %s", m->name);
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	hash = crypt_r(password, setting, d);
	if (hash == NULL || hash[0] == '*')
		e = err_sys(eb, E_IO, "%s", m->name);
	else
		snprintf(out, size, "%s", hash);
	explicit_bzero(d, sizeof(*d));
	free(d);
	return e;
}

static enum err
make_argon2(const char *password, char *out, size_t size, struct errbuf *eb)
{
	if (size < crypto_pwhash_STRBYTES ||
	    crypto_pwhash_str(out, password, strlen(password),
		crypto_pwhash_OPSLIMIT_INTERACTIVE,
		crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
		return err_set(eb, E_NOMEM, "ARGON2ID: out of memory");
	return E_OK;
}

static enum err
make_plain(const char *password, char *out, size_t size, struct errbuf *eb)
{
	if (strchr(password, ':') != NULL)
		return err_set(eb, E_FORMAT,
		    "a password with a colon cannot be stored as PLAIN");
	if ((size_t)snprintf(out, size, "%s", password) >= size)
		return err_set(eb, E_FORMAT,
		    "the password is too long to be stored as PLAIN");
	return E_OK;
}

enum err
scheme_make(const char *scheme, const char *password,
    char out[SCHEME_STORED_MAX], struct errbuf *eb)
{
	const struct maker *m = maker_find(scheme);
	size_t head;

	if (m == NULL)
		return err_set(eb, E_FORMAT, "unknown password scheme");
	if (strlen(password) > m->max)
		return err_set(eb, E_FORMAT,
		    "%s takes no more than %zu octets of a password", m->name,
		    m->max);
	head = (size_t)snprintf(out, SCHEME_STORED_MAX, "{%s}", m->stored);
	out += head;
	if (m->prefix != NULL)
		return make_crypt(
		    m, password, out, SCHEME_STORED_MAX - head, eb);
	if (strcmp(m->name, "PLAIN") == 0)
		return make_plain(password, out, SCHEME_STORED_MAX - head, eb);
	return make_argon2(password, out, SCHEME_STORED_MAX - head, eb);
}
