/*
 * Where users are known: the blocks `users` of a configuration, or the one file
 * of the short form, as each process is told.  See check.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slurp.h"
#include "server/conf/check.h"

enum { DB_ASK_MEMORY = 512 }; /* MiB, of who asks once */

static const struct {
	unsigned bit;
	const char *name, *example;
	const char *of_ldap; /* where it is another one there */
} said[] = {
	{ DRIVER_FILE, "file", "file = \"FILE\"", NULL },
	{ DRIVER_CONNECTION, "connection",
	    "connection = \"host=HOST dbname=NAME user=NAME\"",
	    "connection = \"uri=ldaps://HOST "
	    "base=ou=people,dc=example,dc=org\"" },
	{ DRIVER_QUERY, "query",
	    "query = \"SELECT password, home FROM users WHERE name = $1\"",
	    "query = \"(uid=$1)\"" },
	{ DRIVER_ATTRIBUTES, "attributes",
	    "attributes = \"userPassword=password homeDirectory=home\"", NULL },
	{ DRIVER_LIST_QUERY, "list_query", "", NULL },
	{ DRIVER_ADD_QUERY, "add_query", "", NULL },
	{ DRIVER_PASSWD_QUERY, "passwd_query", "", NULL },
	{ DRIVER_DELETE_QUERY, "delete_query", "", NULL },
	{ DRIVER_ADMIN_CONNECTION, "admin_connection", "", NULL },
	{ DRIVER_SCHEME, "scheme", "", NULL },
	{ DRIVER_TIMEOUT, "timeout", "", NULL },
	{ DRIVER_CONNECTIONS, "connections", "", NULL },
	{ DRIVER_SERVICE, "service", "", NULL },
	{ DRIVER_PROGRAM, "program",
	    "program = \"/usr/local/bin/checkpassword\"", NULL },
	{ DRIVER_QUESTIONS, "max_questions_per_process", "", NULL },
};

#define COMPLAIN_OF(l, u, ...)  conf_error(&(l)->text, (u)->line, __VA_ARGS__)
#define COMPLAIN_AT(l, at, ...) conf_error(&(l)->text, at, __VA_ARGS__)

/* ---- one block ---- */

static const char *
built_drivers(char *out, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; i < USER_DRIVER_KINDS && n < size; i++)
		if (user_drivers[i].is_built)
			n += (size_t)snprintf(out + n, size - n, "%s%s",
			    n != 0 ? ", " : "", user_drivers[i].name);
	return out;
}

/* The driver that is called so elsewhere; NULL: none is known. */
static const char *
meant_driver(const char *name)
{
	static const char *const called[][2] = { { "pgsql", "postgresql" },
		{ "postgres", "postgresql" }, { "mariadb", "mysql" },
		{ "sqlite3", "sqlite" }, { "passwd_file", "passwd-file" },
		{ "openldap", "ldap" } };

	for (size_t i = 0; i < sizeof(called) / sizeof(called[0]); i++)
		if (strcmp(called[i][0], name) == 0)
			return called[i][1];
	return NULL;
}

/* Its driver; NULL: it has none. */
static const struct user_driver *
find_driver(struct conf_users *u, const struct conf_lines *l)
{
	const struct user_driver *d;
	const char *meant;
	char may[256], shown[64];

	u->db.driver = user_driver_find(u->driver);
	if (u->db.driver == USER_DRIVER_KINDS) {
		u->db.driver = DRIVER_PASSWD_FILE;
		meant = meant_driver(u->driver);
		COMPLAIN_OF(l, u,
		    "users \"%s\": there is no driver \"%s\"; write %s%s",
		    u->db.name,
		    str_escape(
			shown, sizeof(shown), u->driver, strlen(u->driver)),
		    meant != NULL ? "" : "one of ",
		    meant != NULL ? meant : built_drivers(may, sizeof(may)));
		return NULL;
	}
	d = &user_drivers[u->db.driver];
	if (!d->is_built)
		COMPLAIN_OF(l, u,
		    "users \"%s\": this maloted is built without %s; leave the "
		    "block out, or build it with -D%s=enabled",
		    u->db.name, d->name, d->name);
	return d->is_built ? d : NULL;
}

/* What could be written there for said[i]. */
static const char *
example_of(const struct conf_users *u, size_t i)
{
	bool is_ldap =
	    u->db.driver == DRIVER_LDAP || u->db.driver == DRIVER_LDAP_BIND;

	return is_ldap && said[i].of_ldap != NULL ? said[i].of_ldap
						  : said[i].example;
}

static void
check_settings(const struct conf_users *u, const struct user_driver *d,
    const struct conf_lines *l)
{
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		unsigned bit = said[i].bit;

		if ((u->says & bit) != 0 && ((d->must | d->may) & bit) == 0)
			COMPLAIN_OF(l, u,
			    "users \"%s\": the driver %s has no setting %s; "
			    "leave it out",
			    u->db.name, d->name, said[i].name);
		else if ((u->says & bit) == 0 && (d->must & bit) != 0)
			COMPLAIN_OF(l, u,
			    "users \"%s\": the driver %s needs to know its %s; "
			    "write for example %s",
			    u->db.name, d->name, said[i].name,
			    example_of(u, i));
	}
}

/* The first parameter from "$4" on, or NULL. */
static const char *
find_more(const char *query)
{
	for (const char *q = query; (q = strchr(q, '$')) != NULL; q++)
		if (q[1] > '3' && q[1] <= '9')
			return q;
	return NULL;
}

static bool
has_name(const char *query)
{
	return strstr(query, "$1") != NULL || strstr(query, "$2") != NULL;
}

/* What is put between quotes, or in a letter of Dovecot's, is no parameter: it
 * would be compared as it stands there.  False: that was complained of. */
static bool
check_parameters(const struct conf_users *u, const char *setting,
    const char *query, unsigned line, const struct conf_lines *l)
{
	const char *percent = strchr(query, '%');

	if (percent != NULL && percent[1] != '\0' &&
	    strchr("und{", percent[1]) != NULL)
		COMPLAIN_AT(l, line,
		    "users \"%s\": %.2s is not replaced in a %s; write $1, "
		    "without quotes around it, for the name, $2 for what is "
		    "before its @ and $3 for what is behind",
		    u->db.name, percent, setting);
	else if (strstr(query, "'$") != NULL)
		COMPLAIN_AT(l, line,
		    "users \"%s\": a parameter within quotes is text; write $1 "
		    "without them",
		    u->db.name);
	else
		return true;
	return false;
}

/* What is asked by a name has no other query. */
static void
check_asked_name(const struct conf_users *u, const struct conf_lines *l)
{
	const char *query = u->db.query;

	if (query[0] != '\0' && strcmp(query, "$1") != 0 &&
	    strcmp(query, "$2") != 0)
		COMPLAIN_OF(l, u,
		    "users \"%s\": %s is asked by a name; write query = "
		    "\"$1\", all of it, or \"$2\", what is before its @",
		    u->db.name, user_drivers[u->db.driver].name);
}

static void
check_query(const struct conf_users *u, const struct conf_lines *l)
{
	const char *query = u->db.query, *more = find_more(query);
	unsigned line = u->query_line;

	if (query[0] == '\0' || !check_parameters(u, "query", query, line, l))
		return;
	if (!has_name(query))
		COMPLAIN_AT(l, line,
		    "users \"%s\": the query asks for nobody in particular; "
		    "write %s",
		    u->db.name, example_of(u, 2));
	else if (more != NULL)
		COMPLAIN_AT(l, line,
		    "users \"%s\": the query has no %.2s; there are $1, the "
		    "name, $2, what is before its @, and $3, what is behind",
		    u->db.name, more);
}

/* An admin's queries: that a query of Dovecot's of a like name, which only reads,
 * was put there is seen by what it lacks. */
static void
check_admin_query(const struct conf_users *u, unsigned bit, const char *query,
    const struct conf_lines *l)
{
	bool is_ldap = u->db.driver == DRIVER_LDAP;
	bool has_hash = bit == DRIVER_ADD_QUERY || bit == DRIVER_PASSWD_QUERY;
	const char *name = "";

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (said[i].bit == bit)
			name = said[i].name;
	if (query[0] == '\0' || !check_parameters(u, name, query, u->line, l))
		return;
	if (bit != DRIVER_LIST_QUERY && !has_name(query))
		COMPLAIN_OF(l, u,
		    "users \"%s\": %s changes nobody in particular; the name "
		    "is $1",
		    u->db.name, name);
	else if (has_hash && !is_ldap && strstr(query, "$4") == NULL)
		COMPLAIN_OF(l, u,
		    "users \"%s\": %s does not say where the hash of the "
		    "password is put, which is $4; what Dovecot calls "
		    "password_query is query here",
		    u->db.name, name);
	else if ((!has_hash || is_ldap) && find_more(query) != NULL)
		COMPLAIN_OF(l, u, "users \"%s\": %s has no %.2s", u->db.name,
		    name, find_more(query));
}

static void
check_admin_queries(struct conf_users *u, const struct conf_lines *l)
{
	unsigned before = l->text.report->errors;

	check_admin_query(u, DRIVER_LIST_QUERY, u->list_query, l);
	check_admin_query(u, DRIVER_ADD_QUERY, u->add_query, l);
	check_admin_query(u, DRIVER_PASSWD_QUERY, u->passwd_query, l);
	check_admin_query(u, DRIVER_DELETE_QUERY, u->delete_query, l);
	u->is_odd = l->text.report->errors != before;
}

static void
check_file(const struct conf_users *u, const struct conf_lines *l)
{
	const char *path = u->db.file;
	struct errbuf eb;
	struct stat st;
	int fd;

	if (path[0] != '/') {
		COMPLAIN_OF(l, u,
		    "users \"%s\": file = \"%s\" is not an absolute path; "
		    "begin it with /",
		    u->db.name, path);
	} else if (u->db.driver != DRIVER_PASSWD_FILE) {
		if (slurp_open(path, &fd, &st, &eb) == E_OK)
			close(fd);
		else
			COMPLAIN_OF(l, u, "users \"%s\": %s: %s", u->db.name,
			    path, eb.text);
	}
}

/* There is nothing to look at where the database verifies. */
static void
check_attributes(const struct conf_users *u, const struct conf_lines *l)
{
	if (u->db.driver == DRIVER_LDAP_BIND &&
	    strstr(u->db.attributes, "=password") != NULL)
		COMPLAIN_OF(l, u,
		    "users \"%s\": the directory verifies passwords itself, "
		    "and the column password means nothing; take it out of "
		    "attributes, or write driver = \"ldap\"",
		    u->db.name);
}

/* A service that is not there is `other`, which mostly lets nobody in. */
static void
check_service(const struct conf_users *u, const struct conf_lines *l)
{
	static const char *const folders[] = { "/etc/pam.d", "/usr/lib/pam.d" };
	char path[64 + PAM_SERVICE_MAX];

	if (u->db.driver != DRIVER_PAM)
		return;
	if (u->service[0] == '\0' || u->service[0] == '.' ||
	    strchr(u->service, '/') != NULL) {
		COMPLAIN_OF(l, u,
		    "users \"%s\": service is the name of a file in "
		    "/etc/pam.d; write for example service = \"malote\"",
		    u->db.name);
		return;
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], u->service);
		if (access(path, F_OK) == 0)
			return;
	}
	conf_warn(&l->text, u->line,
	    "users \"%s\": there is no /etc/pam.d/%s, and PAM takes \"other\" "
	    "instead, which lets nobody in as a rule; maloted.conf(5) says "
	    "what to write there",
	    u->db.name, u->service);
}

static void
check_program(const struct conf_users *u, const struct conf_lines *l)
{
	struct stat st;

	if (u->program[0] != '/')
		COMPLAIN_OF(l, u,
		    "users \"%s\": program = \"%s\" is not an absolute path; "
		    "begin it with /",
		    u->db.name, u->program);
	else if (stat(u->program, &st) < 0)
		COMPLAIN_OF(l, u, "users \"%s\": %s: %s", u->db.name,
		    u->program, strerror(errno));
	else if (!S_ISREG(st.st_mode) || access(u->program, X_OK) < 0)
		COMPLAIN_OF(l, u,
		    "users \"%s\": %s is no program that may be executed; name "
		    "another one, or chmod +x it",
		    u->db.name, u->program);
}

static bool
is_secret(const struct conf_users *u, const char *connection)
{
	return strstr(connection, "password") != NULL ||
	       (u->db.driver == DRIVER_POSTGRESQL &&
		   strstr(connection, "://") != NULL);
}

/* The password for a database. */
static void
check_secret(const struct conf_users *u, const struct conf_lines *l)
{
	struct stat st;
	bool has_secret =
	    is_secret(u, u->db.connection) || is_secret(u, u->admin_connection);

	if (has_secret && stat(l->text.file, &st) == 0 &&
	    (st.st_mode & S_IROTH) != 0)
		conf_warn(&l->text, u->line,
		    "everybody may read the password of users \"%s\"; chmod o= "
		    "%s",
		    u->db.name, l->text.file);
}

/* Whoever signs in chooses the domain there. */
static void
check_domain(
    const struct conf_users *u, const char *usual, const struct conf_lines *l)
{
	const char *mail = u->mail[0] != '\0' ? u->mail : usual;

	if (user_drivers[u->db.driver].asker == DRIVER_ASKS_PAM &&
	    strcmp(u->db.query, "$2") == 0 &&
	    (strstr(mail, "%d") != NULL || strstr(mail, "%u") != NULL))
		conf_warn(&l->text, u->line,
		    "users \"%s\": with query = \"$2\" ann is ann in every "
		    "domain that she types, and mail = \"%s\" gives her the "
		    "mail of each; write query = \"$1\", or a mail without %%d "
		    "and %%u",
		    u->db.name, mail);
}

static void
check_block(struct conf_users *u, const char *mail, const struct conf_lines *l)
{
	const struct user_driver *d = find_driver(u, l);

	if (u->db.name[0] == '\0')
		COMPLAIN_OF(l, u,
		    "a block users has no name; write users \"NAME\" { ... }");
	if (d == NULL)
		return;
	check_settings(u, d, l);
	if ((u->says & DRIVER_FILE) != 0)
		check_file(u, l);
	if ((u->says & DRIVER_PROGRAM) != 0)
		check_program(u, l);
	if (d->asker == DRIVER_ASKS_PAM)
		check_asked_name(u, l);
	else
		check_query(u, l);
	check_attributes(u, l);
	check_service(u, l);
	check_domain(u, mail, l);
	check_admin_queries(u, l);
	check_secret(u, l);
}

/* ---- all of them ---- */

/* The short form: users = FILE. */
static void
add_file(struct conf *c)
{
	struct conf_users *u = &c->known[c->n_known++];

	*u = (struct conf_users){ .db.driver = DRIVER_PASSWD_FILE };
	memcpy(u->db.name, "users", sizeof("users"));
}

/* The users file of the blocks. */
static void
take_file(struct conf *c, const struct conf_lines *l)
{
	const struct conf_users *first = NULL;

	if (l->line(l, "users") != 0)
		COMPLAIN(l, "users",
		    "beside blocks users there is no users = FILE; write users "
		    "\"NAME\" { driver = \"passwd-file\" file = \"%s\" } where "
		    "it is to be asked",
		    c->users);
	c->users[0] = '\0';
	for (unsigned i = 0; i < c->n_known; i++) {
		const struct conf_users *u = &c->known[i];

		if (user_driver_find(u->driver) != DRIVER_PASSWD_FILE)
			continue;
		if (first == NULL)
			memcpy(c->users, u->db.file, sizeof(c->users));
		else
			COMPLAIN_OF(l, u,
			    "users \"%s\" is a passwd-file, as \"%s\" is; put "
			    "all their lines into one",
			    u->db.name, first->db.name);
		first = u;
	}
}

static void
tell_auth(struct conf *c)
{
	c->auth.n_known = (uint16_t)c->n_known;
	for (unsigned i = 0; i < c->n_known; i++) {
		const struct conf_users *u = &c->known[i];
		struct known_users *to = &c->auth.known[i];

		memcpy(to->name, u->db.name, sizeof(to->name));
		memcpy(to->scheme, u->scheme, sizeof(to->scheme));
		to->driver = u->db.driver;
		to->timeout = u->db.timeout;
		to->connections = u->db.connections;
		switch (user_drivers[to->driver].asker) {
		case DRIVER_IS_FILE: break;
		case DRIVER_ASKS_DB: to->index = c->db.role.n++; break;
		case DRIVER_ASKS_PAM: to->index = c->pam.role.n++; break;
		}
	}
}

void
conf_check_known(struct conf *c, const struct conf_lines *l)
{
	for (unsigned i = 0; i < c->n_known; i++)
		check_block(&c->known[i], c->mail, l);
	if (c->n_known == 0)
		add_file(c);
	else
		take_file(c, l);
	tell_auth(c);
}

/* The block that a process asks. */
static const struct conf_users *
block_of(const struct conf *c, enum user_driver_asker asker, uint16_t index)
{
	unsigned i = 0;

	while (i + 1 < c->n_known &&
	       (user_drivers[c->known[i].db.driver].asker != asker ||
		   c->auth.known[i].index != index))
		i++;
	return &c->known[i];
}

void
conf_db_of(
    const struct conf *c, unsigned i, bool for_admin, struct db_conf *out)
{
	const struct conf_users *u = &c->known[i];

	*out = u->db;
	out->role = c->db.role;
	out->role.memory = DB_ASK_MEMORY;
	if (for_admin && u->admin_connection[0] != '\0')
		memcpy(out->connection, u->admin_connection,
		    sizeof(out->connection));
}

void
conf_db_fit(struct conf *c, uint16_t index)
{
	struct role_conf role = c->db.role;

	c->db = block_of(c, DRIVER_ASKS_DB, index)->db;
	c->db.role = role;
}

void
conf_pam_fit(struct conf *c, uint16_t index)
{
	const struct conf_users *u = block_of(c, DRIVER_ASKS_PAM, index);
	struct pam_conf *to = &c->pam;

	memcpy(to->name, u->db.name, sizeof(to->name));
	memcpy(to->service, u->service, sizeof(to->service));
	memcpy(to->program, u->program, sizeof(to->program));
	to->local_part = strcmp(u->db.query, "$2") == 0;
	to->driver = u->db.driver;
	to->timeout = u->db.timeout;
	to->connections = u->db.connections;
	to->questions = u->questions;
	to->first_uid = c->auth.first_uid;
	to->last_uid = c->auth.last_uid;
}
