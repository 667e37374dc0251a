#include "server/trial/database_trial.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/users/account.h"
#include "server/users/db_ask.h"
#include "server/users/scheme.h"

enum {
	SAMPLE = 20,    /* users who are looked at */
	COMPLAINTS = 5, /* about them */
};

/* A name of nobody: RFC 6761 s6.4 keeps that domain for it. */
static const char nobody[] = "maloted-check@nobody.invalid";

struct trial {
	const struct conf *conf;
	const struct conf_users *users;
	unsigned i; /* among conf->known */
	struct conf_text text;
};

/* ---- what to do ---- */

static const char of_certificate[] =
    "the server's certificate must be of the host that connection names, and "
    "signed by somebody whom this machine trusts, or whom sslrootcert= "
    "(postgresql), ssl_ca= (mysql) or tls_ca= (ldap) names";

/* What servers and libraries say, and what helps.  is_wrong: it does not go away
 * by itself. */
static const struct {
	const char *says, *advice;
	bool is_wrong;
} known[] = {
	{ "eer authentication failed",
	    "who asks is db_user: leave user= out of connection, and call the "
	    "account as that (CREATE ROLE)",
	    true },
	{ "assword authentication failed",
	    "user= or password= in connection is wrong", true },
	{ "no password supplied", "write password= in connection", true },
	{ "no pg_hba.conf entry",
	    "permit it there, for this account, database and address", true },
	{ "Access denied",
	    "user= or password= in connection is wrong, or the "
	    "account has no right there",
	    true },
	{ "Invalid credentials",
	    "user= or password= in connection is wrong; user= is a whole DN",
	    true },
	{ "root certificate file", "name one by sslrootcert= in connection",
	    true },
	{ "self-signed certificate",
	    "name the file of who signed it, by sslrootcert= (postgresql), "
	    "ssl_ca= (mysql) or tls_ca= (ldap) in connection",
	    true },
	{ "certificate", of_certificate, true },
	/* libldap's words for it. */
	{ "Connect error", of_certificate, true },
	{ "unknown error code", of_certificate, true },
	{ "does not support SSL",
	    "have the server speak TLS; where nobody listens to the wire, "
	    "sslmode=disable in connection does without",
	    true },
	{ "SSL is required",
	    "have the server speak TLS; where nobody listens to the wire, "
	    "ssl=no in connection does without",
	    true },
	{ "unsupported extended operation",
	    "have the server speak StartTLS, or write ldaps://; where nobody "
	    "listens to the wire, tls=no in connection does without",
	    true },
	{ "FATAL:  role", "user= in connection names no account there", true },
	{ "FATAL:  database", "dbname= in connection names none there", true },
	{ "Unknown database", "dbname= in connection names none there", true },
	{ "definition of service",
	    "service= in connection must stand in the pg_service.conf of this "
	    "machine",
	    true },
	{ "permission denied", "let the account of connection read it (GRANT)",
	    true },
	{ "command denied", "let the account of connection read it (GRANT)",
	    true },
	{ "No such object",
	    "base= in connection names no entry, or none that "
	    "the account may see",
	    true },
	{ "refused", "does the server run, and listen there?", false },
	{ "t connect to", "does the server run, and listen there?", false },
	{ "Unknown server host",
	    "host= in connection must be a name that this "
	    "machine can resolve",
	    false },
	{ "No such file", "does the server run, and is that its socket?",
	    false },
	{ "t contact LDAP server", "does the server run, and is uri= right?",
	    false },
	{ "translate host name",
	    "host= in connection must be a name that "
	    "this machine can resolve",
	    false },
	{ "unable to open database file",
	    "db_user must be able to read it, and to look into its folder",
	    true },
	{ "is not installed", "install it: a package of its own, perhaps",
	    true },
};

enum { KNOWN = sizeof(known) / sizeof(known[0]) };

static size_t
find_advice(const char *why)
{
	size_t i = 0;

	while (i < KNOWN && strstr(why, known[i].says) == NULL)
		i++;
	return i;
}

/* A failure, e, of what was asked by `setting`. */
static void
complain(const struct trial *t, const struct db_ask *a, enum err e,
    const char *setting, const char *why)
{
	const struct conf_users *u = t->users;
	size_t known_as = find_advice(why);
	const char *advice = known_as < KNOWN ? known[known_as].advice : "";
	bool is_wrong =
	    e == E_CONFIG || (known_as < KNOWN && known[known_as].is_wrong);
	unsigned line = a->is_reached ? u->query_line : u->connection_line;

	(is_wrong ? conf_error : conf_warn)(&t->text, line,
	    "users \"%s\": %s: %s%s%s", u->db.name,
	    a->is_reached ? setting : "it cannot be reached", why,
	    advice[0] != '\0' ? "; " : "", advice);
}

/* ---- the query ---- */

/* What came of asking for a name. */
struct answer {
	const struct trial *trial;
	bool has_names, has_password, has_unknown, is_there;
	/* Of somebody who is there: */
	const char *name;
	struct user *user;
	struct errbuf why;
};

/* Where columns are not named in the query. */
static const char of_attributes[] =
    "; attributes is ATTRIBUTE=COLUMN, with a space between two of them";

static enum err
take_names(struct answer *a, const struct column *c, size_t n)
{
	const struct trial *t = a->trial;
	struct errbuf eb;

	a->has_names = true;
	for (size_t i = 0; i < n; i++) {
		a->has_password = a->has_password ||
				  slice_eq(c[i].name, "password") ||
				  slice_eq(c[i].name, "userdb_password");
		if (row_column(c[i].name, &eb) == E_OK)
			continue;
		a->has_unknown = true;
		conf_error(&t->text, t->users->query_line, "users \"%s\": %s%s",
		    t->users->db.name, eb.text,
		    t->users->db.attributes[0] != '\0' ? of_attributes : "");
	}
	return E_OK;
}

static enum err
take(void *arg, const struct column *c, size_t n)
{
	struct answer *a = arg;
	const struct name_rule rule = name_rule_of(&a->trial->conf->auth);

	if (!a->has_names)
		return take_names(a, c, n);
	if (!a->is_there && a->name != NULL &&
	    row_user(&a->user, a->name, c, n, a->trial->users->scheme, &rule,
		&a->why) != E_OK)
		a->user = NULL;
	else if (a->user != NULL)
		a->user->by = a->trial->i;
	a->is_there = true;
	return E_OK;
}

/* cmd has all but its values; for_admin: by admin_connection. */
static enum err
ask(const struct trial *t, struct db_ask *a, bool for_admin, struct errbuf *eb)
{
	struct db_conf conf;
	enum err e;

	conf_db_of(t->conf, t->i, for_admin, &conf);
	a->conf = &conf;
	e = db_ask(a, eb);
	explicit_bzero(&conf, sizeof(conf));
	return e;
}

static enum err
find(const struct trial *t, const char *name, struct answer *answer,
    struct db_ask *a, struct errbuf *eb)
{
	struct db_command cmd = { .what = DB_FIND };

	memcpy(cmd.query, t->users->db.query, sizeof(cmd.query));
	snprintf(cmd.name, sizeof(cmd.name), "%s", name);
	*a = (struct db_ask){ .command = &cmd, .take = take, .arg = answer };
	return ask(t, a, false, eb);
}

/* Can users be found by it? */
static bool
try_query(const struct trial *t)
{
	const struct conf_users *u = t->users;
	/* Who verifies passwords itself gives none. */
	struct answer answer = { .trial = t,
		.has_password =
		    (user_drivers[u->db.driver].can & DRIVER_VERIFIES) != 0 };
	struct errbuf eb;
	struct db_ask a;
	enum err e = find(t, nobody, &answer, &a, &eb);

	if (e != E_OK) {
		complain(t, &a, e, "query", eb.text);
		return false;
	}
	if (!answer.has_names)
		conf_error(&t->text, u->query_line,
		    "users \"%s\": query gives no rows at all; write SELECT "
		    "...",
		    u->db.name);
	else if (!answer.has_password)
		conf_error(&t->text, u->query_line,
		    "users \"%s\": %s gives no column password, so nobody "
		    "could sign in; name the one that has it: %s",
		    u->db.name,
		    u->db.attributes[0] != '\0' ? "attributes" : "query",
		    u->db.attributes[0] != '\0' ? "userPassword=password"
						: "SELECT ... AS password");
	else if (answer.is_there)
		conf_warn(&t->text, u->query_line,
		    "users \"%s\": query finds somebody for a name that nobody "
		    "has; let it compare the name with $1",
		    u->db.name);
	return answer.has_password && !answer.has_unknown;
}

/* ---- some of the users ---- */

struct sample {
	const struct trial *trial;
	struct errbuf odd; /* what is wrong with the columns */
	bool has_names;
	unsigned n;
	char name[SAMPLE][NAME_MAX_OCTETS + 1];
};

static enum err
take_listed(void *arg, const struct column *c, size_t n)
{
	struct sample *s = arg;
	const struct name_rule rule = name_rule_of(&s->trial->conf->auth);
	enum err e;

	if (s->n == SAMPLE)
		return E_FULL;
	e = row_listed(s->name[s->n], c, n, &rule, &s->odd);
	s->n += e == E_OK && s->has_names;
	s->has_names = true;
	return e == E_CONFIG ? e : E_OK;
}

static bool
list(const struct trial *t, struct sample *s)
{
	struct db_command cmd = { .what = DB_LIST };
	struct db_ask a = { .command = &cmd, .take = take_listed, .arg = s };
	struct errbuf eb;
	enum err e;

	memcpy(cmd.query, t->users->list_query, sizeof(cmd.query));
	e = ask(t, &a, true, &eb);
	if (e == E_OK || e == E_FULL)
		return true;
	conf_warn(&t->text, t->users->line, "users \"%s\": %s%s",
	    t->users->db.name,
	    s->odd.text[0] != '\0' ? "" : "list_query, for malotectl: ",
	    s->odd.text[0] != '\0' ? s->odd.text : eb.text);
	return false;
}

/* Why the user could not sign in; NULL: nothing is known against it. */
static const char *
why_not(const struct trial *t, struct answer *a)
{
	const struct user *u = a->user;
	struct account at;
	const char *why;
	enum err e;

	if (!a->is_there)
		return "list_query gives the name, and query does not find it";
	if (u == NULL)
		return a->why.text;
	e = scheme_check(u->hash, &a->why);
	if (u->permits.no_login || u->permits.no_pop3 || e == E_DENIED)
		return NULL; /* locked out on purpose */
	if (e == E_OK)
		e = account_find(&at, &t->conf->auth, u, &why, &a->why);
	return e != E_OK ? a->why.text : NULL;
}

static bool
is_maildir(const char *folder, const char *below)
{
	char path[MAIL_PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s%s/cur", folder, below);
	return access(path, F_OK) == 0;
}

/* Is the user's mail not where it is looked for, but in the home, where most
 * sites of Dovecot have it?  The maildrop would be empty; that is said. */
static bool
is_mail_elsewhere(const struct trial *t, const struct user *u)
{
	struct account at;
	struct errbuf eb;
	const char *why, *folder = at.mail + strlen("maildir:");

	if (u->home[0] == '\0' ||
	    account_find(&at, &t->conf->auth, u, &why, &eb) != E_OK ||
	    is_maildir(folder, "") || !is_maildir(u->home, "/Maildir"))
		return false;
	conf_warn(&t->text, t->users->query_line,
	    "users \"%s\": %s has mail in %s/Maildir, and %s is no Maildir; "
	    "write mail = \"maildir:~/Maildir\", and as mail_root the folder "
	    "of all homes",
	    t->users->db.name, u->name, u->home, folder);
	return true;
}

/* Has a user of the sample a password?  *bad_r counts those who could not sign
 * in, and that is said. */
static bool
try_user(const struct trial *t, const char *name, unsigned *bad_r)
{
	struct answer a = { .trial = t, .name = name };
	struct db_ask asked;
	const char *why;
	bool has_password;
	enum err e = find(t, name, &a, &asked, &a.why);

	why = e != E_OK ? a.why.text : why_not(t, &a);
	if (why != NULL && ++*bad_r)
		conf_warn(&t->text, t->users->query_line,
		    "users \"%s\": %s could not sign in: %s", t->users->db.name,
		    name, why);
	else if (why == NULL && a.user != NULL)
		*bad_r += is_mail_elsewhere(t, a.user);
	has_password = a.user == NULL || a.user->hash[0] != '\0';
	user_free(a.user);
	return has_password;
}

/* As the users file's lines are looked at; of a database only some. */
static void
try_users(const struct trial *t)
{
	static struct sample s;
	uint64_t end = clock_ms() + t->users->db.timeout * 1000u;
	unsigned bad = 0, with_password = 0;

	s = (struct sample){ .trial = t };
	if (!list(t, &s))
		return;
	for (unsigned i = 0; i < s.n; i++) {
		with_password += try_user(t, s.name[i], &bad);
		if (bad == COMPLAINTS || clock_ms() >= end)
			break;
	}
	if (s.n != 0 && with_password == 0)
		conf_warn(&t->text, t->users->query_line,
		    "users \"%s\": nobody who was looked at has a password; "
		    "may the account of connection read them?",
		    t->users->db.name);
}

/* ---- an admin's queries ---- */

/* False: more of them would come to the same. */
static bool
try_change(
    const struct trial *t, const char *name, const char query[DB_QUERY_MAX])
{
	struct db_command cmd = { .what = DB_TRY };
	struct db_ask a = { .command = &cmd };
	struct errbuf eb;

	if (query[0] == '\0')
		return true;
	memcpy(cmd.query, query, sizeof(cmd.query));
	snprintf(cmd.name, sizeof(cmd.name), "%s", nobody);
	if (ask(t, &a, true, &eb) == E_OK)
		return true;
	conf_warn(&t->text, t->users->line,
	    "users \"%s\": %s, for malotectl: %s", t->users->db.name,
	    a.is_reached ? name : "admin_connection", eb.text);
	return a.is_reached;
}

void
database_trial(const struct conf *c, unsigned i, struct conf_report *report)
{
	const struct conf_users *u = &c->known[i];
	const struct trial t = { c, u, i, conf_text_of(c, report) };

	if (!try_query(&t))
		return;
	if (!try_change(&t, "add_query", u->add_query) ||
	    !try_change(&t, "passwd_query", u->passwd_query) ||
	    !try_change(&t, "delete_query", u->delete_query))
		return;
	if (u->list_query[0] != '\0')
		try_users(&t);
}
