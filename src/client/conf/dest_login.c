#include "client/conf/dest_login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"
#include "client/conf/check.h"
#include "sasl/sasl.h"

enum { FLAGS_MAX = 256 };

#define BETWEEN " \t,"

/* ---- flags ---- */

/* A keyword is an atom (RFC 3501 s9). */
static bool
is_keyword(const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (word[i] <= ' ' || word[i] > '~' ||
		    strchr("(){%*\"\\]", word[i]) != NULL)
			return false;
	return n != 0;
}

static const char *
system_flag(const char *word, size_t n)
{
	static const char *const flags[] = { "\\Seen", "\\Flagged",
		"\\Answered", "\\Draft" };

	if (n != 0 && word[0] == '\\') {
		word++;
		n--;
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strlen(flags[i] + 1) == n &&
		    strncasecmp(flags[i] + 1, word, n) == 0)
			return flags[i];
	return NULL;
}

enum err
value_flags(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	char flags[FLAGS_MAX] = "";
	size_t n = 0, length;

	for (value += strspn(value, BETWEEN); *value != '\0';
	     value += length + strspn(value + length, BETWEEN)) {
		const char *flag;

		length = strcspn(value, BETWEEN);
		flag = system_flag(value, length);
		if ((flag == NULL && !is_keyword(value, length)) ||
		    n + length + 3 > sizeof(flags))
			return err_set(eb, E_CONFIG,
			    _("%s is not understood; write \"seen\", "
			      "\"flagged\", \"answered\", \"draft\" or "
			      "keywords, with spaces between"),
			    name);
		n += (size_t)snprintf(flags + n, sizeof(flags) - n, "%s%.*s",
		    n != 0 ? " " : "",
		    flag != NULL ? (int)strlen(flag) : (int)length,
		    flag != NULL ? flag : value);
	}
	return value_text(place, name, field, flags, eb);
}

/* ---- the block as a whole ---- */

void
destination_check(struct destination *d, const struct conf_lines *l)
{
	const struct account *a = &d->login;
	const unsigned usual =
	    SASL_NEEDS_PASSWORD | SASL_NEEDS_TOKEN | SASL_NEEDS_CERTIFICATE;

	if (strcmp(a->auth, "auto") != 0 && (sasl_flags(a->auth) & usual) == 0)
		COMPLAIN(l, "auth",
		    _("auth = \"%s\" is not possible at a destination; leave "
		      "it out, or write \"login\", \"plain\" or "
		      "\"scram-sha-256\""),
		    a->auth);
	account_check_secrets(a, l);
}

bool
destination_is_for(const struct destination *d, const struct dest *dest)
{
	const char *name = d->login.name;
	size_t n = dest->user != NULL ? strlen(dest->user) : 0;

	if (dest->kind == DEST_GMAIL || dest->kind == DEST_JMAP)
		return strcasecmp(name, dest->user) == 0 ||
		       strcasecmp(name,
			   dest->kind == DEST_GMAIL ? "gmail" : dest->host) ==
			   0;
	if (strcasecmp(name, dest->host) == 0)
		return true;
	return n != 0 && strncmp(name, dest->user, n) == 0 && name[n] == '@' &&
	       strcasecmp(name + n + 1, dest->host) == 0;
}
