#include "server/trial/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slurp.h"
#include "sasl/sasl.h"
#include "server/store/maildir/lock.h"
#include "server/store/maildir/uidlfile.h"
#include "server/trial/combination.h"
#include "server/trial/coverage.h"
#include "server/trial/database_trial.h"
#include "server/trial/issuer_trial.h"
#include "server/users/host_account.h"
#include "server/users/scheme.h"

enum { USERS_MAX = 256 * 1024 * 1024, COMPLAINTS = 20 };

struct trial {
	const struct conf *conf;
	const struct conf_env *env;
	struct conf_text text; /* the users file */
	/* By enum users_fault; beyond COMPLAINTS they are only counted. */
	unsigned complaints[USERS_TWICE + 1];
	size_t good;
	struct coverage coverage;
	/* As conf->root: the way to one may be closed to the owners.  Of the one
	 * that is looked at now: */
	int roots[MAIL_ROOTS_MAX], root;
	const char *root_path;
};

/* A line makes no sense, or its user could not sign in.  That there are two of a
 * user is an error, as whoever wrote the second one (or a setting that makes one
 * name of two) has another password in mind than the one that counts. */
static void
complain(void *arg, enum users_fault fault, unsigned line, const char *what)
{
	struct trial *t = arg;

	if (t->complaints[fault]++ >= COMPLAINTS)
		return;
	if (fault == USERS_TWICE)
		conf_error(&t->text, line, "%s", what);
	else
		conf_warn(&t->text, line, "%s", what);
}

/* ---- as the owner of the mail ---- */

static bool
become(const struct trial *t, uint32_t uid, uint32_t gid)
{
	if (t->env->uid != 0)
		return uid == t->env->uid; /* nobody else could be served */
	return setgroups(0, NULL) == 0 && setegid(gid) == 0 &&
	       seteuid(uid) == 0;
}

static void
become_root_again(const struct trial *t)
{
	if (t->env->uid == 0 && (seteuid(0) < 0 || setegid(0) < 0))
		abort(); /* there is no way on */
}

static bool
is_usable(const struct trial *t, const char *path, int how)
{
	return faccessat(
		   t->root, path[0] != '\0' ? path : ".", how, AT_EACCESS) == 0;
}

/* Cuts the last component off; false if there is none left. */
static bool
cut(char *path)
{
	char *slash = strrchr(path, '/');

	if (path[0] == '\0')
		return false;
	*(slash != NULL ? slash : path) = '\0';
	return true;
}

/* May this Maildir be made?  Its path is cut to what is there. */
static bool
can_make(const struct trial *t, char *path)
{
	while (!is_usable(t, path, F_OK) && errno == ENOENT && cut(path))
		;
	return is_usable(t, path, W_OK | X_OK);
}

/* A Maildir that is there: all of it can be used so (as faccessat(2) has it). */
static bool
can_use(const struct trial *t, char path[MAIL_PATH_MAX], int how)
{
	static const char *const subs[] = { "", "/new", "/cur", "/tmp" };
	size_t n = strlen(path);

	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		if (n + strlen(subs[i]) >= MAIL_PATH_MAX)
			return errno = ENAMETOOLONG, false;
		memcpy(path + n, subs[i], strlen(subs[i]) + 1);
		if (!is_usable(t, path, how) && !(i != 0 && errno == ENOENT))
			return false;
	}
	path[n] = '\0';
	return true;
}

/* What the server keeps in a Maildir it takes only from its owner. */
static bool
is_of_another(
    const struct trial *t, uint32_t uid, const char *file, struct stat *st)
{
	return fstatat(t->root, file, st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (!S_ISREG(st->st_mode) || st->st_uid != uid);
}

/* Files that are left in a Maildir by root, who looked after it.  E_OK with
 * words: that does not keep anybody out. */
static enum err
try_kept_files(const struct trial *t, const struct account *at,
    const char *path, struct errbuf *eb)
{
	static const char *const names[] = { LOCKFILE_NAME, UIDLFILE_NAME };
	const char *slash = path[0] != '\0' ? "/" : "";
	char file[MAIL_PATH_MAX + 16];
	struct stat st;
	bool unlocked;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(file, sizeof(file), "%s%s%s", path, slash, names[i]);
		if (!is_of_another(t, at->uid, file, &st))
			continue;
		unlocked = i == 0 && S_ISREG(st.st_mode) &&
			   !is_usable(t, file, R_OK | W_OK);
		err_set(eb, E_OK,
		    "%s/%s is no file of uid %u%s; as root: chown %u:%u it",
		    t->root_path, file, at->uid,
		    unlocked ? ", and sessions would not keep each other out"
			     : "",
		    at->uid, at->gid);
		if (!unlocked)
			return E_DENIED;
	}
	return E_OK;
}

/* What there is instead of a folder and will be refused, however it is owned;
 * NULL: nothing. */
static const char *
no_folder(const struct trial *t, const char *path)
{
	struct stat st;

	if (fstatat(t->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	if (S_ISLNK(st.st_mode) && !t->conf->store.follow_maildrop)
		return "a symbolic link; put the Maildir itself there, or "
		       "write maildrop_symlinks = yes";
	if (S_ISREG(st.st_mode))
		return "a file: a traditional mbox, not a Maildir; convert it";
	return NULL;
}

/* A Maildir that is there.  E_OK with words: mail could be read, but. */
static enum err
try_maildir(const struct trial *t, const struct account *at,
    char path[MAIL_PATH_MAX], struct errbuf *eb)
{
	const char *root = t->root_path;
	const char *slash = path[0] != '\0' ? "/" : "";
	bool good = can_use(t, path, R_OK | W_OK | X_OK);
	bool read_only = !good && errno == EROFS;

	if (!good && !(read_only && can_use(t, path, R_OK | X_OK)))
		return err_set(eb, E_DENIED,
		    "uid %u cannot read and write %s%s%s; as root: chown -R "
		    "%u:%u it, and chmod -R u+rwX",
		    at->uid, root, slash, path, at->uid, at->gid);
	if (read_only)
		err_set(eb, E_OK,
		    "%s%s%s is read-only, and none could be removed; mount it "
		    "for writing",
		    root, slash, path);
	return try_kept_files(t, at, path, eb);
}

/* A Maildir that is not there yet. */
static enum err
try_making(const struct trial *t, const struct account *at,
    char path[MAIL_PATH_MAX], struct errbuf *eb)
{
	const char *root = t->root_path, *slash;
	bool good = can_make(t, path);

	slash = path[0] != '\0' ? "/" : "";
	if (good)
		return E_OK;
	if (errno == EROFS)
		return err_set(eb, E_DENIED,
		    "no folder can be made in %s%s%s, which is read-only; "
		    "mount it for writing",
		    root, slash, path);
	return err_set(eb, E_DENIED,
	    "uid %u cannot make a folder in %s%s%s; name one in mail that it "
	    "owns: install -d -o %u -g %u -m 700 FOLDER",
	    at->uid, root, slash, path, at->uid, at->gid);
}

/* As the owner.  The path, within the root, is changed to what it lacks. */
static enum err
try_path(const struct trial *t, const struct account *at,
    char path[MAIL_PATH_MAX], struct errbuf *eb)
{
	const char *odd = no_folder(t, path);

	if (odd != NULL)
		return err_set(
		    eb, E_FORMAT, "%s/%s is %s", t->root_path, path, odd);
	if (is_usable(t, path, F_OK))
		return try_maildir(t, at, path, eb);
	if (errno == ENOENT && !t->conf->store.create)
		return err_set(eb, E_NOENT,
		    "%s is not there, and create_maildir = no", at->mail);
	return try_making(t, at, path, eb);
}

/* What is tried from here on is in that root. */
static void
enter_root(struct trial *t, uint32_t number)
{
	for (unsigned i = 0; i < t->conf->n_roots; i++)
		if (t->conf->root[i].number == number) {
			t->root = t->roots[i];
			t->root_path = t->conf->root[i].path;
		}
}

static enum err
try_account(struct trial *t, const struct account *at, struct errbuf *eb)
{
	const char *in_root;
	char path[MAIL_PATH_MAX];
	enum err e;

	enter_root(t, at->root);
	/* account_find() has put it below the root. */
	in_root = at->mail + strlen("maildir:") + strlen(t->root_path);
	snprintf(path, sizeof(path), "%s", in_root + strspn(in_root, "/"));
	if (become(t, at->uid, at->gid))
		e = try_path(t, at, path, eb);
	else
		e = err_set(
		    eb, E_DENIED, "only root can become uid %u", at->uid);
	become_root_again(t);
	return e;
}

/* ---- the users ---- */

/* A master may have no mail of their own: they read that of others. */
static bool
needs_no_mail(const struct trial *t, const struct user *u)
{
	return u->permits.master && t->conf->auth.master_separator[0] != '\0';
}

static void
try_mail(struct trial *t, const struct user *u)
{
	struct account at;
	struct errbuf eb = { "" };
	const char *why;
	char what[NAME_MAX_OCTETS + sizeof(eb.text) + 64];
	enum err e = account_find(&at, &t->conf->auth, u, &why, &eb);

	if (e != E_OK && needs_no_mail(t, u)) {
		t->good++;
		return;
	}
	if (e == E_OK)
		e = try_account(t, &at, &eb);
	t->good += e == E_OK;
	if (eb.text[0] == '\0')
		return;
	snprintf(what, sizeof(what), "%s could %s %s", u->name,
	    e == E_OK ? "read mail, but" : "not read mail:", eb.text);
	complain(t, USERS_LINE, u->line, what);
}

/* Each maildrop of "host:PATH:PATH": one that is refused refuses the whole. */
static enum err
try_members(struct trial *t, const struct host_account *host, struct errbuf *eb)
{
	struct account at = {
		.uid = host->uid, .gid = host->gid, .root = host->root
	};
	enum err e = E_OK;

	for (const char *p = strchr(host->mail, ':'); e == E_OK && p != NULL;
	     p = strchr(p + 1, ':')) {
		snprintf(at.mail, sizeof(at.mail), "maildir:%.*s",
		    (int)strcspn(p + 1, ":"), p + 1);
		e = try_account(t, &at, eb);
	}
	return e;
}

static void
try_host(struct trial *t, const struct users *users, const struct user *u)
{
	struct host_account host;
	struct errbuf eb;
	const char *why;
	char what[NAME_MAX_OCTETS + sizeof(eb.text) + 32];
	enum err e =
	    host_account_find(&host, &t->conf->auth, users, u, &why, &eb);

	if (e == E_OK)
		e = try_members(t, &host, &eb);
	free(host.mail);
	if (e == E_OK) {
		t->good++;
		return;
	}
	snprintf(
	    what, sizeof(what), "%s could not read mail: %s", u->name, eb.text);
	complain(t, USERS_LINE, u->line, what);
}

static void
try_user(struct trial *t, const struct users *users, const struct user *u)
{
	/* Locked out on purpose, or complained about already. */
	if (scheme_check(u->hash, NULL) != E_OK || u->permits.no_login ||
	    u->permits.no_pop3)
		return;
	coverage_add(&t->coverage, u->name, u->hash);
	if (u->permits.master && t->conf->auth.master_separator[0] == '\0')
		complain(t, USERS_LINE, u->line,
		    "malote_master is without effect, as no master_separator "
		    "is set; write master_separator = \"*\", for example");
	if (u->host[0] != '\0')
		try_host(t, users, u);
	else
		try_mail(t, u);
}

static bool
is_anonymous_offered(const struct conf *c)
{
	const char *p = c->auth.mechanisms;

	while (*(p += strspn(p, " ")) != '\0') {
		struct slice name = { p, strcspn(p, " ") };
		const struct sasl_mechanism *m = sasl_find(name);

		if (m != NULL && m->asks == SASL_ANYBODY)
			return true;
		p += name.n;
	}
	return false;
}

/* ANONYMOUS needs no password of the user whose mail it reads: their line may
 * have one that nobody knows. */
static void
try_anonymous(
    struct trial *t, const struct users *users, const struct name_rule *rule)
{
	const char *anonymous = t->conf->auth.anonymous;
	struct slice given = { anonymous, strlen(anonymous) };
	char name[NAME_MAX_OCTETS + 1];
	const struct user *u = NULL;

	if (!is_anonymous_offered(t->conf))
		return;
	if (name_normalize(rule, given, name, NULL) == E_OK)
		u = users_find(users, name);
	if (u == NULL)
		conf_warn(&t->text, 0,
		    "ANONYMOUS is not offered, as there is no user %s, whose "
		    "mail it would read: malotectl user add %s",
		    anonymous, anonymous);
	else if (scheme_check(u->hash, NULL) != E_OK && !u->permits.no_login &&
		 !u->permits.no_pop3)
		try_mail(t, u);
}

/* In the order of the lines. */
static void
try_users(struct trial *t, struct slice text, const struct users *users,
    const struct name_rule *rule)
{
	struct slice line, f[PASSWD_FIELDS];
	char name[NAME_MAX_OCTETS + 1];
	const struct user *u;

	for (unsigned n = 1; passwd_line(&text, &line); n++) {
		if (!passwd_split(line, f) ||
		    name_normalize(rule, f[PASSWD_NAME], name, NULL) != E_OK)
			continue;
		u = users_find(users, name);
		if (u != NULL && u->line == n)
			try_user(t, users, u);
	}
}

static uint32_t
root_of_file(const struct auth_conf *auth)
{
	for (unsigned i = 0; i < auth->n_known; i++)
		if (user_drivers[auth->known[i].driver].asker == DRIVER_IS_FILE)
			return auth->place[i].number;
	return MAIL_ROOT_OF_POOL;
}

/* Without users: those who come will mostly be mail_user's. */
static void
try_root(struct trial *t)
{
	const struct auth_conf *auth = &t->conf->auth;
	bool good, read_only;

	conf_warn(&t->text, 0,
	    "there are no users yet; malotectl user add NAME makes one");
	if (auth->mail_uid == AUTH_NO_UID || !t->conf->store.create)
		return;
	enter_root(t, root_of_file(auth));
	good = become(t, auth->mail_uid, auth->mail_gid) &&
	       is_usable(t, "", W_OK | X_OK);
	read_only = !good && errno == EROFS;
	become_root_again(t);
	if (read_only)
		conf_error(&t->text, 0,
		    "no maildrop can be made in %s, which is read-only; mount "
		    "it for writing",
		    t->root_path);
	else if (!good)
		conf_error(&t->text, 0,
		    "mail_user, uid %u, cannot make maildrops in %s; as root: "
		    "install -d -o %u -g %u -m 700 %s, or name another folder "
		    "in mail",
		    auth->mail_uid, t->root_path, auth->mail_uid,
		    auth->mail_gid, t->root_path);
}

static void
say_how_many_more(struct trial *t)
{
	unsigned more = 0;

	for (int i = USERS_LINE; i <= USERS_TWICE; i++)
		if (t->complaints[i] > COMPLAINTS)
			more += t->complaints[i] - COMPLAINTS;
	if (more != 0)
		conf_warn(&t->text, 0, "and %u lines more like these", more);
}

static void
try_all(struct trial *t, const struct slurp *in)
{
	struct name_rule rule = name_rule_of(&t->conf->auth);
	struct slice text = { in->text, in->n };
	struct users *users;

	if (users_parse(&users, text, &rule, complain, t) != E_OK) {
		conf_error(&t->text, 0, "out of memory");
		return;
	}
	if (users_count(users) == 0)
		try_root(t);
	else
		try_users(t, text, users, &rule);
	try_anonymous(t, users, &rule);
	say_how_many_more(t);
	coverage_tell(&t->coverage, t->conf, &t->text);
	if (users_count(users) != 0 && t->good == 0)
		conf_error(&t->text, 0,
		    "nobody could sign in; mend what is said above");
	users_free(users);
}

/* A file that a process of its own user is to read.  False: it cannot. */
static bool
try_file(const struct trial *t, const struct conf_users *u)
{
	const struct conf *c = t->conf;
	struct conf_text text = conf_text_of(c, t->text.report);
	const char *file = u->db.file;
	bool good;

	if (file[0] == '\0' || u->db.driver == DRIVER_PASSWD_FILE)
		return true;
	good = become(t, c->db.role.uid, c->db.role.gid) &&
	       faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) == 0;
	become_root_again(t);
	if (!good)
		conf_error(&text, u->line,
		    "users \"%s\": db_user, uid %u, cannot read %s; as root: "
		    "chgrp %u it, and chmod g+r",
		    u->db.name, c->db.role.uid, file, c->db.role.gid);
	return good;
}

/* Can they be asked, and what do they say?  And what are passwords stored as that
 * do not say so? */
static void
try_databases(const struct trial *t)
{
	const struct conf *c = t->conf;
	struct conf_text text = conf_text_of(c, t->text.report);
	char stored[SCHEME_NAME_MAX + 4];

	for (unsigned i = 0; i < c->n_known; i++) {
		const struct conf_users *u = &c->known[i];
		bool good = try_file(t, u);

		snprintf(stored, sizeof(stored), "{%s}x", u->scheme);
		if (u->scheme[0] != '\0' && scheme_name(stored)[0] == '\0')
			conf_error(&text, u->line,
			    "users \"%s\": there is no scheme \"%s\"; "
			    "maloted.conf(5) lists them",
			    u->db.name, u->scheme);
		else if (good &&
			 user_drivers[u->db.driver].asker == DRIVER_ASKS_DB)
			database_trial(c, i, t->text.report);
	}
}

/* The user whose mail is everybody's stands in the users file. */
static void
try_anonymous_alone(const struct trial *t)
{
	if (is_anonymous_offered(t->conf))
		conf_warn(&t->text, 0,
		    "ANONYMOUS is not offered, as the user whose mail it would "
		    "read must stand in a passwd-file, and there is none");
}

static void
close_roots(struct trial *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		close(t->roots[i]);
}

static bool
open_roots(struct trial *t)
{
	for (unsigned i = 0; i < t->conf->n_roots; i++) {
		const char *path = t->conf->root[i].path;

		t->roots[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (t->roots[i] < 0) {
			conf_error(
			    &t->text, 0, "%s: %s", path, strerror(errno));
			close_roots(t, i);
			return false;
		}
	}
	enter_root(t, MAIL_ROOT_OF_POOL);
	return true;
}

size_t
conf_try(const struct conf *c, const struct conf_env *env,
    struct conf_report *report)
{
	const char *file = c->users[0] != '\0' ? c->users : c->file;
	struct trial t = { .conf = c,
		.env = env,
		.text = { .file = file, .report = report } };
	const struct conf_text of_settings = conf_text_of(c, report);
	struct errbuf eb;
	struct slurp in;

	try_databases(&t);
	for (unsigned i = 0; i < c->n_issuers; i++)
		issuer_trial(c, i, report);
	combination_tell(c, env, &of_settings);
	if (!open_roots(&t))
		return 0;
	if (c->users[0] == '\0') {
		try_anonymous_alone(&t);
		coverage_tell(&t.coverage, c, &t.text);
	} else if (slurp(c->users, USERS_MAX, &in, &eb) == E_OK) {
		try_all(&t, &in);
		explicit_bzero(in.text, in.n);
		free(in.text);
	} else {
		conf_error(&t.text, 0, "%s", eb.text);
	}
	close_roots(&t, c->n_roots);
	return t.good;
}
