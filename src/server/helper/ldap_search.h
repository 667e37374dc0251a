/*
 * ldap_search.h - one entry of a directory, whose attributes are the columns of a
 * row: it is searched for below the base, by a filter in which the name is escaped
 * (db_filter.h), or is the one that a template names.
 */
#ifndef SERVER_HELPER_LDAP_SEARCH_H
#define SERVER_HELPER_LDAP_SEARCH_H

#include "server/helper/ldap_link.h"

enum { FILTER_MAX = DB_QUERY_MAX + 4 * 3 * NAME_MAX_OCTETS };

/* A connection of db_ldap. */
struct directory {
	LDAP *ld;
	LDAP *binds; /* as users; NULL: not yet */
	char base[DB_WORD_MAX];
	/* What `attributes` says: NULL behind the last one. */
	char *attribute[ROW_COLUMNS_MAX + 1], *column[ROW_COLUMNS_MAX];
	size_t n;
	char filter[FILTER_MAX]; /* or the name of an entry */
};

/* E_CONFIG with words. */
enum err directory_attributes(
    struct directory *d, const char *words, struct errbuf *eb) NODISCARD;

/* Does the query name the entry itself? */
bool directory_is_template(const struct db_conf *conf);

/* What is searched for from now on: the query, with the name in it.  E_CONFIG with
 * words. */
enum err directory_filter(struct directory *d, const struct db_conf *conf,
    const char *query, const char *name, struct errbuf *eb) NODISCARD;

/* ld: as whom.  *found_r is to be freed in any case. */
enum err directory_search(struct directory *d, LDAP *ld,
    const struct db_conf *conf, uint64_t until, LDAPMessage **found_r,
    struct errbuf *eb) NODISCARD;

/* The only one that was found; E_NOENT: there is none. */
enum err directory_entry(struct directory *d, LDAPMessage *found,
    LDAPMessage **entry_r, struct errbuf *eb) NODISCARD;

/* Both of these, and its row.  dn_r: the name of the entry, for ldap_memfree(), or
 * NULL: it is of no use. */
enum err directory_row(struct directory *d, LDAP *ld,
    const struct db_conf *conf, uint64_t until, struct db_row *row, char **dn_r,
    struct errbuf *eb) NODISCARD;

#endif
