#include "server/auth/principal.h"

#include <string.h>

#include "base/str.h"

/* The next word; empty at the end. */
static struct slice
next_word(const char **p)
{
	struct slice word = { *p + strspn(*p, " "), 0 };

	word.n = strcspn(word.p, " ");
	*p = word.p + word.n;
	return word;
}

static bool
copy(char out[NAME_MAX_OCTETS + 1], const char *p, size_t n)
{
	if (n == 0 || n > NAME_MAX_OCTETS)
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

static bool
has_word(const char *words, const char *word)
{
	struct slice w;

	while ((w = next_word(&words)).n != 0)
		if (slice_eq(w, word))
			return true;
	return false;
}

/* Within a component "@" and "/" have a "\" before them: what has one is no
 * name of ours. */
static bool
by_realm(
    char user_r[NAME_MAX_OCTETS + 1], const char *principal, const char *realms)
{
	size_t n = strcspn(principal, "@/\\");

	return principal[n] == '@' && has_word(realms, principal + n + 1) &&
	       copy(user_r, principal, n);
}

bool
principal_user(char user_r[NAME_MAX_OCTETS + 1], const char *principal,
    const char *map, const char *realms)
{
	struct slice row;

	while ((row = next_word(&map)).n != 0) {
		const char *is = memrchr(row.p, '=', row.n);
		size_t n = is != NULL ? (size_t)(is - row.p) : row.n;

		if (slice_eq((struct slice){ row.p, n }, principal))
			return is != NULL &&
			       copy(user_r, is + 1, row.n - n - 1);
	}
	return by_realm(user_r, principal, realms);
}
