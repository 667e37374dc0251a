/*
 * CRAM-MD5 (RFC 2195): a message-id from the server, HMAC-MD5 of it from the
 * client; and APOP's digest, its elder (RFC 1939 s7).  MD5 keeps neither from
 * somebody who listens and guesses: both are for those who must.
 */
/* HMAC from a key that is stored halfway needs MD5 halfway, which the newer
 * functions do not give. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md5.h>
#include <stdio.h>
#include <string.h>

#include "sasl/mechanism.h"

enum { MD5_SIZE = 16, MD5_HEX = 2 * MD5_SIZE, CHALLENGE_MAX = 1024 };

/* What the server's end keeps. */
struct cram {
	char challenge[CHALLENGE_MAX];
	char digest[MD5_HEX]; /* that was answered */
};

static void
to_hex(char out[MD5_HEX + 1], const uint8_t in[MD5_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < MD5_SIZE; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
	out[MD5_HEX] = '\0';
}

static bool
cram_respond(
    char hex[MD5_HEX + 1], struct slice challenge, struct slice password)
{
	uint8_t mac[MD5_SIZE];

	if (HMAC(EVP_md5(), password.p, (int)password.n,
		(const uint8_t *)challenge.p, challenge.n, mac, NULL) == NULL)
		return false;
	to_hex(hex, mac);
	OPENSSL_cleanse(mac, sizeof(mac));
	return true;
}

/* ---- a key that is stored: RFC 2104, as far as it does not depend on the
 * text ---- */

static void
put_state(uint8_t *out, const MD5_CTX *md)
{
	const MD5_LONG word[] = { md->A, md->B, md->C, md->D };

	for (size_t i = 0; i < MD5_SIZE; i++)
		out[i] = (uint8_t)(word[i / 4] >> i % 4 * 8);
}

/* As if the block of the key had been hashed. */
static bool
get_state(MD5_CTX *md, const uint8_t *in)
{
	MD5_LONG word[4] = { 0 };

	if (MD5_Init(md) != 1)
		return false;
	for (size_t i = 0; i < MD5_SIZE; i++)
		word[i / 4] |= (MD5_LONG)in[i] << i % 4 * 8;
	md->A = word[0];
	md->B = word[1];
	md->C = word[2];
	md->D = word[3];
	md->Nl = MD5_CBLOCK * 8;
	return true;
}

static bool
hash_pad(uint8_t *out, const uint8_t key[MD5_CBLOCK], uint8_t pad)
{
	uint8_t block[MD5_CBLOCK];
	MD5_CTX md;
	bool ok;

	for (size_t i = 0; i < MD5_CBLOCK; i++)
		block[i] = key[i] ^ pad;
	ok = MD5_Init(&md) == 1 && MD5_Update(&md, block, sizeof(block)) == 1;
	put_state(out, &md);
	OPENSSL_cleanse(block, sizeof(block));
	OPENSSL_cleanse(&md, sizeof(md));
	return ok;
}

enum err
sasl_cram_key(uint8_t out[SASL_CRAM_KEY], struct slice password)
{
	uint8_t key[MD5_CBLOCK] = { 0 };
	bool ok = true;

	if (password.n > sizeof(key))
		ok = MD5((const uint8_t *)password.p, password.n, key) != NULL;
	else
		memcpy(key, password.p, password.n);
	ok = ok && hash_pad(out, key, 0x5c) &&
	     hash_pad(out + MD5_SIZE, key, 0x36);
	OPENSSL_cleanse(key, sizeof(key));
	return ok ? E_OK : E_NOMEM;
}

static bool
respond_by_key(char hex[MD5_HEX + 1], struct slice challenge,
    const uint8_t key[SASL_CRAM_KEY])
{
	uint8_t mac[MD5_SIZE];
	MD5_CTX md;
	bool ok;

	ok = get_state(&md, key + MD5_SIZE) &&
	     MD5_Update(&md, challenge.p, challenge.n) == 1 &&
	     MD5_Final(mac, &md) == 1 && get_state(&md, key) &&
	     MD5_Update(&md, mac, sizeof(mac)) == 1 && MD5_Final(mac, &md) == 1;
	if (ok)
		to_hex(hex, mac);
	OPENSSL_cleanse(mac, sizeof(mac));
	return ok;
}

/* ---- the server's end ---- */

enum { ASK, ANSWER, LOOKUP, OVER };

static enum sasl_result
cram_ask(struct sasl_server *s, struct buf *out)
{
	const char *host = s->channel != NULL && s->channel->host != NULL
			       ? s->channel->host
			       : "localhost";
	struct cram *cram = s->state;
	char nonce[SASL_NONCE];
	int n;

	if (s->nonce != NULL)
		n = snprintf(cram->challenge, CHALLENGE_MAX, "%s", s->nonce);
	else if (sasl_nonce(nonce) != E_OK)
		return SASL_NOMEM;
	else
		n = snprintf(cram->challenge, CHALLENGE_MAX, "<%.*s@%s>",
		    SASL_NONCE, nonce, host);
	if (n < 0 || n >= CHALLENGE_MAX)
		return SASL_FAILED;
	return sasl_say(out, cram->challenge, (size_t)n, SASL_MORE);
}

static bool
is_digest(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') &&
		    (s.p[i] < 'a' || s.p[i] > 'f'))
			return false;
	return s.n == MD5_HEX;
}

/* The name may hold spaces: the last one is before the digest. */
static enum sasl_result
cram_answer(struct sasl_server *s, struct slice in)
{
	const char *space = memrchr(in.p, ' ', in.n);
	struct cram *cram = s->state;
	struct slice name, digest;

	if (space == NULL)
		return SASL_FAILED;
	name = (struct slice){ in.p, (size_t)(space - in.p) };
	digest = (struct slice){ space + 1, in.n - name.n - 1 };
	if (!sasl_is_field(name) || !is_digest(digest))
		return SASL_FAILED;
	memcpy(cram->digest, digest.p, MD5_HEX);
	return sasl_server_keep(s, name, &s->claim.authcid) ? SASL_LOOKUP
							    : SASL_NOMEM;
}

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	enum sasl_result r = SASL_FAILED;

	if (s->step == ASK && in == NULL)
		r = cram_ask(s, out);
	else if (s->step == ANSWER && in != NULL)
		r = cram_answer(s, *in);
	s->step = r == SASL_MORE ? ANSWER : r == SASL_LOOKUP ? LOOKUP : OVER;
	return r;
}

static enum sasl_result
compare(struct cram *cram, const uint8_t *key)
{
	struct slice challenge = { cram->challenge, strlen(cram->challenge) };
	char want[MD5_HEX + 1];
	bool same;

	if (!respond_by_key(want, challenge, key))
		return SASL_NOMEM;
	same = CRYPTO_memcmp(want, cram->digest, MD5_HEX) == 0;
	OPENSSL_cleanse(want, sizeof(want));
	return same ? SASL_DONE : SASL_DENIED;
}

enum sasl_result
sasl_server_cram_key(
    struct sasl_server *s, const uint8_t *key, const uint8_t *other)
{
	static const uint8_t none[SASL_CRAM_KEY];
	enum sasl_result r;

	if (s->mechanism != &sasl_cram_md5 || s->step != LOOKUP)
		return SASL_FAILED;
	s->step = OVER;
	/* A name that is not known takes as long as one that is. */
	r = compare(s->state, key != NULL ? key : none);
	if (r == SASL_DENIED && other != NULL)
		r = compare(s->state, other);
	return r == SASL_DONE && key == NULL ? SASL_DENIED : r;
}

/* ---- the client's end ---- */

static bool
is_challenge(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return s.n >= 3 && s.n <= CHALLENGE_MAX && s.p[0] == '<' &&
	       s.p[s.n - 1] == '>';
}

static enum sasl_result
say_response(struct sasl_client *c, struct slice challenge, struct buf *out)
{
	struct buf name, password;
	enum sasl_result r = SASL_NOMEM;
	char hex[MD5_HEX + 1];

	buf_init(&name, SASL_FIELD_MAX, true);
	buf_init(&password, SASL_FIELD_MAX, true);
	if (sasl_prep_if_possible(&name, c->cred->authcid) == E_OK &&
	    sasl_prep_if_possible(&password, c->cred->password) == E_OK &&
	    cram_respond(hex, challenge, sasl_slice(&password)) &&
	    sasl_put_buf(out, &name) == E_OK && buf_put(out, " ", 1) == E_OK)
		r = sasl_say(out, hex, MD5_HEX, SASL_DONE);
	buf_free(&name);
	buf_free(&password);
	return r;
}

static enum sasl_result
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	const struct sasl_credentials *cred = c->cred;
	enum sasl_result r;

	if (c->step++ != 0)
		return sasl_client_fail(
		    c, _("the server asks more than there is to say"));
	if (cred->authzid.n != 0 || !sasl_is_field(cred->authcid) ||
	    !sasl_is_field(cred->password))
		return sasl_client_fail(
		    c, _("the name or the password cannot be sent this way"));
	if (!is_challenge(in))
		return sasl_client_fail(
		    c, _("the server's challenge is not a message-id"));
	r = say_response(c, in, out);
	c->verified = r == SASL_DONE;
	return r;
}

const struct sasl_mechanism sasl_cram_md5 = {
	.name = "CRAM-MD5",
	.flags = SASL_SERVER_FIRST | SASL_NEEDS_PASSWORD,
	.asks = SASL_LOOKUP,
	.rank = 0,
	.state_n = sizeof(struct cram),
	.server_step = server_step,
	.client_step = client_step,
};

/* ---- APOP ---- */

enum err
sasl_apop(char hex_r[SASL_APOP_DIGEST + 1], struct slice timestamp,
    struct slice secret)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t digest[MD5_SIZE];
	struct buf prepared;
	struct slice key;
	bool ok;

	buf_init(&prepared, secret.n + SASL_FIELD_MAX, true);
	ok = md != NULL && sasl_prep_if_possible(&prepared, secret) == E_OK;
	key = sasl_slice(&prepared);
	ok = ok && EVP_DigestInit_ex(md, EVP_md5(), NULL) == 1 &&
	     EVP_DigestUpdate(md, timestamp.p, timestamp.n) == 1 &&
	     EVP_DigestUpdate(md, key.p, key.n) == 1 &&
	     EVP_DigestFinal_ex(md, digest, NULL) == 1;
	buf_free(&prepared);
	EVP_MD_CTX_free(md);
	if (!ok)
		return E_NOMEM;
	to_hex(hex_r, digest);
	return E_OK;
}
