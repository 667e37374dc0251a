/*
 * Users in a directory (LDAP): see db_driver.h.
 *
 * One entry below the base is searched for, by a filter in which the name is
 * escaped (db_filter.h); its attributes are the columns of a row.
 *
 * Of the driver ldap the password is verified as everywhere, by what is stored.
 * Of ldap-bind the directory verifies it: that entry, or the one that a template
 * names, binds with it, on a connection that is there for that.
 */
#include <stdlib.h>
#include <string.h>

#include "server/helper/ldap_admin.h"
#include "server/helper/ldap_bind.h"

static enum err
prepare(const struct db_conf *c, struct db_reach *r, struct errbuf *eb)
{
	/* For the resolver and the library of TLS. */
	static const char *const folders[] = { "/etc", "/run/systemd/resolve",
		"/usr/lib/ssl", "/usr/share/ca-certificates",
		"/usr/local/share/ca-certificates" };
	static struct ldap_place p; /* a path of it is borrowed */
	enum err e;
	LDAP *ld;

	/* What holds is in our configuration only. */
	setenv("LDAPNOINIT", "1", 1);
	/* The library makes itself ready, while there are no threads. */
	if (ldap_initialize(&ld, NULL) == LDAP_SUCCESS)
		ldap_unbind_ext_s(ld, NULL, NULL);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		db_reach_path(r, folders[i]);
	e = ldap_place_read(&p, c->connection, eb);
	explicit_bzero(p.password, sizeof(p.password));
	db_reach_path(r, p.tls.authorities);
	ldap_place_reach(&p, r);
	return e;
}

static void
close_connection(void *conn)
{
	struct directory *d = conn;

	if (d->ld != NULL)
		ldap_unbind_ext_s(d->ld, NULL, NULL);
	if (d->binds != NULL)
		ldap_unbind_ext_s(d->binds, NULL, NULL);
	for (size_t i = 0; i < ROW_COLUMNS_MAX; i++) {
		free(d->attribute[i]);
		free(d->column[i]);
	}
	free(d);
}

static enum err
connect_to(struct directory *d, const struct db_conf *conf, uint64_t until,
    struct errbuf *eb)
{
	struct ldap_place p;
	enum err e = ldap_place_read(&p, conf->connection, eb);
	int r;

	if (e == E_OK)
		e = directory_attributes(d, conf->attributes, eb);
	if (e == E_OK)
		e = ldap_link_dial(&d->ld, &p, conf, until, eb);
	if (e == E_OK &&
	    (r = ldap_link_bind(d->ld, p.user, p.password)) != LDAP_SUCCESS)
		e = ldap_link_fail(d->ld, r, until, eb);
	memcpy(d->base, p.base, sizeof(d->base));
	explicit_bzero(&p, sizeof(p));
	return e;
}

static enum err
open_connection(void **conn_r, const struct db_conf *conf, uint64_t until,
    struct errbuf *eb)
{
	struct directory *d = calloc(1, sizeof(*d));
	enum err e;

	ldap_link_deadline(until);
	e = d == NULL ? err_set(eb, E_NOMEM, "out of memory")
		      : connect_to(d, conf, until, eb);
	if (e == E_OK)
		*conn_r = d;
	else if (d != NULL)
		close_connection(d);
	return e;
}

static enum err
find(void *conn, const struct db_conf *conf, const char *name, uint64_t until,
    struct db_row *row, struct errbuf *eb)
{
	struct directory *d = conn;
	enum err e = directory_filter(d, conf, conf->query, name, eb);

	ldap_link_deadline(until);
	return e == E_OK ? directory_row(d, d->ld, conf, until, row, NULL, eb)
			 : e;
}

extern const struct db_driver db_ldap, db_ldap_bind;
const struct db_driver db_ldap = { .prepare = prepare,
	.open = open_connection,
	.find = find,
	.run = directory_run,
	.close = close_connection };
const struct db_driver db_ldap_bind = { .prepare = prepare,
	.open = open_connection,
	.find = find,
	.run = directory_run,
	.close = close_connection,
	.verify = directory_verify };
