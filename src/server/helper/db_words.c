#include "server/helper/db_words.h"

#include <stdbool.h>
#include <string.h>

static const char blanks[] = " \t";

static enum err
put(char out[DB_WORD_MAX], size_t *n, char c, struct errbuf *eb)
{
	if (*n + 1 >= DB_WORD_MAX)
		return err_set(eb, E_CONFIG,
		    "connection: a value of more than %d octets",
		    DB_WORD_MAX - 1);
	out[(*n)++] = c;
	out[*n] = '\0';
	return E_OK;
}

static enum err
take_keyword(const char **p, char out[DB_WORD_MAX], struct errbuf *eb)
{
	size_t n = strcspn(*p, " \t=");

	if (n == 0 || n >= DB_WORD_MAX || (*p)[n] != '=')
		return err_set(eb, E_CONFIG,
		    "connection: write KEYWORD=VALUE, with spaces between "
		    "several of them");
	memcpy(out, *p, n);
	out[n] = '\0';
	*p += n + 1;
	return E_OK;
}

static enum err
take_value(const char **p, char out[DB_WORD_MAX], struct errbuf *eb)
{
	bool quoted = **p == '\'';
	enum err e = E_OK;
	size_t n = 0;

	out[0] = '\0';
	*p += quoted;
	while (**p != '\0' && e == E_OK &&
	       (quoted ? **p != '\'' : strchr(blanks, **p) == NULL)) {
		*p += **p == '\\' && (*p)[1] != '\0';
		e = put(out, &n, *(*p)++, eb);
	}
	if (e == E_OK && quoted && *(*p)++ != '\'')
		e = err_set(
		    eb, E_CONFIG, "connection: a quotation mark is missing");
	return e;
}

enum err
db_words_next(const char **rest, char keyword[DB_WORD_MAX],
    char value[DB_WORD_MAX], struct errbuf *eb)
{
	enum err e;

	*rest += strspn(*rest, blanks);
	if (**rest == '\0')
		return E_NOENT;
	e = take_keyword(rest, keyword, eb);
	return e == E_OK ? take_value(rest, value, eb) : e;
}
