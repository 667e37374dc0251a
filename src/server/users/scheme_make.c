/*
 * Making hashes of passwords to be stored: see scheme.h.
 */
#include <crypt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/str.h"
#include "server/users/scheme.h"

typedef enum err maker(
    const char *password, char *out, size_t size, struct errbuf *eb);

static maker make_argon2, make_scram_sha_256, make_scram_sha_1, make_cram,
    make_plain;

enum {
	ITERATIONS = 15000, /* RFC 7677 s4 */
	SALT = 16,
	ARGON2_COST = crypto_pwhash_MEMLIMIT_INTERACTIVE / 1024 *
		      crypto_pwhash_OPSLIMIT_INTERACTIVE,
};

/* Costs: some 50 to 150 ms of one core of 2020.  SCRAM's is that of a client,
 * which may be a telephone, each time it signs in. */
static const struct making {
	const char *name;   /* on the command line */
	const char *stored; /* what stands between the braces */
	maker *make;        /* NULL: crypt does it */
	const char *prefix; /* of the hash, and for crypt_gensalt(3) */
	unsigned long cost; /* likewise */
	size_t max;         /* octets of password that count */
	enum sasl_prep prep;
	/* Behind these words a hash has numbers, whose product is its cost; and
	 * the cost of ours. */
	const char *number[2];
	uint64_t least;
} makings[] = {
	{ "ARGON2ID", "ARGON2ID", make_argon2, "$argon2id$", 0, SIZE_MAX,
	    SASL_PREP_QUERY, { "$m=", ",t=" }, ARGON2_COST },
	{ "BLF-CRYPT", "BLF-CRYPT", NULL, "$2y$", 11, 72, SASL_PREP_QUERY,
	    { "$2y$" }, 11 },
	{ "SHA512-CRYPT", "SHA512-CRYPT", NULL, "$6$", 100000, 511,
	    SASL_PREP_QUERY, { "$6$rounds=" }, 100000 },
	{ "YESCRYPT", "CRYPT", NULL, "$y$", 5, 511, SASL_PREP_QUERY, { NULL },
	    0 },
	{ "SCRAM-SHA-256", "SCRAM-SHA-256", make_scram_sha_256, NULL, 0,
	    SIZE_MAX, SASL_PREP_STORED, { "}" }, ITERATIONS },
	{ "SCRAM-SHA-1", "SCRAM-SHA-1", make_scram_sha_1, NULL, 0, SIZE_MAX,
	    SASL_PREP_STORED, { "}" }, ITERATIONS },
	{ "CRAM-MD5", "CRAM-MD5", make_cram, NULL, 0, SIZE_MAX, SASL_PREP_QUERY,
	    { NULL }, 0 },
	{ "PLAIN", "PLAIN", make_plain, NULL, 0, SIZE_MAX, SASL_PREP_QUERY,
	    { NULL }, 0 },
};

const char scheme_made[] = "ARGON2ID, BLF-CRYPT, SHA512-CRYPT, YESCRYPT, "
			   "SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN";

static const struct making *
making_find(const char *scheme)
{
	struct slice s = { scheme, strlen(scheme) };

	for (size_t i = 0; i < sizeof(makings) / sizeof(makings[0]); i++)
		if (slice_caseeq(s, makings[i].name))
			return &makings[i];
	return NULL;
}

bool
scheme_is_made(const char *scheme)
{
	return making_find(scheme) != NULL;
}

/* 0: there is none. */
static uint32_t
number_behind(const char *stored, const char *word)
{
	const char *at = strstr(stored, word);
	struct slice digits = { at, 0 };
	uint32_t v = 0;

	if (at == NULL)
		return 0;
	digits.p += strlen(word);
	digits.n = strspn(digits.p, "0123456789");
	return str_to_u32(digits, &v) ? v : 0;
}

bool
scheme_is_as_made(const char *stored, const char *scheme)
{
	const struct making *m = making_find(scheme);
	const char *end = stored[0] == '{' ? strchr(stored, '}') : NULL;
	const char *hash = end != NULL ? end + 1 : stored;
	struct slice name = { stored + 1,
		end != NULL ? (size_t)(end - stored - 1) : 0 };
	uint64_t cost = 1;

	/* A hash that says by itself of which kind it is may have no name. */
	if (m == NULL ||
	    (m->prefix != NULL
		    ? strncmp(hash, m->prefix, strlen(m->prefix)) != 0
		    : end == NULL || !slice_caseeq(name, m->stored)))
		return false;
	for (size_t i = 0; i < 2 && m->number[i] != NULL; i++)
		cost *= number_behind(stored, m->number[i]);
	return cost >= m->least;
}

static enum err
make_crypt(const struct making *m, const char *password, char *out, size_t size,
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

static void
put_b64(char **at, const uint8_t *p, size_t n)
{
	*(*at)++ = ',';
	b64_encode(*at, p, n);
	*at += B64_ENCODED(n);
	**at = '\0';
}

static enum err
make_scram(const char *mechanism, const char *password, char *out, size_t size,
    struct errbuf *eb)
{
	const struct sasl_mechanism *m =
	    sasl_find((struct slice){ mechanism, strlen(mechanism) });
	size_t key = strcmp(m->hash, "SHA1") == 0 ? 20 : 32;
	struct sasl_keys keys = { .salt_n = SALT, .iterations = ITERATIONS };
	char *at = out;
	enum err e;

	if (size < 16 + B64_ENCODED(SALT) + 2 * B64_ENCODED(SASL_KEY_MAX) + 4)
		return err_set(eb, E_FULL, "no room for the hash");
	randombytes_buf(keys.salt, keys.salt_n);
	e = sasl_keys_make(
	    &keys, m, (struct slice){ password, strlen(password) }, eb);
	if (e != E_OK)
		return e;
	at += snprintf(out, size, "%u", (unsigned)keys.iterations);
	put_b64(&at, keys.salt, keys.salt_n);
	put_b64(&at, keys.stored, key);
	put_b64(&at, keys.server, key);
	explicit_bzero(&keys, sizeof(keys));
	return E_OK;
}

static enum err
make_scram_sha_256(
    const char *password, char *out, size_t size, struct errbuf *eb)
{
	return make_scram("SCRAM-SHA-256", password, out, size, eb);
}

static enum err
make_scram_sha_1(
    const char *password, char *out, size_t size, struct errbuf *eb)
{
	return make_scram("SCRAM-SHA-1", password, out, size, eb);
}

static enum err
make_cram(const char *password, char *out, size_t size, struct errbuf *eb)
{
	uint8_t key[SASL_CRAM_KEY];
	enum err e =
	    sasl_cram_key(key, (struct slice){ password, strlen(password) });

	if (e != E_OK)
		return err_set(eb, e, "CRAM-MD5: out of memory");
	sodium_bin2hex(out, size, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
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

static enum err
make(const struct making *m, const char *password, char out[SCHEME_STORED_MAX],
    struct errbuf *eb)
{
	size_t head;

	if (strlen(password) > m->max)
		return err_set(eb, E_FORMAT,
		    "%s takes no more than %zu octets of a password", m->name,
		    m->max);
	head = (size_t)snprintf(out, SCHEME_STORED_MAX, "{%s}", m->stored);
	out += head;
	return m->make != NULL
		   ? m->make(password, out, SCHEME_STORED_MAX - head, eb)
		   : make_crypt(m, password, out, SCHEME_STORED_MAX - head, eb);
}

enum err
scheme_make(const char *scheme, const char *password,
    char out[SCHEME_STORED_MAX], struct errbuf *eb)
{
	const struct making *m = making_find(scheme);
	struct buf prepared;
	struct errbuf why;
	enum err e;

	if (m == NULL)
		return err_set(eb, E_FORMAT, "unknown password scheme");
	buf_init(&prepared, PASSWORD_MAX + 1, true);
	e = sasl_prep(&prepared, (struct slice){ password, strlen(password) },
	    m->prep, &why);
	if (e != E_OK)
		e = err_set(eb, e, "this cannot be a password: %s", why.text);
	else if (buf_put(&prepared, "", 1) != E_OK)
		e = err_set(eb, E_NOMEM, "out of memory");
	else
		e = make(m, buf_data(&prepared), out, eb);
	buf_free(&prepared);
	return e;
}
