#include "server/helper/ldap_admin.h"

#include <string.h>

enum { PAGE = 500 /* entries: what servers give at once at most, mostly */ };

/* Which attribute is that column? */
static const char *
attribute_of(const struct directory *d, const char *column, struct errbuf *eb)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->column[i], column) == 0)
			return d->attribute[i];
	err_set(eb, E_CONFIG, "attributes does not say which one is %s: add %s",
	    column,
	    strcmp(column, "user") == 0 ? "uid=user" : "userPassword=password");
	return NULL;
}

static enum err
give_entry(struct directory *d, const struct db_conf *conf, uint64_t until,
    struct db_result *to, struct errbuf *eb)
{
	struct db_row row = { .n = 0 };
	enum err e = E_OK;

	for (size_t i = 0; i < d->n && e == E_OK; i++)
		e = db_row_put(&row, d->column[i], "", 0, eb);
	if (e == E_OK)
		e = db_result_row(to, &row, eb);
	if (e != E_OK)
		return e;
	e = directory_row(d, d->ld, conf, until, &row, NULL, eb);
	if (e == E_OK)
		e = db_result_row(to, &row, eb);
	db_row_clear(&row);
	return e == E_NOENT ? E_OK : e;
}

/* Each value of that attribute is a name. */
static enum err
give_page(struct directory *d, LDAPMessage *found, const char *attribute,
    struct db_result *to, struct errbuf *eb)
{
	enum err e = E_OK;

	for (LDAPMessage *entry = ldap_first_entry(d->ld, found);
	     entry != NULL && e == E_OK;
	     entry = ldap_next_entry(d->ld, entry)) {
		struct berval **v =
		    ldap_get_values_len(d->ld, entry, attribute);

		for (int i = 0; i < ldap_count_values_len(v) && e == E_OK;
		     i++) {
			struct db_row row = { .n = 0 };

			e = db_row_put(
			    &row, "user", v[i]->bv_val, v[i]->bv_len, eb);
			if (e == E_OK)
				e = db_result_row(to, &row, eb);
		}
		ldap_value_free_len(v);
	}
	return e;
}

/* Of the next page; *cookie is that of the one after it, empty behind the last. */
static enum err
list_page(struct directory *d, const char *filter, const char *attribute,
    struct berval *cookie, LDAPMessage **found_r, struct errbuf *eb)
{
	char *wanted[] = { (char *)attribute, NULL };
	LDAPControl *page = NULL, *ask[] = { NULL, NULL }, **told = NULL;
	LDAPControl *end;
	ber_int_t estimate;
	int r = ldap_create_page_control(d->ld, PAGE, cookie, 0, &page);

	*found_r = NULL;
	ask[0] = page;
	if (r == LDAP_SUCCESS)
		r = ldap_search_ext_s(d->ld, d->base, LDAP_SCOPE_SUBTREE,
		    filter, wanted, 0, ask, NULL, NULL, 0, found_r);
	if (r == LDAP_SUCCESS)
		r = ldap_parse_result(
		    d->ld, *found_r, NULL, NULL, NULL, NULL, &told, 0);
	ber_memfree(cookie->bv_val);
	*cookie = (struct berval){ 0, NULL };
	end = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, told, NULL);
	if (r == LDAP_SUCCESS && end != NULL)
		r = ldap_parse_pageresponse_control(
		    d->ld, end, &estimate, cookie);
	ldap_controls_free(told);
	ldap_control_free(page);
	return r == LDAP_SUCCESS ? E_OK
				 : ldap_link_fail(d->ld, r, UINT64_MAX, eb);
}

static enum err
give_names(struct directory *d, const char *filter, struct db_result *to,
    struct errbuf *eb)
{
	const char *attribute = attribute_of(d, "user", eb);
	struct berval cookie = { 0, NULL };
	struct db_row row = { .n = 0 };
	LDAPMessage *found;
	enum err e =
	    attribute != NULL ? db_row_put(&row, "user", "", 0, eb) : E_CONFIG;

	if (e == E_OK)
		e = db_result_row(to, &row, eb);
	if (e != E_OK)
		return e;
	do {
		e = list_page(d, filter, attribute, &cookie, &found, eb);
		if (e == E_OK)
			e = give_page(d, found, attribute, to, eb);
		ldap_msgfree(found);
	} while (e == E_OK && cookie.bv_len != 0);
	ber_memfree(cookie.bv_val);
	return e;
}

/* Another hash: the directory never gets to know the password. */
static enum err
set_password(struct directory *d, LDAPMessage *entry, const char *hash,
    uint64_t until, struct errbuf *eb)
{
	const char *attribute = attribute_of(d, "password", eb);
	char *values[] = { (char *)hash, NULL };
	LDAPMod change = { .mod_op = LDAP_MOD_REPLACE,
		.mod_type = (char *)attribute,
		.mod_values = values };
	LDAPMod *changes[] = { &change, NULL };
	char *dn;
	int r;

	if (attribute == NULL)
		return E_CONFIG;
	if ((dn = ldap_get_dn(d->ld, entry)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	r = ldap_modify_ext_s(d->ld, dn, changes, NULL, NULL);
	ldap_memfree(dn);
	return r == LDAP_SUCCESS ? E_OK : ldap_link_fail(d->ld, r, until, eb);
}

static enum err
change_entry(struct directory *d, const struct db_conf *conf, const char *hash,
    uint64_t until, struct db_result *to, struct errbuf *eb)
{
	LDAPMessage *found, *entry;
	enum err e = directory_search(d, d->ld, conf, until, &found, eb);

	if (e == E_OK)
		e = directory_entry(d, found, &entry, eb);
	if (e == E_OK)
		e = set_password(d, entry, hash, until, eb);
	to->changed = e == E_OK;
	ldap_msgfree(found);
	return e == E_NOENT ? E_OK : e;
}

/* A filter that is tried finds somebody or not. */
enum err
directory_run(void *conn, const struct db_conf *conf,
    const struct db_command *cmd, uint64_t until, struct db_result *to,
    struct errbuf *eb)
{
	struct directory *d = conn;
	enum err e;

	ldap_link_deadline(until);
	if (cmd->what == DB_LIST)
		return give_names(d, cmd->query, to, eb);
	e = directory_filter(d, conf, cmd->query, cmd->name, eb);
	if (e != E_OK)
		return e;
	return cmd->what == DB_CHANGE
		   ? change_entry(d, conf, cmd->hash, until, to, eb)
		   : give_entry(d, conf, until, to, eb);
}
