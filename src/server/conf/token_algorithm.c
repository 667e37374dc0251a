#include "server/conf/token_algorithm.h"

#include <stdio.h>

static const struct token_algorithm known[] = {
	{ "RS256", TOKEN_KEY_RSA },
	{ "RS384", TOKEN_KEY_RSA },
	{ "RS512", TOKEN_KEY_RSA },
	{ "PS256", TOKEN_KEY_RSA },
	{ "PS384", TOKEN_KEY_RSA },
	{ "PS512", TOKEN_KEY_RSA },
	{ "ES256", TOKEN_KEY_P256 },
	{ "ES384", TOKEN_KEY_P384 },
	{ "ES512", TOKEN_KEY_P521 },
	{ "EdDSA", TOKEN_KEY_ED25519 },
};

enum { KNOWN = sizeof(known) / sizeof(known[0]) };

const struct token_algorithm *
token_algorithm_find(struct slice name)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (slice_eq(name, known[i].name))
			return &known[i];
	return NULL;
}

char *
token_algorithm_list(char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < KNOWN && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, " %s", known[i].name);
	return out;
}
