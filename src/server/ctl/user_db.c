#include "server/ctl/user_db.h"

#include <stdio.h>
#include <string.h>

#include "server/ctl/who.h"
#include "server/users/account.h"
#include "server/users/db_ask.h"
#include "server/users/scheme.h"

bool
user_db_any(const struct options *o)
{
	return o->is_servers && o->conf != NULL &&
	       o->conf->db.role.n + o->conf->pam.role.n != 0;
}

static const struct conf_users *
block(const struct options *o, unsigned i)
{
	return &o->conf->known[i];
}

bool
user_db_is_file(const struct options *o, unsigned i)
{
	return user_drivers[block(o, i)->db.driver].asker == DRIVER_IS_FILE;
}

/* Who verifies passwords is not asked here whom it knows. */
static bool
is_asked(const struct options *o, unsigned i)
{
	return user_drivers[block(o, i)->db.driver].asker != DRIVER_ASKS_PAM;
}

/* ---- asking ---- */

/* *a has all but conf. */
static enum err
ask(const struct options *o, unsigned i, struct db_ask *a, struct errbuf *eb)
{
	struct db_conf conf;
	struct errbuf why = { "" };
	enum err e;

	/* What the server would see is seen as it sees it. */
	conf_db_of(o->conf, i, a->command->what != DB_FIND, &conf);
	a->conf = &conf;
	e = db_ask(a, &why);
	explicit_bzero(&conf, sizeof(conf));
	return e == E_OK ? E_OK
			 : err_set(eb, e, "users \"%s\": %s",
			       block(o, i)->db.name, why.text);
}

/* What a database knows of a name. */
struct known {
	const struct options *options;
	unsigned i;
	const char *name;
	bool has_names, is_there;
	struct user *user; /* NULL: the row gives none, and why */
	struct errbuf why;
};

static enum err
take_known(void *arg, const struct column *c, size_t n)
{
	struct known *k = arg;

	if (k->has_names && !k->is_there &&
	    row_user(&k->user, k->name, c, n, block(k->options, k->i)->scheme,
		&k->options->rule, &k->why) != E_OK)
		k->user = NULL;
	else if (k->user != NULL)
		k->user->by = k->i;
	k->is_there = k->has_names;
	k->has_names = true;
	return E_OK;
}

/* k->user is to be freed. */
static enum err
find(const struct options *o, unsigned i, const char *name, struct known *k,
    struct errbuf *eb)
{
	struct db_command cmd = { .what = DB_FIND };
	struct db_ask a = { .command = &cmd, .take = take_known, .arg = k };

	*k = (struct known){ .options = o, .i = i, .name = name };
	memcpy(cmd.query, block(o, i)->db.query, sizeof(cmd.query));
	snprintf(cmd.name, sizeof(cmd.name), "%s", name);
	return ask(o, i, &a, eb);
}

static enum err
knows(const struct options *o, unsigned i, const char *name, bool *knows_r,
    struct errbuf *eb)
{
	struct known k;
	enum err e;

	if (user_db_is_file(o, i)) {
		e = who_known(o, name, eb);
		*knows_r = e == E_OK;
		return e == E_NOENT ? E_OK : e;
	}
	if (!is_asked(o, i))
		return err_set(eb, E_CONFIG,
		    "users \"%s\": the driver %s only verifies passwords; do "
		    "it where the users are",
		    block(o, i)->db.name,
		    user_drivers[block(o, i)->db.driver].name);
	e = find(o, i, name, &k, eb);
	*knows_r = k.is_there;
	user_free(k.user);
	return e;
}

/* ---- which block ---- */

enum err
user_db_named(const struct options *o, unsigned *i_r, struct errbuf *eb)
{
	for (*i_r = 0; *i_r < o->conf->n_known; ++*i_r)
		if (strcmp(block(o, *i_r)->db.name, o->database) == 0)
			return E_OK;
	return err_set(eb, E_CONFIG,
	    "there is no block users \"%s\" in %s; --database is the name of "
	    "one",
	    o->database, o->conf->file);
}

/* The first that knows the name from *i_r on; *i_r is n_known if none does.  Which
 * blocks before it were not asked is said: the server may find the name there. */
static enum err
first_that_knows(
    const struct options *o, const char *name, unsigned *i_r, struct errbuf *eb)
{
	enum err e = E_OK;
	bool is_there = false;

	for (; *i_r < o->conf->n_known; ++*i_r) {
		if (!is_asked(o, *i_r)) {
			fprintf(stderr,
			    "malotectl: users \"%s\" was not asked for %s, as "
			    "the driver %s only verifies passwords\n",
			    block(o, *i_r)->db.name, name,
			    user_drivers[block(o, *i_r)->db.driver].name);
			continue;
		}
		e = knows(o, *i_r, name, &is_there, eb);
		if (e != E_OK || is_there)
			break;
	}
	return e;
}

enum err
user_db_which(
    const struct options *o, const char *name, unsigned *i_r, struct errbuf *eb)
{
	bool is_there;
	enum err e;

	*i_r = 0;
	if (o->database == NULL) {
		e = first_that_knows(o, name, i_r, eb);
		return e == E_OK && *i_r == o->conf->n_known
			   ? err_set(eb, E_NOENT,
				 "there is no user %s in any of the blocks "
				 "users of %s",
				 name, o->conf->file)
			   : e;
	}
	if ((e = user_db_named(o, i_r, eb)) != E_OK ||
	    (e = knows(o, *i_r, name, &is_there, eb)) != E_OK || is_there)
		return e;
	return err_set(eb, E_NOENT, "there is no user %s in users \"%s\"", name,
	    o->database);
}

enum err
user_db_for_add(const struct options *o, unsigned *i_r, struct errbuf *eb)
{
	if (o->database != NULL)
		return user_db_named(o, i_r, eb);
	for (*i_r = 0; *i_r < o->conf->n_known; ++*i_r)
		if (user_db_is_file(o, *i_r) ||
		    block(o, *i_r)->add_query[0] != '\0')
			return E_OK;
	*i_r = 0; /* which will say what it lacks */
	return E_OK;
}

/* ---- what can be done ---- */

/* query: the setting; example: one for SQL. */
static enum err
check_setting(const struct options *o, unsigned i, unsigned bit,
    const char *name, const char *query, const char *example, struct errbuf *eb)
{
	const struct conf_users *u = block(o, i);
	const struct user_driver *d = &user_drivers[u->db.driver];

	if (u->is_odd)
		return err_set(eb, E_CONFIG,
		    "users \"%s\": a query of it is wrong in %s; maloted "
		    "--check says which, and why",
		    u->db.name, o->conf->file);
	if (query[0] != '\0')
		return E_OK;
	if (((d->must | d->may) & bit) == 0)
		return err_set(eb, E_CONFIG,
		    "users \"%s\": by the driver %s that cannot be done; do it "
		    "where the users are",
		    u->db.name, d->name);
	return err_set(eb, E_CONFIG,
	    "users \"%s\" has no %s; write into the block in %s, for example, "
	    "%s = \"%s\"",
	    u->db.name, name, o->conf->file, name,
	    u->db.driver != DRIVER_LDAP ? example
	    : bit == DRIVER_LIST_QUERY  ? "(objectClass=inetOrgPerson)"
					: "(uid=$1)");
}

/* An option that no parameter takes would be lost. */
static enum err
check_options(
    const struct options *o, const struct conf_users *u, struct errbuf *eb)
{
	const struct {
		const char *option, *value, *parameter;
	} v[] = {
		{ "--uid", o->uid, "$5" },
		{ "--gid", o->gid, "$6" },
		{ "--home", o->home, "$7" },
		{ "--mail", o->mail, "$8" },
	};

	for (size_t k = 0; k < sizeof(v) / sizeof(v[0]); k++)
		if (v[k].value != NULL &&
		    strstr(u->add_query, v[k].parameter) == NULL)
			return err_set(eb, E_CONFIG,
			    "users \"%s\": add_query has no %s, so %s would be "
			    "lost",
			    u->db.name, v[k].parameter, v[k].option);
	return E_OK;
}

enum err
user_db_can_add(
    const struct options *o, unsigned i, const char *name, struct errbuf *eb)
{
	const struct conf_users *u = block(o, i);
	unsigned by = 0;
	enum err e =
	    check_setting(o, i, DRIVER_ADD_QUERY, "add_query", u->add_query,
		"INSERT INTO users (name, password) VALUES ($1, $4)", eb);

	if (e == E_OK)
		e = check_options(o, u, eb);
	if (e == E_OK)
		e = first_that_knows(o, name, &by, eb);
	if (e != E_OK || by == o->conf->n_known)
		return e;
	return err_set(eb, E_FORMAT,
	    "there is a user %s already, in users \"%s\"", name,
	    block(o, by)->db.name);
}

enum err
user_db_can_passwd(const struct options *o, unsigned i, struct errbuf *eb)
{
	return check_setting(o, i, DRIVER_PASSWD_QUERY, "passwd_query",
	    block(o, i)->passwd_query,
	    "UPDATE users SET password = $4 WHERE name = $1", eb);
}

enum err
user_db_can_delete(const struct options *o, unsigned i, struct errbuf *eb)
{
	return check_setting(o, i, DRIVER_DELETE_QUERY, "delete_query",
	    block(o, i)->delete_query, "DELETE FROM users WHERE name = $1", eb);
}

/* ---- changes ---- */

/* cmd has all but what it is and the query. */
static enum err
change(const struct options *o, unsigned i, struct db_command *cmd,
    const char *setting, const char query[DB_QUERY_MAX], struct errbuf *eb)
{
	struct db_ask a = { .command = cmd };
	enum err e;

	memcpy(cmd->query, query, sizeof(cmd->query));
	e = ask(o, i, &a, eb);
	if (e == E_OK && a.changed == 0)
		e = err_set(eb, E_CONFIG,
		    "users \"%s\": %s has changed nothing; look at it with "
		    "maloted --check",
		    block(o, i)->db.name, setting);
	explicit_bzero(cmd->hash, sizeof(cmd->hash));
	return e;
}

/* Somebody who has no mail here could not sign in. */
static void
warn_of_account(const struct options *o, const struct user *u)
{
	const char *never = user_never(u);
	struct account at;
	struct errbuf eb;
	const char *why;

	if (never == NULL &&
	    account_find(&at, &o->conf->auth, u, &why, &eb) != E_OK)
		never = eb.text;
	if (never != NULL)
		fprintf(stderr, "%s could not sign in: %s\n", u->name, never);
}

/* What is wrong with what the server sees now; NULL: nothing. */
static const char *
fault(const struct known *k, const char *hash)
{
	if (!k->is_there)
		return "query finds no such user";
	if (k->user == NULL)
		return k->why.text;
	return scheme_is_same(k->user->hash, hash)
		   ? NULL
		   : "query gives another password";
}

/* Does the server see the user with that password? */
static enum err
verify(const struct options *o, unsigned i, const char *name, const char *hash,
    const char *setting, struct errbuf *eb)
{
	struct known k;
	const char *wrong;
	enum err e = find(o, i, name, &k, eb);

	if (e == E_OK && (wrong = fault(&k, hash)) != NULL)
		e = err_set(eb, E_CONFIG,
		    "users \"%s\": %s was done, but for %s %s; look at both",
		    block(o, i)->db.name, setting, name, wrong);
	else if (e == E_OK)
		warn_of_account(o, k.user);
	user_free(k.user);
	return e;
}

static void
put(char *out, size_t size, const char *value)
{
	snprintf(out, size, "%s", value != NULL ? value : "");
}

#define PUT(cmd, field, value) put((cmd).field, sizeof((cmd).field), value)

enum err
user_db_add(const struct options *o, unsigned i, const char *name,
    const char *hash, struct errbuf *eb)
{
	struct db_command cmd = { .what = DB_CHANGE };
	enum err e;

	PUT(cmd, name, name);
	PUT(cmd, hash, hash);
	PUT(cmd, uid, o->uid);
	PUT(cmd, gid, o->gid);
	PUT(cmd, home, o->home);
	PUT(cmd, mail, o->mail);
	if ((e = change(o, i, &cmd, "add_query", block(o, i)->add_query, eb)) !=
		E_OK ||
	    (e = verify(o, i, name, hash, "add_query", eb)) != E_OK)
		return e;
	printf("%s is in users \"%s\" now\n", name, block(o, i)->db.name);
	return E_OK;
}

enum err
user_db_passwd(const struct options *o, unsigned i, const char *name,
    const char *hash, struct errbuf *eb)
{
	struct db_command cmd = { .what = DB_CHANGE };
	enum err e;

	PUT(cmd, name, name);
	PUT(cmd, hash, hash);
	if ((e = change(o, i, &cmd, "passwd_query", block(o, i)->passwd_query,
		 eb)) != E_OK ||
	    (e = verify(o, i, name, hash, "passwd_query", eb)) != E_OK)
		return e;
	printf("%s has a new password in users \"%s\"\n", name,
	    block(o, i)->db.name);
	return E_OK;
}

enum err
user_db_delete(
    const struct options *o, unsigned i, const char *name, struct errbuf *eb)
{
	struct db_command cmd = { .what = DB_CHANGE };
	bool is_there;
	enum err e;

	PUT(cmd, name, name);
	if ((e = change(o, i, &cmd, "delete_query", block(o, i)->delete_query,
		 eb)) != E_OK ||
	    (e = knows(o, i, name, &is_there, eb)) != E_OK)
		return e;
	if (is_there)
		return err_set(eb, E_CONFIG,
		    "users \"%s\": delete_query was done, but query finds %s "
		    "still; look at both",
		    block(o, i)->db.name, name);
	printf("%s is deleted from users \"%s\"\n", name, block(o, i)->db.name);
	return E_OK;
}

/* ---- the list ---- */

struct list {
	const struct options *options;
	bool has_names;
	unsigned bad; /* that are no names of users */
	struct errbuf why;
};

static enum err
take_name(void *arg, const struct column *c, size_t n)
{
	char name[NAME_MAX_OCTETS + 1];
	struct list *l = arg;
	enum err e = row_listed(name, c, n, &l->options->rule, &l->why);

	if (e == E_OK && l->has_names)
		puts(name);
	l->bad += e == E_FORMAT && l->has_names;
	l->has_names = true;
	return e == E_CONFIG ? e : E_OK;
}

enum err
user_db_list(const struct options *o, unsigned i, struct errbuf *eb)
{
	const struct conf_users *u = block(o, i);
	struct list l = { .options = o };
	struct db_command cmd = { .what = DB_LIST };
	struct db_ask a = { .command = &cmd, .take = take_name, .arg = &l };
	enum err e = check_setting(o, i, DRIVER_LIST_QUERY, "list_query",
	    u->list_query, "SELECT name FROM users", eb);

	if (e != E_OK)
		return e;
	memcpy(cmd.query, u->list_query, sizeof(cmd.query));
	e = ask(o, i, &a, eb);
	if (l.why.text[0] != '\0')
		e = err_set(eb, e, "users \"%s\": %s", u->db.name, l.why.text);
	else if (e == E_OK && !l.has_names)
		e = err_set(eb, E_CONFIG,
		    "users \"%s\": list_query gives no rows at all",
		    u->db.name);
	if (l.bad != 0)
		fprintf(stderr,
		    "users \"%s\": %u rows are no names of users, and nobody "
		    "can sign in by them\n",
		    u->db.name, l.bad);
	return e;
}
