#include "server/users/scheme_cost.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"

enum {
	ROUNDS_MAX = 10 * 1000 * 1000, /* of SHA: some 5 seconds */
	BCRYPT_MAX_LOG2 = 16,
	SCRYPT_MAX_LOG2 = 18,
	SCRYPT_TIMES = 4,
	YESCRYPT_WORDS = 3, /* its flavour, N and r: all that crypt(3) writes */
	ARGON2_MAX_KIB = 8 * 1024 * 1024, /* memory, once for each time */
};

/* The number behind the first `word`; 0: there is none. */
static uint32_t
number_behind(const char *hash, const char *word)
{
	const char *at = strstr(hash, word);
	struct slice digits = { at, 0 };
	uint32_t n;

	if (at == NULL)
		return 0;
	digits.p += strlen(word);
	digits.n = strspn(digits.p, "0123456789");
	if (digits.n == 0)
		return 0;
	return str_to_u32(digits, &n) ? n : UINT32_MAX;
}

/* The place of a digit of crypt(5): ./0-9A-Za-z */
static unsigned
digit(char c)
{
	static const char digits[] =
	    "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (unsigned)(at - digits) : sizeof(digits);
}

static bool
is_of(const char *hash, const char *head)
{
	return strncmp(hash, head, strlen(head)) == 0;
}

/* words: "j9T$SALT$...". */
static bool
yescrypt_takes_too_long(const char *words)
{
	return strcspn(words, "$") != YESCRYPT_WORDS ||
	       digit(words[1]) + 1 > SCRYPT_MAX_LOG2;
}

/* words: "CU..../....SALT$...": N, r in five digits, and p in as many, of which
 * the first counts least. */
static bool
scrypt_takes_too_long(const char *words)
{
	return digit(words[0]) > SCRYPT_MAX_LOG2 || strlen(words) < 11 ||
	       memcmp(words + 2, "....", 4) != 0 ||
	       digit(words[6]) > SCRYPT_TIMES ||
	       memcmp(words + 7, "....", 4) != 0;
}

/* How much it takes once is bounded by the memory that there is. */
static bool
argon2_takes_too_long(const char *hash)
{
	uint64_t times = number_behind(hash, ",t=");

	return times > 1 && number_behind(hash, "$m=") * times > ARGON2_MAX_KIB;
}

bool
hash_takes_too_long(const char *hash)
{
	if (is_of(hash, "$y$"))
		return yescrypt_takes_too_long(hash + 3);
	if (is_of(hash, "$gy$"))
		return yescrypt_takes_too_long(hash + 4);
	if (is_of(hash, "$7$"))
		return scrypt_takes_too_long(hash + 3);
	if (is_of(hash, "$2") && hash[2] != '\0')
		return number_behind(hash + 3, "$") > BCRYPT_MAX_LOG2;
	if (is_of(hash, "$argon2"))
		return argon2_takes_too_long(hash);
	return number_behind(hash, "$sha1$") > ROUNDS_MAX ||
	       number_behind(hash, "rounds=") > ROUNDS_MAX;
}
