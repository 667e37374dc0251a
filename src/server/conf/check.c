#include "server/conf/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slurp.h"
#include "sasl/sasl.h"
#include "server/conf/client_files.h"
#include "server/conf/retention_text.h"
#include "server/conf/role_table.h"
#include "server/conf/spelling.h"
#include "server/conf/uidl_format.h"

enum {
	NOFILE_MIN = 256,
	WINDOWS_FDS_MAX = 2000,
	AUTOLOGOUT_MIN = 600,     /* RFC 1939 s3 */
	LOGIN_DELAY_USUAL = 3600, /* seconds, at most */
};

static void
check_host(struct conf *c, const struct conf_lines *l)
{
	const char *p = c->worker.host;

	if (p[0] == '\0' &&
	    gethostname(c->worker.host, sizeof(c->worker.host) - 1) < 0)
		COMPLAIN(l, "hostname",
		    "this machine has no name; write hostname = \"NAME\"");
	/* It stands within <...> in the greeting. */
	for (; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr("<>@\"\\", *p) != NULL) {
			COMPLAIN(l, "hostname",
			    "hostname \"%s\" is not a name; write letters, "
			    "digits, - and .",
			    c->worker.host);
			return;
		}
}

static const char *
known_mechanisms(char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; sasl_mechanisms[i] != NULL && n < size; i++)
		n += (size_t)snprintf(
		    out + n, size - n, " %s", sasl_mechanisms[i]->name);
	return out;
}

/* What else must be said before it can be served. */
static void
check_mechanism(const struct conf *c, const struct conf_lines *l, unsigned line,
    struct slice name)
{
	const struct sasl_mechanism *m = sasl_find(name);
	char known[256];

	if (m == NULL)
		conf_error(&l->text, line,
		    "there is no mechanism %.*s; write some of:%s", (int)name.n,
		    name.p, known_mechanisms(known, sizeof(known)));
	else if (m->asks == SASL_EXTERNAL && c->client_ca[0] == '\0')
		conf_error(&l->text, line,
		    "EXTERNAL needs to know who signs certificates of clients; "
		    "write client_ca = \"FILE\"");
	else if (m->asks == SASL_TICKET && c->kerberos.keytab[0] == '\0')
		conf_error(&l->text, line,
		    "GSSAPI needs the keys of the service pop; write keytab = "
		    "\"FILE\"");
	else if (m->asks == SASL_TOKEN && c->n_issuers == 0)
		conf_error(&l->text, line,
		    "%s needs to know whose tokens are good; write a block "
		    "oauth \"NAME\" with issuer, audience and keys",
		    m->name);
	else if (m->asks == SASL_ANYBODY && c->auth.anonymous[0] == '\0')
		conf_error(&l->text, line,
		    "ANONYMOUS needs a maildrop; write anonymous = \"NAME\" of "
		    "the user whose mail everybody may read");
}

static void
check_mechanisms_of(const struct conf *c, const struct conf_lines *l,
    unsigned line, const char *p)
{
	while (*(p += strspn(p, " ")) != '\0') {
		struct slice name = { p, strcspn(p, " ") };

		check_mechanism(c, l, line, name);
		p += name.n;
	}
}

static bool
is_offered(const struct conf *c, const char *mechanism)
{
	for (unsigned i = 0; i < c->n_listeners; i++)
		if (str_has_word(c->listener[i].mechanisms, mechanism))
			return true;
	return false;
}

/* What auth is told: all of them, for it does not know listeners. */
static void
list_offered(struct conf *c)
{
	char *out = c->auth.mechanisms;
	size_t n = 0, size = sizeof(c->auth.mechanisms);

	for (size_t i = 0; sasl_mechanisms[i] != NULL && n < size; i++)
		if (is_offered(c, sasl_mechanisms[i]->name))
			n += (size_t)snprintf(
			    out + n, size - n, "%s ", sasl_mechanisms[i]->name);
}

static void
check_client_certificates(const struct conf *c, const struct conf_lines *l,
    const struct conf_listener *of)
{
	if (!of->client_certificates)
		return;
	if (c->client_ca[0] == '\0')
		conf_error(&l->text, of->line,
		    "listener \"%s\" asks for certificates of clients that "
		    "nobody signs; write client_ca = \"FILE\"",
		    of->name);
	else if (of->tls == LISTEN_PLAIN)
		conf_error(&l->text, of->line,
		    "listener \"%s\" asks for certificates of clients, but has "
		    "no TLS; write tls = \"starttls\"",
		    of->name);
	else if (!str_has_word(of->mechanisms, "EXTERNAL"))
		conf_error(&l->text, of->line,
		    "listener \"%s\" asks for certificates of clients that are "
		    "of no use; write EXTERNAL among its mechanisms",
		    of->name);
}

/* A listener that does not say has those of all. */
static void
check_mechanisms(struct conf *c, const struct conf_lines *l)
{
	check_mechanisms_of(c, l, l->line(l, "mechanisms"), c->mechanisms);
	for (unsigned i = 0; i < c->n_listeners; i++) {
		struct conf_listener *of = &c->listener[i];

		if (of->mechanisms[0] != '\0')
			check_mechanisms_of(c, l, of->line, of->mechanisms);
		else
			memcpy(of->mechanisms, c->mechanisms,
			    sizeof(c->mechanisms));
		check_client_certificates(c, l, of);
	}
	list_offered(c);
}

/* Of two files only the first is read if that fails; the second is then tried
 * here, so that both are named at once. */
static void
check_readable(
    const char *path, const char *setting, const struct conf_lines *l)
{
	struct errbuf eb;
	struct stat st;
	int fd;

	if (slurp_open(path, &fd, &st, &eb) == E_OK)
		close(fd);
	else
		COMPLAIN(l, setting,
		    "%s: %s; name a PEM file that maloted can "
		    "read",
		    path, eb.text);
}

static void
check_client_ca(const struct conf *c, const struct conf_lines *l)
{
	bool crl = c->client_crl[0] != '\0', about_crl;
	struct client_ca *ca;
	struct errbuf eb;

	if (c->client_ca[0] == '\0') {
		if (crl)
			COMPLAIN(l, "client_crl",
			    "there is a list of revoked certificates, but "
			    "nobody who signs any; write client_ca = \"FILE\"");
		return;
	}
	if (client_files_read(c, &ca, &about_crl, &eb) != E_OK) {
		COMPLAIN(l, about_crl ? "client_crl" : "client_ca", "%s: %s",
		    about_crl ? c->client_crl : c->client_ca, eb.text);
		if (crl && !about_crl)
			check_readable(c->client_crl, "client_crl", l);
	}
	client_ca_free(ca);
}

static void
check_anonymous(const struct conf *c, const struct conf_lines *l)
{
	struct slice name = { c->auth.anonymous, strlen(c->auth.anonymous) };
	char out[NAME_MAX_OCTETS + 1];
	struct errbuf eb;

	if (name.n != 0 && text_name(name, out, &eb) != E_OK)
		COMPLAIN(l, "anonymous",
		    "anonymous \"%s\" is not the name of a user: %s",
		    c->auth.anonymous, eb.text);
}

static void
complain_of_mark(const struct conf_lines *l, const char *setting,
    unsigned char odd, const char *but)
{
	char shown[8];

	if (odd != 0)
		COMPLAIN(l, setting,
		    "%s cannot have the character %s: write printable ones of "
		    "ASCII, but no letter, digit, space%s",
		    setting, str_escape(shown, sizeof(shown), &odd, 1), but);
}

static void
check_marks(const struct conf *c, const struct conf_lines *l)
{
	complain_of_mark(l, "login_characters",
	    text_refuses_in_names(c->auth.login_characters), ", / : or @");
	complain_of_mark(l, "login_separators",
	    text_refuses_as_separator(c->auth.login_separators), ", @ . or -");
}

/* Else who is asked for would begin where a name goes on. */
static void
check_master_separator(const struct conf *c, const struct conf_lines *l)
{
	const char *mark = c->auth.master_separator;
	bool in_names = strpbrk(c->auth.login_characters, mark) != NULL;

	if (in_names || strpbrk(c->auth.login_separators, mark) != NULL)
		COMPLAIN(l, "master_separator",
		    "master_separator = \"%s\" is one of %s, too: take it out "
		    "there, or write another one",
		    mark, in_names ? "login_characters" : "login_separators");
}

static void
check_domain(const struct conf *c, const struct conf_lines *l)
{
	const char *d = c->auth.default_domain;

	if (d[0] != '\0' && !text_is_domain(d))
		COMPLAIN(l, "default_domain",
		    "default_domain \"%s\" is not a domain; write what stands "
		    "behind the @",
		    d);
}

/* The server works in /: a relative path would mean another file there. */
static void
check_absolute(
    const char *path, const char *setting, const struct conf_lines *l)
{
	if (path[0] != '\0' && path[0] != '/')
		COMPLAIN(l, setting,
		    "%s = \"%s\" is not an absolute path; begin it with /",
		    setting, path);
}

/* ---- users and mail ---- */

static bool
is_file(const struct stat *st, const char *path)
{
	struct stat of;

	return stat(path, &of) == 0 && of.st_dev == st->st_dev &&
	       of.st_ino == st->st_ino;
}

/* May everybody put another file of that name into its folder? */
static bool
is_replaceable(const char *path, int folder_n)
{
	char folder[CONF_PATH_MAX + 1];
	struct stat st;

	if (folder_n < 0 || folder_n >= CONF_PATH_MAX)
		return false; /* the folder we are in: for tests only */
	snprintf(folder, sizeof(folder), "%.*s/", folder_n, path);
	return stat(folder, &st) == 0 && (st.st_mode & S_IWOTH) != 0 &&
	       (st.st_mode & S_ISVTX) == 0;
}

/* Whoever may write the settings, the users file or a program that says who may
 * sign in, may read all mail. */
static void
warn_of_writers(const char *path, const struct conf_lines *l, unsigned line)
{
	const char *slash = strrchr(path, '/');
	int folder_n = slash != NULL ? (int)(slash - path) : -1;
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	if ((st.st_mode & S_IWOTH) != 0)
		conf_warn(&l->text, line,
		    "everybody may write %s, and so read all mail; chmod o= %s",
		    path, path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		conf_warn(&l->text, line,
		    "%s belongs to uid %u, who may so read all mail; as root: "
		    "chown root %s",
		    path, st.st_uid, path);
	if (is_replaceable(path, folder_n))
		conf_warn(&l->text, line,
		    "everybody may replace %s, and so read all mail; chmod o-w "
		    "%.*s/",
		    path, folder_n, path);
}

static void
check_users(const struct conf *c, const struct conf_lines *l)
{
	struct errbuf eb;
	struct stat st;
	int fd;

	if (slurp_open(c->users, &fd, &st, &eb) != E_OK) {
		COMPLAIN(l, "users",
		    "users file %s: %s; malotectl user add NAME makes it",
		    c->users, eb.text);
		return;
	}
	close(fd);
	if (is_file(&st, "/etc/passwd") || is_file(&st, "/etc/shadow")) {
		COMPLAIN(l, "users",
		    "%s is the system's list of users, whose passwords maloted "
		    "does not take; write users = \"%s\", which malotectl user "
		    "add NAME makes",
		    c->users, CONF_USERS);
		return;
	}
	if ((st.st_mode & (S_IROTH | S_IWOTH)) == S_IROTH)
		WARN(l, "users",
		    "everybody may read the password hashes in %s; chmod o= %s",
		    c->users, c->users);
	warn_of_writers(c->users, l, l->line(l, "users"));
}

/* With any numbers it must make a unique-id. */
static void
check_uidl_format(struct conf *c, const struct conf_lines *l)
{
	static const struct uid_vars some = { 1, 1, { "1.x.y", 5 },
		{ "0123456789abcdef0123456789abcdef", 32 } };
	struct uid uid;

	if (!uid_format(&uid, c->store.uidl_format, &some))
		COMPLAIN(l, "pop3_uidl_format",
		    "pop3_uidl_format \"%s\" makes no unique-id; it is text "
		    "with %%u, %%v, %%f or %%g, as in \"%%08Xu%%08Xv\"",
		    c->store.uidl_format);
}

/* ---- numbers ---- */

static uint32_t
clamp(uint32_t v, uint32_t min, uint32_t max)
{
	return v < min ? min : v > max ? max : v;
}

static void
processes(struct conf *c, const struct conf_env *env)
{
	uint32_t cores = clamp(env->cores, 1, 64);

	if (c->worker.role.n == 0)
		c->worker.role.n = (uint16_t)cores;
	if (c->store.role.n == 0)
		c->store.role.n = (uint16_t)clamp(cores / 2, 1, 64);
	if (c->auth.mail_uid == AUTH_NO_UID)
		c->store.role.n = 0;
	c->auth.role.n = 1;
	c->auth.n_stores = c->worker.shared_stores = c->store.role.n;
	c->auth.apop = c->worker.apop;
	c->auth.sdps = c->worker.sdps;
	if (c->auth.hash_threads == 0)
		c->auth.hash_threads = (uint16_t)cores;
	c->auth.hash_queue =
	    (uint16_t)clamp(c->auth.hash_threads * 64, 64, 1024);
	c->store.threads = (uint16_t)clamp(cores * 2, 4, 16);
}

/* Descriptors set how many sessions there can be: a worker has two for each
 * (socket, index) and a fifth of all for messages on their way, at most
 * WINDOWS_FDS_MAX; a store has one (the lock), and a quarter for its work. */
static void
sessions(struct conf *c, const struct conf_env *env, const struct conf_lines *l)
{
	uint32_t n = env->nofile, fixed, windows, per_process;
	uint64_t by_stores;

	if (n < NOFILE_MIN) {
		COMPLAIN(l, "max_sessions",
		    "only %u files may be open; raise the limit (ulimit -n, "
		    "LimitNOFILE=) to %d or more",
		    n, NOFILE_MIN);
		return;
	}
	c->uid_stores_max = clamp(n / 16, 1, 1024);
	fixed = 32u + LISTENERS_MAX + c->store.role.n + c->uid_stores_max;
	n = n > fixed ? n - fixed : 0;
	windows = clamp(n / 5, 0, WINDOWS_FDS_MAX);
	per_process = (n - windows) / 2;
	by_stores = (uint64_t)(env->nofile / 4 * 3 - 64) * c->store.role.n;
	if (c->store.role.n != 0 && by_stores / c->worker.role.n < per_process)
		per_process = (uint32_t)(by_stores / c->worker.role.n);
	c->worker.sessions_max = clamp(per_process, 1, per_process + 1);
	if (c->max_sessions == 0) {
		c->worker.slots = c->worker.sessions_max;
		return;
	}
	per_process = (c->max_sessions - 1) / c->worker.role.n + 1;
	if (per_process <= c->worker.sessions_max)
		c->worker.sessions_max = per_process;
	else
		WARN(l, "max_sessions",
		    "max_sessions = %u needs more than the %u files that may "
		    "be open; raise the limit (ulimit -n, LimitNOFILE=), or "
		    "write %u",
		    c->max_sessions, env->nofile,
		    c->worker.sessions_max * c->worker.role.n);
	c->worker.slots = c->worker.sessions_max;
}

static void
check_numbers(const struct conf *c, const struct conf_lines *l)
{
	if (c->auth.first_uid > c->auth.last_uid)
		COMPLAIN(l, "first_uid",
		    "first_uid = %u is above last_uid = %u; nobody is between",
		    c->auth.first_uid, c->auth.last_uid);
	if (c->auth.login_delay > LOGIN_DELAY_USUAL)
		WARN(l, "login_delay",
		    "login_delay = %u refuses people who look for mail more "
		    "than twice in that time; write %d or less, and "
		    "malote_login_delay in the users file for who is to wait "
		    "longer",
		    c->auth.login_delay, LOGIN_DELAY_USUAL);
	if (c->worker.idle_timeout < AUTOLOGOUT_MIN)
		WARN(l, "idle_timeout",
		    "idle_timeout = %u is below the %d seconds that RFC 1939 "
		    "promises clients",
		    c->worker.idle_timeout, AUTOLOGOUT_MIN);
}

static void
check_expire(struct conf *c, const struct conf_lines *l)
{
	struct slice text = { c->expire, strlen(c->expire) };

	if (!retention_parse(text, &c->auth.retention)) {
		c->auth.retention = RETENTION_NEVER;
		COMPLAIN(l, "expire",
		    "expire = \"%s\" is not known; write " RETENTION_WORDS,
		    c->expire);
	} else if (c->auth.retention != RETENTION_NEVER &&
		   c->users[0] == '\0') {
		WARN(l, "expire",
		    "expire = %s is for users of a passwd-file, and there is "
		    "none; let rows of databases have a column malote_expire",
		    c->expire);
	}
}

#ifdef HAVE_METRICS
enum { HAS_METRICS = 1 };
#else
enum { HAS_METRICS = 0 };
#endif

/* Numbers of sessions are nobody's secret, but whoever can ask can ask often. */
static void
check_metrics(struct conf *c, const struct conf_lines *l)
{
	struct metrics_at at;

	c->metrics.role.n = 0;
	if (c->metrics_at[0] == '\0')
		return;
	if (!metrics_parse(&at, c->metrics_at))
		COMPLAIN(l, "metrics",
		    "metrics = \"%s\" is no address of this machine alone; "
		    "write \"127.0.0.1:9110\", \"[::1]:9110\" or "
		    "\"unix:/run/malote/metrics\"",
		    c->metrics_at);
	else if (!HAS_METRICS)
		COMPLAIN(l, "metrics",
		    "this maloted was built without metrics (libmicrohttpd); "
		    "leave the setting out");
	else
		c->metrics.role.n = 1;
}

void
conf_check_accounts(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l)
{
	check_marks(c, l);
	check_master_separator(c, l);
	check_domain(c, l);
	conf_check_mail(c, l);
	check_numbers(c, l);
	conf_check_ids(c, env, l);
}

void
conf_check(
    struct conf *c, const struct conf_env *env, const struct conf_lines *l)
{
	snprintf(c->worker.implementation, sizeof(c->worker.implementation),
	    "malote");
	conf_check_known(c, l);
	for (size_t i = 0; i < c->source.n_files; i++)
		warn_of_writers(c->source.file[i], l, 0);
	for (unsigned i = 0; i < c->n_known; i++)
		if (c->known[i].program[0] != '\0')
			warn_of_writers(
			    c->known[i].program, l, c->known[i].line);
	check_host(c, l);
	check_absolute(c->users, "users", l);
	check_absolute(c->control_socket, "control_socket", l);
	conf_check_certificates(c, l);
	check_absolute(c->client_ca, "client_ca", l);
	check_absolute(c->client_crl, "client_crl", l);
	check_client_ca(c, l);
	check_anonymous(c, l);
	conf_check_listeners(c, l);
	check_mechanisms(c, l);
	check_absolute(c->kerberos.keytab, "keytab", l);
	check_absolute(c->kerberos.krb5_conf, "krb5_conf", l);
	conf_check_kerberos(c, l);
	conf_check_services(c, l);
	conf_check_issuers(c, l);
	if (c->users[0] != '\0')
		check_users(c, l);
	check_expire(c, l);
	check_metrics(c, l);
	conf_check_accounts(c, env, l);
	check_uidl_format(c, l);
	processes(c, env);
	sessions(c, env, l);
	c->worker.mark_seen = c->store.mark_seen;
	memcpy(c->auth.host, c->worker.host, sizeof(c->auth.host));
}
