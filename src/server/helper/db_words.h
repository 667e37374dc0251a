/*
 * db_words.h - the setting `connection` where no library of a database reads it:
 * KEYWORD=VALUE with spaces between them, as libpq has it.  A value with spaces
 * stands within single quotes, in which \' and \\ are those characters.
 */
#ifndef SERVER_HELPER_DB_WORDS_H
#define SERVER_HELPER_DB_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { DB_WORD_MAX = 1024 };

/* Cuts the next one off *rest.  E_NOENT: there are no more; E_CONFIG with
 * words. */
enum err db_words_next(const char **rest, char keyword[DB_WORD_MAX],
    char value[DB_WORD_MAX], struct errbuf *eb) NODISCARD;

/* A keyword that there is, and where its value goes: DB_WORD_MAX octets. */
struct db_word {
	const char *keyword;
	char *to;
};

/* All of them, each to its place.  E_CONFIG with words, also if there is no such
 * keyword. */
enum err db_words_take(const char *words, const struct db_word *known, size_t n,
    struct errbuf *eb) NODISCARD;

/* What is said of TLS; before that, db_tls_default(): the certificate of the server
 * is verified by whom the machine trusts. */
struct db_tls {
	char how[DB_WORD_MAX], authorities[DB_WORD_MAX];
};
void db_tls_default(struct db_tls *t);
/* keyword: that of t->how.  E_CONFIG with words. */
enum err db_tls_check(
    const struct db_tls *t, const char *keyword, struct errbuf *eb) NODISCARD;
bool db_tls_is_used(const struct db_tls *t);

#endif
