/*
 * CRAM-MD5 (RFC 2195): a message-id from the server, HMAC-MD5 of it from the
 * client; and APOP's digest, its elder (RFC 1939 s7).  MD5 keeps neither from
 * somebody who listens and guesses: both are for those who must.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
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

enum sasl_result
sasl_server_secret(struct sasl_server *s, const struct slice *password)
{
	struct cram *cram = s->state;
	struct slice challenge, key;
	char want[MD5_HEX + 1];
	bool same;

	if (s->mechanism != &sasl_cram_md5 || s->step != LOOKUP)
		return SASL_FAILED;
	s->step = OVER;
	challenge = (struct slice){ cram->challenge, strlen(cram->challenge) };
	/* A name that is not known takes as long as one that is. */
	key = password != NULL ? *password : challenge;
	if (!cram_respond(want, challenge, key))
		return SASL_NOMEM;
	same = CRYPTO_memcmp(want, cram->digest, MD5_HEX) == 0;
	OPENSSL_cleanse(want, sizeof(want));
	return same && password != NULL ? SASL_DONE : SASL_DENIED;
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
client_step(struct sasl_client *c, struct slice in, struct buf *out)
{
	const struct sasl_credentials *cred = c->cred;
	char hex[MD5_HEX + 1];
	char *room;

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
	if (!cram_respond(hex, in, cred->password) ||
	    (room = buf_room(out, cred->authcid.n + 1 + MD5_HEX)) == NULL)
		return SASL_NOMEM;
	memcpy(room, cred->authcid.p, cred->authcid.n);
	room[cred->authcid.n] = ' ';
	memcpy(room + cred->authcid.n + 1, hex, MD5_HEX);
	buf_added(out, cred->authcid.n + 1 + MD5_HEX);
	c->verified = true;
	return SASL_DONE;
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
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_md5(), NULL) == 1 &&
		  EVP_DigestUpdate(md, timestamp.p, timestamp.n) == 1 &&
		  EVP_DigestUpdate(md, secret.p, secret.n) == 1 &&
		  EVP_DigestFinal_ex(md, digest, NULL) == 1;

	EVP_MD_CTX_free(md);
	if (!ok)
		return E_NOMEM;
	to_hex(hex_r, digest);
	return E_OK;
}
