/*
 * Kerberos in a configuration: is there a keytab where a listener needs one,
 * and do the names make sense?  See check.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/conf/check.h"
#include "server/conf/keytab.h"
#include "server/conf/state_folder.h"

#ifdef HAVE_KERBEROS
enum { IS_BUILT = 1 };
#else
enum { IS_BUILT = 0 };
#endif

/* "PRINCIPAL@REALM=USER", with something at each place.  A comma before the
 * user is of somebody who puts it between two rows. */
static bool
is_row(struct slice row)
{
	const char *is = memrchr(row.p, '=', row.n), *at;

	if (is == NULL || is + 1 == row.p + row.n || row.p[row.n - 1] == ',')
		return false;
	row.n = (size_t)(is - row.p);
	at = memchr(row.p, '@', row.n);
	return at != NULL && at != row.p && at + 1 != is &&
	       memchr(row.p, ',', row.n) == NULL;
}

static void
check_principals(const struct conf *c, const struct conf_lines *l)
{
	const char *p = c->auth.principals;

	while (*(p += strspn(p, " ")) != '\0') {
		struct slice row = { p, strcspn(p, " ") };

		p += row.n;
		if (!is_row(row))
			COMPLAIN(l, "principals",
			    "principals: \"%.*s\" does not say whose it is; "
			    "write PRINCIPAL@REALM=USER",
			    (int)row.n, row.p);
	}
}

static void
check_realms(const struct conf *c, const struct conf_lines *l)
{
	if (strchr(c->auth.realms, ',') != NULL)
		COMPLAIN(l, "kerberos_realms",
		    "kerberos_realms: there is a comma in \"%s\"; write spaces "
		    "between realms",
		    c->auth.realms);
}

/* The library takes what is not there for an empty one. */
static void
check_krb5_conf(const struct conf *c, const struct conf_lines *l)
{
	const char *path = c->kerberos.krb5_conf;

	if (path[0] == '/' && access(path, R_OK) != 0)
		COMPLAIN(
		    l, "krb5_conf", "krb5_conf %s: %s", path, strerror(errno));
}

static void
check_keytab(const struct conf *c, const struct conf_lines *l)
{
	const char *path = c->kerberos.keytab;
	struct errbuf eb;
	struct stat st;

	if (!IS_BUILT)
		COMPLAIN(l, "keytab",
		    "this maloted is built without Kerberos; leave keytab out, "
		    "or build it with MIT's libkrb5");
	else if (keytab_look(path, &st, &eb) != E_OK)
		COMPLAIN(l, "keytab", "keytab %s: %s; see maloted.conf(5)",
		    path, eb.text);
	else if ((st.st_mode & (S_IROTH | S_IRGRP)) != 0)
		WARN(l, "keytab",
		    "others may read the keys in %s; chmod go= %s", path, path);
	else if (c->kerberos.role.n == 0)
		WARN(l, "keytab",
		    "there is a keytab, but no listener takes tickets; write "
		    "GSSAPI in mechanisms (without TLS it needs "
		    "plaintext_gssapi = yes, too), or kpop = yes in a "
		    "listener");
}

static void
check_listener(const struct conf *c, const struct conf_listener *of,
    const struct conf_lines *l)
{
	if (!of->kpop)
		return;
	if (of->tls == LISTEN_STLS)
		conf_error(&l->text, of->line,
		    "listener \"%s\": KPOP has no STLS; write tls = \"none\", "
		    "or \"tls\" if all its clients can do that",
		    of->name);
	if (c->kerberos.keytab[0] == '\0')
		conf_error(&l->text, of->line,
		    "listener \"%s\": KPOP needs the keys of the service pop; "
		    "write keytab = \"FILE\"",
		    of->name);
}

static bool
takes_tickets(const struct conf_listener *of)
{
	return of->kpop || ((of->tls != LISTEN_PLAIN || of->plaintext_gssapi) &&
			       str_has_word(of->mechanisms, "GSSAPI"));
}

/* Without a listener that needs it the process is not started. */
void
conf_check_kerberos(struct conf *c, const struct conf_lines *l)
{
	char folder[PATH_MAX];
	struct errbuf eb;

	for (unsigned i = 0; i < c->n_listeners; i++) {
		check_listener(c, &c->listener[i], l);
		if (takes_tickets(&c->listener[i]))
			c->kerberos.role.n = 1;
	}
	check_realms(c, l);
	check_principals(c, l);
	check_krb5_conf(c, l);
	if (c->kerberos.keytab[0] == '\0') {
		c->kerberos.role.n = 0;
		return;
	}
	check_keytab(c, l);
	if (state_folder_file(folder, "kerberos", &eb) != E_OK)
		COMPLAIN(l, "keytab", "%s", eb.text);
	else
		memcpy(c->kerberos.folder, folder, sizeof(c->kerberos.folder));
}
