#include "server/users/app_secret.h"

#include <sodium.h>
#include <string.h>

enum { GROUP = 4 };

/* 32 of them: each is five bits of chance, without a remainder. */
static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";

_Static_assert(sizeof(letters) == 32 + 1, "five bits a letter");
_Static_assert(crypto_hash_sha256_BYTES == APP_DIGEST, "SHA-256");

void
app_secret_make(char shown[APP_SHOWN])
{
	uint8_t chance[APP_SECRET];
	size_t n = 0;

	randombytes_buf(chance, sizeof(chance));
	for (size_t i = 0; i < APP_SECRET; i++) {
		if (i != 0 && i % GROUP == 0)
			shown[n++] = '-';
		shown[n++] = letters[chance[i] % 32];
	}
	shown[n] = '\0';
	explicit_bzero(chance, sizeof(chance));
}

bool
app_secret_read(char out[APP_SECRET], struct slice typed)
{
	size_t n = 0;

	for (size_t i = 0; i < typed.n; i++) {
		char c = str_lower1(typed.p[i]);

		if (c == '-' || c == ' ')
			continue;
		if (n == APP_SECRET || c == '\0' || strchr(letters, c) == NULL)
			return false;
		out[n++] = c;
	}
	return n == APP_SECRET;
}

void
app_secret_digest(uint8_t out[APP_DIGEST], const uint8_t salt[APP_SALT],
    const char secret[APP_SECRET])
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, salt, APP_SALT);
	crypto_hash_sha256_update(&st, (const uint8_t *)secret, APP_SECRET);
	crypto_hash_sha256_final(&st, out);
	explicit_bzero(&st, sizeof(st));
}
