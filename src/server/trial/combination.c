#include "server/trial/combination.h"

#include <string.h>

#include "sasl/sasl.h"

#define WARN_OF(t, u, ...) conf_warn(t, (u)->line, __VA_ARGS__)

static const struct user_driver *
driver_of(const struct conf_users *u)
{
	return &user_drivers[u->db.driver];
}

/* ---- who signs in without a password ---- */

/* A mechanism that only says who somebody is; NULL: none is offered. */
static const char *
find_nameless(const struct conf *c)
{
	for (size_t i = 0; sasl_mechanisms[i] != NULL; i++)
		if ((sasl_mechanisms[i]->asks == SASL_EXTERNAL ||
			sasl_mechanisms[i]->asks == SASL_TOKEN ||
			sasl_mechanisms[i]->asks == SASL_TICKET) &&
		    str_has_word(c->auth.mechanisms, sasl_mechanisms[i]->name))
			return sasl_mechanisms[i]->name;
	for (unsigned i = 0; i < c->n_listeners; i++)
		if (c->listener[i].kpop)
			return "KPOP";
	return NULL;
}

static void
check_names(
    const struct conf *c, const struct conf_users *u, const struct conf_text *t)
{
	const char *how = find_nameless(c);

	if (how != NULL && (driver_of(u)->can & DRIVER_NAMES) == 0)
		WARN_OF(t, u,
		    "%s is of no use to users \"%s\": %s knows nobody without "
		    "a "
		    "password",
		    how, u->db.name, driver_of(u)->name);
}

/* ---- where the mail is ---- */

/* Is that among the columns that `attributes` makes? */
static bool
has_column(const struct conf_users *u, const char *column)
{
	size_t n = strlen(column);

	for (const char *p = u->db.attributes; (p = strchr(p, '=')) != NULL;)
		if (strncmp(++p, column, n) == 0 &&
		    (p[n] == '\0' || p[n] == ' '))
			return true;
	return false;
}

static bool
needs_home(const char *mail)
{
	return strchr(mail, '~') != NULL || strstr(mail, "%h") != NULL;
}

/* Of a directory it is known what it gives. */
static void
check_mail(
    const struct conf *c, const struct conf_users *u, const struct conf_text *t)
{
	const char *mail = u->mail[0] != '\0' ? u->mail : c->mail;

	if (u->db.driver != DRIVER_LDAP && u->db.driver != DRIVER_LDAP_BIND)
		return;
	if (needs_home(mail) && !has_column(u, "home") &&
	    !has_column(u, "mail"))
		WARN_OF(t, u,
		    "nobody of users \"%s\" can sign in: mail = \"%s\" needs "
		    "a home, and attributes gives none; write for example "
		    "homeDirectory=home there",
		    u->db.name, mail);
	if (c->auth.mail_uid == AUTH_NO_UID && !has_column(u, "uid"))
		WARN_OF(t, u,
		    "nobody of users \"%s\" can sign in: they have no uid, as "
		    "there is no mail_user, and attributes gives none; write "
		    "for example uidNumber=uid gidNumber=gid there",
		    u->db.name);
}

/* ---- who may ask ---- */

static void
check_rights(const struct conf_env *env, const struct conf_users *u,
    const struct conf_text *t)
{
	if (env->uid != 0 &&
	    (u->db.driver == DRIVER_PAM || u->db.driver == DRIVER_SYSTEM))
		WARN_OF(t, u,
		    "users \"%s\": only root can have the passwords of others "
		    "verified by %s; start maloted as root",
		    u->db.name, driver_of(u)->name);
}

/* ---- all of them ---- */

static bool
is_said_by_rows(const struct conf *c)
{
	for (unsigned i = 0; i < c->n_known; i++)
		if (driver_of(&c->known[i])->asker != DRIVER_ASKS_PAM)
			return true;
	return false;
}

void
combination_tell(
    const struct conf *c, const struct conf_env *env, const struct conf_text *t)
{
	for (unsigned i = 0; i < c->n_known; i++) {
		check_names(c, &c->known[i], t);
		check_mail(c, &c->known[i], t);
		check_rights(env, &c->known[i], t);
	}
	if (c->auth.master_separator[0] != '\0' && !is_said_by_rows(c))
		conf_warn(t, 0,
		    "master_separator is without effect, as nobody can be a "
		    "master: malote_master is said in a passwd-file, or in a "
		    "row of a database");
	if (strcmp(c->auth.upgrade_scheme, "no") != 0 && c->users[0] == '\0')
		conf_warn(t, 0,
		    "upgrade_scheme is without effect, as there is no "
		    "passwd-file, and auth writes to no database");
}
