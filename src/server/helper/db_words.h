/*
 * db_words.h - the setting `connection` where no library of a database reads it:
 * KEYWORD=VALUE with spaces between them, as libpq has it.  A value with spaces
 * stands within single quotes, in which \' and \\ are those characters.
 */
#ifndef SERVER_HELPER_DB_WORDS_H
#define SERVER_HELPER_DB_WORDS_H

#include "base/err.h"

enum { DB_WORD_MAX = 1024 };

/* Cuts the next one off *rest.  E_NOENT: there are no more; E_CONFIG with
 * words. */
enum err db_words_next(const char **rest, char keyword[DB_WORD_MAX],
    char value[DB_WORD_MAX], struct errbuf *eb) NODISCARD;

#endif
