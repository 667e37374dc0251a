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

enum { MD5_SIZE = 16, MD5_HEX = 2 * MD5_SIZE };

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
respond(char hex[MD5_HEX + 1], struct slice challenge, struct slice password)
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
ask(struct sasl_server *s, struct buf *out)
{
	const char *host = s->channel != NULL && s->channel->host != NULL
			       ? s->channel->host
			       : "localhost";
	char nonce[SASL_NONCE];
	int n;

	if (s->nonce != NULL)
		n = snprintf(
		    s->challenge, sizeof(s->challenge), "%s", s->nonce);
	else if (sasl_nonce(nonce) != E_OK)
		return SASL_NOMEM;
	else
		n = snprintf(s->challenge, sizeof(s->challenge), "<%.*s@%s>",
		    SASL_NONCE, nonce, host);
	if (n < 0 || (size_t)n >= sizeof(s->challenge))
		return SASL_FAILED;
	return sasl_say(out, s->challenge, (size_t)n, SASL_MORE);
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
take_answer(struct sasl_server *s, struct slice in)
{
	const char *space = memrchr(in.p, ' ', in.n);
	struct slice name, digest;

	if (space == NULL)
		return SASL_FAILED;
	name = (struct slice){ in.p, (size_t)(space - in.p) };
	digest = (struct slice){ space + 1, in.n - name.n - 1 };
	if (!sasl_is_field(name) || !is_digest(digest))
		return SASL_FAILED;
	memcpy(s->digest, digest.p, MD5_HEX);
	return sasl_server_keep(s, name, &s->claim.authcid) ? SASL_LOOKUP
							    : SASL_NOMEM;
}

static enum sasl_result
server_step(struct sasl_server *s, const struct slice *in, struct buf *out)
{
	enum sasl_result r = SASL_FAILED;

	if (s->step == ASK && in == NULL)
		r = ask(s, out);
	else if (s->step == ANSWER && in != NULL)
		r = take_answer(s, *in);
	s->step = r == SASL_MORE ? ANSWER : r == SASL_LOOKUP ? LOOKUP : OVER;
	return r;
}

enum sasl_result
sasl_server_secret(struct sasl_server *s, const struct slice *password)
{
	struct slice challenge = { s->challenge, strlen(s->challenge) };
	/* A name that is not known takes as long as one that is. */
	struct slice key = password != NULL ? *password : challenge;
	char want[MD5_HEX + 1];
	bool same;

	if (s->mechanism != &sasl_cram_md5 || s->step != LOOKUP)
		return SASL_FAILED;
	s->step = OVER;
	if (!respond(want, challenge, key))
		return SASL_NOMEM;
	same = CRYPTO_memcmp(want, s->digest, MD5_HEX) == 0;
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
	return s.n >= 3 && s.n <= SASL_CHALLENGE_MAX && s.p[0] == '<' &&
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
	if (!respond(hex, in, cred->password) ||
	    (room = buf_room(out, cred->authcid.n + 1 + MD5_HEX)) == NULL)
		return SASL_NOMEM;
	memcpy(room, cred->authcid.p, cred->authcid.n);
	room[cred->authcid.n] = ' ';
	memcpy(room + cred->authcid.n + 1, hex, MD5_HEX);
	buf_added(out, cred->authcid.n + 1 + MD5_HEX);
	c->verified = true;
	return SASL_DONE;
}

const struct sasl_mechanism sasl_cram_md5 = { "CRAM-MD5",
	SASL_SERVER_FIRST | SASL_NEEDS_PASSWORD, SASL_LOOKUP, 0, NULL,
	server_step, client_step };

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
