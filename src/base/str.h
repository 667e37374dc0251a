/*
 * str.h - small strings: slices, strict numbers, ASCII case, escaping.
 *
 * Only str_quote() and str_quote_again() look at the locale.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets that somebody else owns; may hold NUL. */
struct slice {
	const char *p;
	size_t n;
};

static inline char
str_lower1(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool slice_eq(struct slice s, const char *word);
bool slice_caseeq(struct slice s, const char *word); /* ASCII folding */

/* Is it one of the words, with spaces between them?  ASCII folding. */
bool str_has_word(const char *words, const char *word);

/* Decimal digits only, the whole slice, leading zeros allowed; false on
 * anything else and on overflow. */
bool str_to_u32(struct slice s, uint32_t *v_r);
bool str_to_u64(struct slice s, uint64_t *v_r);

enum { STR_U64_MAX = 20 };
/* Writes the decimal digits of v without a NUL; returns how many. */
size_t str_from_u64(char out[STR_U64_MAX], uint64_t v);

/* Writes at most size - 1 octets of s and a NUL; octets outside 0x21-0x7e, and
 * `"`, `=` and `\`, become \xHH, what does not fit becomes `...`.  Safe in a
 * log line and in a reply.  Returns out. */
char *str_escape(char *out, size_t size, const void *s, size_t n);

/* For words within quotation marks: spaces and `=` stay, and so do printable
 * characters of UTF-8 where the locale is of that encoding. */
char *str_quote(char *out, size_t size, const void *s, size_t n);
/* For words that were, perhaps in another locale: what is escaped already
 * stays. */
char *str_quote_again(char *out, size_t size, const char *s);

/* Takes doubled slashes out of a path, and those at its end but for that of "/", in
 * place. */
void str_squeeze_slashes(char *path);

/* A word as a shell takes it, in characters that a log line takes.  Returns `s`
 * itself where that will do, else out, which has at least STR_SHELL_WORD octets
 * for a word of n. */
#define STR_SHELL_WORD(n) (4 * (n) + sizeof("$''"))
const char *str_shell_word(char *out, size_t size, const char *s);

/* Wipes a secret, and frees it.  NULL is a no-op. */
void str_wipe(char *secret);

bool str_is_utf8(const void *s, size_t n); /* well-formed, RFC 3629 */

#endif
