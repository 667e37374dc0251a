#include "scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

enum { KEY = SHA256_DIGEST_LENGTH, SALT_MAX = 64 };

static struct {
	char salt[SALT_MAX]; /* in base64; empty: there are none yet */
	unsigned iterations;
	uint8_t client[KEY], stored[KEY];
} keys;

static void
hmac(const uint8_t key[KEY], const char *text, uint8_t out[KEY])
{
	unsigned n = KEY;

	HMAC(EVP_sha256(), key, KEY, (const void *)text, strlen(text), out, &n);
}

/* Octets of base64; -1: it is none, or has no room. */
static int
decode(const char *text, uint8_t *out, size_t max)
{
	size_t n = strlen(text), pad = n - strcspn(text, "=");

	if (n / 4 * 3 > max || pad > 2 ||
	    EVP_DecodeBlock(out, (const void *)text, (int)n) < 0)
		return -1;
	return (int)(n / 4 * 3 - pad);
}

static void
encode(char *out, const void *octets, size_t n)
{
	EVP_EncodeBlock((void *)out, octets, (int)n);
}

static bool
have_keys(const char *salt, unsigned iterations)
{
	uint8_t octets[SALT_MAX], salted[KEY];
	int n;

	if (keys.iterations == iterations && strcmp(keys.salt, salt) == 0)
		return true;
	n = decode(salt, octets, sizeof(octets));
	if (n < 0 || iterations == 0 ||
	    PKCS5_PBKDF2_HMAC(opt.password, (int)strlen(opt.password), octets,
		n, (int)iterations, EVP_sha256(), KEY, salted) != 1)
		return false;
	hmac(salted, "Client Key", keys.client);
	SHA256(keys.client, KEY, keys.stored);
	snprintf(keys.salt, sizeof(keys.salt), "%s", salt);
	keys.iterations = iterations;
	return true;
}

/* Of its first message what the last one proves to have been said. */
static void
first_bare(const struct scram *s, char *out, size_t size)
{
	snprintf(out, size, "n=user%u@example.com,r=%016llx", s->user,
	    (unsigned long long)s->nonce);
}

void
scram_first(const struct scram *s, char out[SCRAM_TEXT])
{
	char text[128] = "n,,";

	first_bare(s, text + 3, sizeof(text) - 3);
	encode(out, text, strlen(text));
}

static void
prove(const char *said, char *proof)
{
	uint8_t signature[KEY];

	hmac(keys.stored, said, signature);
	for (int i = 0; i < KEY; i++)
		signature[i] ^= keys.client[i];
	encode(proof, signature, KEY);
}

bool
scram_final(const struct scram *s, const char *reply, char out[SCRAM_TEXT])
{
	char server[384] = "", nonce[256], salt[SALT_MAX], bare[128];
	char proof[64], last[SCRAM_TEXT / 4 * 3], said[1024];
	unsigned iterations;
	int n;

	if (strncmp(reply, "+ ", 2) != 0)
		return false;
	snprintf(said, sizeof(said), "%s", reply + 2);
	said[strcspn(said, "\r\n")] = '\0';
	n = decode(said, (uint8_t *)server, sizeof(server) - 1);
	if (n < 0)
		return false;
	server[n] = '\0';
	if (sscanf(server, "r=%255[^,],s=%63[^,],i=%u", nonce, salt,
		&iterations) != 3 ||
	    !have_keys(salt, iterations))
		return false;
	first_bare(s, bare, sizeof(bare));
	snprintf(last, sizeof(last), "c=biws,r=%.200s", nonce);
	snprintf(said, sizeof(said), "%s,%s,%s", bare, server, last);
	prove(said, proof);
	n = (int)strlen(last);
	snprintf(last + n, sizeof(last) - (size_t)n, ",p=%s", proof);
	encode(out, last, strlen(last));
	return true;
}
