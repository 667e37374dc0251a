#include "pop3/server_language.h"

#include <stdlib.h>
#include <string.h>

enum { STRINGS = 2 + POP3_TEXTS_END - 1 }; /* of a language that travels */

static bool
is_line(const char *words)
{
	size_t n = strlen(words);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)words[i] < 0x20 || words[i] == 0x7f)
			return false;
	return n != 0 && str_is_utf8(words, n);
}

bool
pop3_language_fits(enum pop3_text t, const char *words)
{
	return is_line(words) &&
	       (strncmp(words, "%1", 2) == 0) ==
		   (strncmp(pop3_english.words[t], "%1", 2) == 0);
}

/* ---- languages that travelled ---- */

static size_t
count_strings(const char *p, size_t n)
{
	size_t strings = 0;

	for (size_t i = 0; i < n; i++)
		strings += p[i] == '\0';
	return strings;
}

static const char *
next_string(const char **p)
{
	const char *s = *p;

	*p += strlen(s) + 1;
	return s;
}

static bool
language_read(struct pop3_language *l, const char **p)
{
	l->tag = next_string(p);
	l->itself = next_string(p);
	if (!is_line(l->itself))
		l->itself = "";
	l->words[POP3_NO_TEXT] = "";
	for (unsigned t = POP3_NO_TEXT + 1; t < POP3_TEXTS_END; t++) {
		l->words[t] = next_string(p);
		if (!pop3_language_fits(t, l->words[t]))
			l->words[t] = pop3_english.words[t];
	}
	return pop3_language_is_tag(l->tag);
}

enum err
pop3_languages_read(
    struct pop3_languages *out, const char *p, size_t n, const char *preferred)
{
	size_t strings = count_strings(p, n);

	*out = (struct pop3_languages){ .n = strings / STRINGS };
	if (n == 0)
		return E_OK;
	if (p[n - 1] != '\0' || strings % STRINGS != 0)
		return E_FORMAT;
	if ((out->other = calloc(out->n, sizeof(*out->other))) == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < out->n; i++) {
		if (!language_read(&out->other[i], &p)) {
			free(out->other);
			out->other = NULL;
			return E_FORMAT;
		}
		if (strcmp(out->other[i].tag, preferred) == 0)
			out->preferred = &out->other[i];
	}
	return E_OK;
}

/* ---- ranges ---- */

static bool
is_alpha(char c)
{
	return str_lower1(c) >= 'a' && str_lower1(c) <= 'z';
}

/* 1*8ALPHA *("-" 1*8alphanum): so is every tag that is not very old, too. */
static bool
is_range(struct slice r)
{
	size_t len = 0;
	bool first = true;

	for (size_t i = 0; i < r.n; i++) {
		if (r.p[i] == '-') {
			if (len == 0)
				return false;
			len = 0;
			first = false;
		} else if (++len > 8 ||
			   !(is_alpha(r.p[i]) ||
			       (!first && r.p[i] >= '0' && r.p[i] <= '9'))) {
			return false;
		}
	}
	return len != 0;
}

bool
pop3_language_is_tag(const char *tag)
{
	struct slice s = { tag, strlen(tag) };

	return s.n < POP3_TAG_MAX && is_range(s);
}

/* Is it the range, or a closer description of it (RFC 4647 s3.3.1)? */
static bool
is_in_range(const char *tag, struct slice range)
{
	for (size_t i = 0; i < range.n; i++)
		if (str_lower1(tag[i]) != str_lower1(range.p[i]))
			return false;
	return tag[range.n] == '\0' || tag[range.n] == '-';
}

/* The shortest: who asks for pt gets that before pt-BR. */
static const struct pop3_language *
find_whole(const struct pop3_languages *all, struct slice range)
{
	const struct pop3_language *found = NULL;

	if (is_in_range(pop3_english.tag, range))
		found = &pop3_english;
	for (size_t i = 0; all != NULL && i < all->n; i++) {
		const struct pop3_language *l = &all->other[i];

		if (is_in_range(l->tag, range) &&
		    (found == NULL || strlen(l->tag) < strlen(found->tag)))
			found = l;
	}
	return found;
}

const struct pop3_language *
pop3_language_find(const struct pop3_languages *all, struct slice range)
{
	const struct pop3_language *l;

	if (slice_eq(range, "*"))
		return all != NULL && all->preferred != NULL ? all->preferred
							     : &pop3_english;
	if (!is_range(range))
		return NULL;
	while ((l = find_whole(all, range)) == NULL) {
		const char *dash = memrchr(range.p, '-', range.n);

		if (dash == NULL)
			return NULL;
		range.n = (size_t)(dash - range.p);
	}
	return l;
}
