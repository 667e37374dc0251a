#include "server/helper/ldap_search.h"

#include <stdlib.h>
#include <string.h>

#include "server/helper/db_filter.h"

enum { ENTRIES_MAX = 2 /* a second one is already too many */ };

/* ---- which attributes ---- */

enum err
directory_attributes(struct directory *d, const char *words, struct errbuf *eb)
{
	char keyword[DB_WORD_MAX], value[DB_WORD_MAX];
	enum err e;

	while ((e = db_words_next(&words, keyword, value, eb)) == E_OK) {
		if (d->n == ROW_COLUMNS_MAX)
			return err_set(eb, E_CONFIG, "attributes: more than %d",
			    ROW_COLUMNS_MAX);
		d->attribute[d->n] = strdup(keyword);
		d->column[d->n] = strdup(value);
		if (d->attribute[d->n] == NULL || d->column[d->n++] == NULL)
			return err_set(eb, E_NOMEM, "out of memory");
	}
	if (e == E_CONFIG)
		err_set(eb, e,
		    "attributes: write ATTRIBUTE=COLUMN, with spaces between "
		    "several of them");
	return e == E_NOENT ? E_OK : e;
}

/* ---- searching ---- */

/* That there is such an entry is enough. */
static char *no_attributes[] = { (char *)LDAP_NO_ATTRS, NULL };

static enum err
take_attribute(struct directory *d, LDAPMessage *entry, size_t i,
    struct db_row *row, struct errbuf *eb)
{
	struct berval **v = ldap_get_values_len(d->ld, entry, d->attribute[i]);
	enum err e = E_OK;
	int n;

	if (v == NULL)
		return E_OK;
	n = ldap_count_values_len(v);
	if (n > 1)
		e = err_set(eb, E_CONFIG, "the entry has several %.64s",
		    d->attribute[i]);
	else if (n == 1)
		e = db_row_put(
		    row, d->column[i], v[0]->bv_val, v[0]->bv_len, eb);
	for (int k = 0; k < n; k++)
		explicit_bzero(v[k]->bv_val, v[k]->bv_len);
	ldap_value_free_len(v);
	return e;
}

enum err
directory_entry(struct directory *d, LDAPMessage *found, LDAPMessage **entry_r,
    struct errbuf *eb)
{
	*entry_r = ldap_first_entry(d->ld, found);
	if (*entry_r == NULL)
		return E_NOENT;
	return ldap_next_entry(d->ld, *entry_r) == NULL
		   ? E_OK
		   : err_set(
			 eb, E_CONFIG, "the filter finds more than one entry");
}

static enum err
take_entry(struct directory *d, LDAPMessage *found, struct db_row *row,
    struct errbuf *eb)
{
	LDAPMessage *entry;
	enum err e = directory_entry(d, found, &entry, eb);

	for (size_t i = 0; i < d->n && e == E_OK; i++)
		e = take_attribute(d, entry, i, row, eb);
	return e;
}

/* A filter begins with a parenthesis. */
bool
directory_is_template(const struct db_conf *conf)
{
	return conf->driver == DRIVER_LDAP_BIND && conf->query[0] != '(';
}

enum err
directory_filter(struct directory *d, const struct db_conf *conf,
    const char *query, const char *name, struct errbuf *eb)
{
	struct db_parameters p;
	enum err e;

	db_parameters(&p, query, name);
	e = directory_is_template(conf)
		? db_dn(d->filter, sizeof(d->filter), query, &p, eb)
		: db_filter(d->filter, sizeof(d->filter), query, &p, eb);
	return e == E_OK ? E_OK : E_CONFIG;
}

enum err
directory_search(struct directory *d, LDAP *ld, const struct db_conf *conf,
    uint64_t until, LDAPMessage **found_r, struct errbuf *eb)
{
	struct timeval span = ldap_link_span(until);
	bool is_named = directory_is_template(conf);
	int r;

	*found_r = NULL;
	r = ldap_search_ext_s(ld, is_named ? d->filter : d->base,
	    is_named ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
	    is_named ? "(objectClass=*)" : d->filter,
	    d->n != 0 ? d->attribute : no_attributes, 0, NULL, NULL, &span,
	    ENTRIES_MAX, found_r);
	if (r == LDAP_SUCCESS || r == LDAP_SIZELIMIT_EXCEEDED)
		return E_OK;
	return r == LDAP_NO_SUCH_OBJECT && is_named
		   ? E_NOENT
		   : ldap_link_fail(ld, r, until, eb);
}

enum err
directory_row(struct directory *d, LDAP *ld, const struct db_conf *conf,
    uint64_t until, struct db_row *row, char **dn_r, struct errbuf *eb)
{
	LDAPMessage *found;
	enum err e = directory_search(d, ld, conf, until, &found, eb);

	if (e == E_OK)
		e = take_entry(d, found, row, eb);
	if (e == E_OK && dn_r != NULL &&
	    (*dn_r = ldap_get_dn(ld, ldap_first_entry(ld, found))) == NULL)
		e = err_set(eb, E_NOMEM, "out of memory");
	ldap_msgfree(found);
	return e;
}
