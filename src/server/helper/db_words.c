#include "server/helper/db_words.h"

#include <stdio.h>
#include <string.h>

#include "server/helper/db_driver.h"

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

/* ---- all of them ---- */

static enum err
no_such_word(const char *keyword, const struct db_word *known, size_t n,
    struct errbuf *eb)
{
	char there[128] = "";
	size_t at = 0;

	for (size_t i = 0; i < n && at < sizeof(there); i++)
		at += (size_t)snprintf(there + at, sizeof(there) - at, "%s%s",
		    i == 0       ? ""
		    : i + 1 == n ? " and "
				 : ", ",
		    known[i].keyword);
	return err_set(eb, E_CONFIG,
	    "connection: there is no %.32s; there are %s", keyword, there);
}

static enum err
take_one(const char *keyword, const char *value, const struct db_word *known,
    size_t n, struct errbuf *eb)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(keyword, known[i].keyword) == 0) {
			memcpy(known[i].to, value, strlen(value) + 1);
			return E_OK;
		}
	return no_such_word(keyword, known, n, eb);
}

enum err
db_words_take(
    const char *words, const struct db_word *known, size_t n, struct errbuf *eb)
{
	char keyword[DB_WORD_MAX], value[DB_WORD_MAX];
	enum err e;

	while ((e = db_words_next(&words, keyword, value, eb)) == E_OK)
		if ((e = take_one(keyword, value, known, n, eb)) != E_OK)
			break;
	explicit_bzero(value, sizeof(value));
	return e == E_NOENT ? E_OK : e;
}

/* ---- TLS ---- */

static const char verify[] = "verify";

void
db_tls_default(struct db_tls *t)
{
	memcpy(t->how, verify, sizeof(verify));
	snprintf(
	    t->authorities, sizeof(t->authorities), "%s", db_authorities());
}

bool
db_tls_is_used(const struct db_tls *t)
{
	return strcmp(t->how, verify) == 0;
}

enum err
db_tls_check(const struct db_tls *t, const char *keyword, struct errbuf *eb)
{
	return db_tls_is_used(t) || strcmp(t->how, "no") == 0
		   ? E_OK
		   : err_set(eb, E_CONFIG,
			 "connection: %s must be verify or no", keyword);
}
