/*
 * Kerberos in a configuration: is there a keytab where a listener needs one,
 * and do the names make sense?  See check.h.
 */
#include <stdio.h>
#include <string.h>

#include "server/conf/check.h"
#include "server/conf/keytab.h"
#include "server/conf/state_folder.h"

#ifdef HAVE_KERBEROS
enum { IS_BUILT = 1 };
#else
enum { IS_BUILT = 0 };
#endif

/* "PRINCIPAL=USER", and the principal has its realm. */
static bool
is_row(struct slice row)
{
	const char *is = memrchr(row.p, '=', row.n);

	return is != NULL && is + 1 != row.p + row.n &&
	       memchr(row.p, '@', (size_t)(is - row.p)) != NULL;
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
	return of->kpop || str_has_word(of->mechanisms, "GSSAPI");
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
	check_principals(c, l);
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
