/*
 * server_language.h - the languages of the replies beside English (RFC 6856
 * s3): how one is chosen, and how they travel to who speaks.
 *
 * They travel as strings, each with its NUL: of a language its tag, what it
 * calls itself, then its words for every text from the first on, empty where it
 * has none.
 */
#ifndef POP3_SERVER_LANGUAGE_H
#define POP3_SERVER_LANGUAGE_H

#include "base/err.h"
#include "pop3/server_text.h"

enum { POP3_TAG_MAX = 35 + 1 }; /* octets of a tag (RFC 5646 s4.4.1), its NUL */

struct pop3_languages {
	const struct pop3_language *preferred; /* for LANG *; NULL: English */
	struct pop3_language *other;           /* beside English */
	size_t n;
};

/* May these be the words of that text?  They are a line of UTF-8, and a %1 that
 * programs read is where it is in English. */
bool pop3_language_fits(enum pop3_text t, const char *words);

bool pop3_language_is_tag(const char *tag);

/* The languages of n octets that travelled; words that do not fit are the
 * English ones.  What p points to must stay.  preferred: a tag; one that is not
 * there is English.  E_FORMAT: they are not as above; E_NOMEM. */
enum err pop3_languages_read(struct pop3_languages *out, const char *p,
    size_t n, const char *preferred) NODISCARD;

/* By a basic language range (RFC 4647 s2.1) or "*"; NULL: none.  A range that
 * nothing matches is tried shorter, as by RFC 4647 s3.4, so that who asks for
 * pt-PT gets another Portuguese.  all: may be NULL. */
const struct pop3_language *pop3_language_find(
    const struct pop3_languages *all, struct slice range);

#endif
