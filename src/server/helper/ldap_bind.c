#include "server/helper/ldap_bind.h"

#include <string.h>

static enum err
prepare_binding(struct directory *d, const struct db_conf *conf, uint64_t until,
    struct errbuf *eb)
{
	struct timeval span;
	struct ldap_place p;
	enum err e = E_OK;

	if (d->binds == NULL &&
	    (e = ldap_place_read(&p, conf->connection, eb)) == E_OK)
		e = ldap_link_dial(&d->binds, &p, conf, until, eb);
	explicit_bzero(&p, sizeof(p));
	span = ldap_link_span(until);
	if (e == E_OK &&
	    ldap_set_option(d->binds, LDAP_OPT_TIMEOUT, &span) != 0)
		e = err_set(eb, E_CONFIG, "no timeout");
	return e;
}

/* E_DENIED: it is not the password, or the entry may not bind. */
static enum err
bind_as_user(struct directory *d, const struct db_conf *conf, const char *dn,
    const char *password, uint64_t until, struct errbuf *eb)
{
	enum err e = prepare_binding(d, conf, until, eb);
	int r;

	if (e != E_OK)
		return e;
	r = ldap_link_bind(d->binds, dn, password);
	switch (r) {
	case LDAP_SUCCESS: return E_OK;
	case LDAP_CONSTRAINT_VIOLATION:
	case LDAP_INAPPROPRIATE_AUTH:
	case LDAP_INSUFFICIENT_ACCESS:
	case LDAP_INVALID_CREDENTIALS:
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_UNWILLING_TO_PERFORM: return E_DENIED;
	default: return ldap_link_fail(d->binds, r, until, eb);
	}
}

static enum err
verify_found(struct directory *d, const struct db_conf *conf,
    const char *password, uint64_t until, struct db_row *row, struct errbuf *eb)
{
	char *dn = NULL;
	enum err e = directory_row(d, d->ld, conf, until, row, &dn, eb);

	if (e == E_OK)
		e = bind_as_user(d, conf, dn, password, until, eb);
	ldap_memfree(dn);
	return e;
}

/* A directory does not say whether there is such an entry: who is refused may be
 * somebody whom it does not know.  What is wanted of the entry it may itself
 * read. */
static enum err
verify_named(struct directory *d, const struct db_conf *conf,
    const char *password, uint64_t until, struct db_row *row, struct errbuf *eb)
{
	enum err e = bind_as_user(d, conf, d->filter, password, until, eb);

	if (e == E_DENIED)
		return E_NOENT;
	if (e == E_OK && d->n != 0)
		e = directory_row(d, d->binds, conf, until, row, NULL, eb);
	return e == E_NOENT
		   ? err_set(eb, E_CONFIG,
			 "an entry may not read itself, and attributes are "
			 "asked for")
		   : e;
}

enum err
directory_verify(void *conn, const struct db_conf *conf, const char *name,
    const char *password, uint64_t until, struct db_row *row, struct errbuf *eb)
{
	struct directory *d = conn;
	enum err e = directory_filter(d, conf, conf->query, name, eb);

	ldap_link_deadline(until);
	if (e != E_OK)
		return e;
	return directory_is_template(conf)
		   ? verify_named(d, conf, password, until, row, eb)
		   : verify_found(d, conf, password, until, row, eb);
}
