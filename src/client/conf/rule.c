#include "client/conf/rule.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"
#include "client/message/address.h"
#include "client/message/fields.h"
#include "client/message/summary.h"

#define BETWEEN " \t,"
#define NONE    "none"

/* ---- what is in a message ---- */

/* "Debian users <debian-user.lists.debian.org>" (RFC 2919 s3); some lists leave
 * the brackets out. */
static struct slice
list_of(struct slice value)
{
	const char *end = memrchr(value.p, '>', value.n);
	const char *begin =
	    end != NULL ? memrchr(value.p, '<', (size_t)(end - value.p)) : NULL;

	if (begin != NULL)
		value = (struct slice){ begin + 1, (size_t)(end - begin) - 1 };
	while (value.n != 0 && strchr(" \t\r\n", *value.p) != NULL) {
		value.p++;
		value.n--;
	}
	while (value.n != 0 && strchr(" \t\r\n", value.p[value.n - 1]) != NULL)
		value.n--;
	return value;
}

static bool
is_of_list(struct slice header, const char *wanted)
{
	struct slice value;

	while (field_next(&header, "List-Id", &value))
		if (slice_caseeq(list_of(value), wanted))
			return true;
	return false;
}

/* wanted: an address, or a domain with or without an @ before it. */
static bool
is_address(const struct address *a, const char *wanted)
{
	const char *at = strrchr(wanted, '@');

	if (at == NULL || at == wanted)
		return strcasecmp(a->domain, wanted + (at != NULL)) == 0;
	return strcasecmp(a->text, wanted) == 0;
}

static bool
has_address(struct slice header, const char *field, const char *wanted)
{
	struct slice value;
	struct address a;

	while (field_next(&header, field, &value))
		while (address_next(&value, &a))
			if (is_address(&a, wanted))
				return true;
	return false;
}

static bool
is_from(struct slice header, const char *wanted)
{
	return has_address(header, "From", wanted);
}

static bool
is_to(struct slice header, const char *wanted)
{
	static const char *const fields[] = { "To", "Cc", "Delivered-To",
		"X-Original-To" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (has_address(header, fields[i], wanted))
			return true;
	return false;
}

static bool
is_about(struct slice header, const char *wanted)
{
	struct summary s = { .from = NULL };
	bool found;

	summary_read(&s, header.p, header.n);
	found = s.subject != NULL && strcasestr(s.subject, wanted) != NULL;
	summary_clear(&s);
	return found;
}

/* ---- what is configured ---- */

static const struct {
	const char *word; /* with the colon */
	bool (*fits)(struct slice header, const char *wanted);
} kinds[] = {
	{ "list:", is_of_list },
	{ "from:", is_from },
	{ "to:", is_to },
	{ "subject:", is_about },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* The kind of a match, and behind its word in *wanted_r what is looked for;
 * KINDS: it is none. */
static size_t
kind_of(const char *match, const char **wanted_r)
{
	size_t k = 0, n = 0;

	for (; k < KINDS; k++) {
		n = strlen(kinds[k].word);
		if (strncasecmp(match, kinds[k].word, n) == 0)
			break;
	}
	*wanted_r = k < KINDS ? match + n + strspn(match + n, " \t") : "";
	return k;
}

enum err
value_match(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	char shown[VALUE_SHOWN];
	const char *wanted;

	if (kind_of(value, &wanted) == KINDS || wanted[0] == '\0')
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" says nothing to look for; write "
		      "\"list:LIST-ID\", \"from:ADDRESS\", \"to:ADDRESS\" or "
		      "\"subject:WORDS\""),
		    name, value_shown(shown, value));
	return value_text(place, name, field, value, eb);
}

/* How many names there are between what separates them. */
static enum err
cut_names(char **names, const char *value)
{
	size_t n = 0;

	for (value += strspn(value, BETWEEN); *value != '\0';
	     value += strspn(value, BETWEEN)) {
		size_t length = strcspn(value, BETWEEN);

		if ((names[n++] = strndup(value, length)) == NULL)
			return E_NOMEM;
		value += length;
	}
	return E_OK;
}

enum err
value_rules(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	char **names = calloc(strlen(value) / 2 + 2, sizeof(*names));

	if (names == NULL ||
	    (strcasecmp(value, NONE) != 0 && cut_names(names, value) != E_OK)) {
		value_names_free(names);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	*(char ***)field = names;
	return E_OK;
}

void
rule_check(const struct rule *r, bool says_match, bool says_place,
    const struct conf_lines *l)
{
	char shown[VALUE_SHOWN];

	value_shown(shown, r->name);
	if (r->name[0] == '\0' || strpbrk(r->name, BETWEEN) != NULL ||
	    strcasecmp(r->name, NONE) == 0)
		conf_error(&l->text, r->line,
		    _("\"%s\" cannot be a rule's name; write letters and "
		      "digits"),
		    shown);
	if (!says_match)
		conf_error(&l->text, r->line,
		    _("rule \"%s\" looks for nothing; write match = "
		      "\"list:LIST-ID\", \"from:ADDRESS\", \"to:ADDRESS\" or "
		      "\"subject:WORDS\""),
		    shown);
	if (!says_place)
		conf_error(&l->text, r->line,
		    _("rule \"%s\" says no place; write deliver = "
		      "\"maildir:PATH\""),
		    shown);
}

static const struct rule *
rule_called(const struct rule *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

static size_t
count_names(char *const *names)
{
	size_t n = 0;

	while (names[n] != NULL)
		n++;
	return n;
}

enum err
rules_assign(struct account *a, const struct rule *v, size_t n,
    const struct conf_text *text)
{
	size_t most = a->rule_names != NULL ? count_names(a->rule_names) : n;
	char shown[VALUE_SHOWN];
	size_t k = 0;

	a->rules = calloc(most + 1, sizeof(struct rule *));
	if (a->rules == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < most; i++) {
		const char *name =
		    a->rule_names != NULL ? a->rule_names[i] : v[i].name;

		if ((a->rules[k] = rule_called(v, n, name)) != NULL)
			k++;
		else
			conf_error(text, a->line,
			    _("account \"%s\" names a rule \"%.40s\", which "
			      "there is not"),
			    a->name, value_shown(shown, name));
	}
	return E_OK;
}

bool
rule_fits(const struct rule *r, struct slice header)
{
	const char *wanted;
	size_t k = kind_of(r->match, &wanted);

	return k < KINDS && kinds[k].fits(header, wanted);
}

size_t
rule_find(const struct rule *const *rules, struct slice header)
{
	for (size_t i = 0; rules[i] != NULL; i++)
		if (rule_fits(rules[i], header))
			return i;
	return SIZE_MAX;
}

size_t
rule_place(const struct rule *const *rules, size_t i)
{
	size_t first = 0;

	while (!dest_same(&rules[first]->dest, &rules[i]->dest))
		first++;
	return first;
}
