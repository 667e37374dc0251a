/*
 * malotectl - changes the users file.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "server/conf/conf.h"
#include "server/ctl/ask.h"
#include "server/ctl/edit.h"
#include "server/users/account.h"
#include "server/users/name.h"
#include "server/users/passwd.h"
#include "server/users/scheme.h"

static const char usage[] =
    "usage: malotectl [option ...] user add NAME\n"
    "       malotectl [option ...] user passwd NAME\n"
    "       malotectl [option ...] user delete NAME\n"
    "       malotectl [option ...] user list\n"
    "\n"
    "  -c, --config FILE  maloted.conf, which names the users file\n"
    "                   (" CONF_FILE ")\n"
    "  --users FILE     the users file itself\n"
    "  --scheme SCHEME  how a password is stored: ARGON2ID (as is done\n"
    "                   without this), BLF-CRYPT, SHA512-CRYPT, YESCRYPT,\n"
    "                   SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, or PLAIN\n"
    "                   (readable; APOP needs it)\n"
    "  --uid N --gid N  the mail is this system user's, not mail_user's\n"
    "  --home DIR       home directory, for %h and ~ in the mail location\n"
    "  --mail LOCATION  maildir:/DIRECTORY instead of the setting `mail'\n"
    "  --help, --version\n"
    "\n"
    "A password is asked for twice at a terminal; otherwise it is one line\n"
    "of standard input.\n";

struct options {
	const char *config, *users, *scheme, *uid, *gid, *home, *mail;
	/* Of the configuration; NULL if none is read. */
	const struct conf *conf;
	struct name_rule rule;
};

/* What went wrong, for people; returns the exit status. */
static int
complain(enum err e, const struct errbuf *eb)
{
	fprintf(stderr, "malotectl: %s\n", eb->text);
	switch (e) {
	case E_NOMEM: return EX_OSERR;
	case E_FORMAT: return EX_DATAERR;
	case E_NOENT: return EX_NOUSER;
	case E_BUSY: return EX_TEMPFAIL;
	case E_DENIED: return EX_NOPERM;
	default: return EX_IOERR;
	}
}

/* ---- what is given ---- */

/* By the rule that the server reads the users file by. */
static enum err
make_name(const struct options *o, const char *given,
    char name[NAME_MAX_OCTETS + 1], struct errbuf *eb)
{
	return name_normalize(
	    &o->rule, (struct slice){ given, strlen(given) }, name, eb);
}

/* Could somebody of this name read mail, as the settings are? */
static enum err
check_account(const struct options *o, const char *name, struct errbuf *eb)
{
	struct user u = { .name = name,
		.home = o->home != NULL ? o->home : "",
		.mail = o->mail != NULL ? o->mail : "",
		.uid = AUTH_NO_UID,
		.gid = AUTH_NO_UID };
	struct account at;
	struct errbuf words;
	const char *why;

	if (o->conf == NULL)
		return E_OK;
	if (o->uid != NULL &&
	    (!str_to_u32((struct slice){ o->uid, strlen(o->uid) }, &u.uid) ||
		!str_to_u32((struct slice){ o->gid, strlen(o->gid) }, &u.gid)))
		return err_set(eb, E_FORMAT, "--uid and --gid are numbers");
	if (account_find(&at, &o->conf->auth, &u, &why, &words) != E_OK)
		return err_set(
		    eb, E_FORMAT, "%s could not sign in: %s", name, words.text);
	return E_OK;
}

static bool
is_id(const char *id)
{
	uint32_t v;

	return str_to_u32((struct slice){ id, strlen(id) }, &v) && v != 0 &&
	       v != UINT32_MAX;
}

/* Text that may stand between colons (or, as it ends a line, spaces). */
static bool
is_field(const char *s, const char *refused)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f ||
		    strchr(refused, *s) != NULL)
			return false;
	return true;
}

static enum err
check_options(const struct options *o, struct errbuf *eb)
{
	if (!scheme_is_made(o->scheme))
		return err_set(
		    eb, E_FORMAT, "--scheme must be one of %s", scheme_made);
	if ((o->uid == NULL) != (o->gid == NULL))
		return err_set(eb, E_FORMAT, "--uid and --gid go together");
	if (o->uid != NULL && (!is_id(o->uid) || !is_id(o->gid)))
		return err_set(
		    eb, E_FORMAT, "--uid and --gid must be numbers, and not 0");
	if (o->home != NULL && (o->home[0] != '/' || !is_field(o->home, ":")))
		return err_set(eb, E_FORMAT,
		    "--home must begin with \"/\" and have no \":\"");
	if (o->mail != NULL &&
	    (strncmp(o->mail, "maildir:", 8) != 0 || !is_field(o->mail, " ")))
		return err_set(eb, E_FORMAT,
		    "--mail must begin with \"maildir:\" and have no spaces");
	return E_OK;
}

/* ---- commands ---- */

static enum err
ask_hash(
    const struct options *o, char out[SCHEME_STORED_MAX], struct errbuf *eb)
{
	char password[ASK_ROOM];
	enum err e = ask_password(password, eb);

	if (e == E_OK)
		e = scheme_make(o->scheme, password, out, eb);
	explicit_bzero(password, sizeof(password));
	return e;
}

static enum err
no_user(const struct options *o, const char *name, struct errbuf *eb)
{
	return err_set(
	    eb, E_NOENT, "there is no user %s in %s", name, o->users);
}

/* Is the file fit for the command?  Asked before the password is, and again
 * when nobody else can change it. */
static enum err
check_free(const struct options *o, const struct edit *ed, const char *name,
    struct errbuf *eb)
{
	struct edit_line line;

	return edit_find(ed, &o->rule, name, true, &line)
		   ? err_set(eb, E_FORMAT, "there is a user %s already", name)
		   : E_OK;
}

static enum err
put_line(struct edit *ed, const struct options *o, const char *name,
    const char *hash, struct errbuf *eb)
{
	bool open_line = ed->n != 0 && ed->text[ed->n - 1] != '\n';
	char *line;
	int n = asprintf(&line, "%s%s:%s:%s:%s::%s::%s%s\n",
	    open_line ? "\n" : "", name, hash, o->uid != NULL ? o->uid : "",
	    o->gid != NULL ? o->gid : "", o->home != NULL ? o->home : "",
	    o->mail != NULL ? "userdb_mail=" : "",
	    o->mail != NULL ? o->mail : "");
	enum err e;

	if (n < 0)
		return err_set(eb, E_NOMEM, "out of memory");
	e = edit_splice(ed, ed->n, 0, (struct slice){ line, (size_t)n }, eb);
	explicit_bzero(line, (size_t)n);
	free(line);
	return e;
}

static enum err
user_add(const struct options *o, const char *name, struct errbuf *eb)
{
	char hash[SCHEME_STORED_MAX];
	struct edit ed;
	enum err e;

	if ((e = check_account(o, name, eb)) != E_OK)
		return e;
	if ((e = edit_open(&ed, o->users, false, eb)) == E_OK)
		e = check_free(o, &ed, name, eb);
	edit_close(&ed);
	if (e != E_OK || (e = ask_hash(o, hash, eb)) != E_OK)
		return e;
	if ((e = edit_open(&ed, o->users, true, eb)) == E_OK &&
	    (e = check_free(o, &ed, name, eb)) == E_OK &&
	    (e = put_line(&ed, o, name, hash, eb)) == E_OK)
		e = edit_save(&ed, eb);
	edit_close(&ed);
	explicit_bzero(hash, sizeof(hash));
	return e;
}

static enum err
user_passwd(const struct options *o, const char *name, struct errbuf *eb)
{
	char hash[SCHEME_STORED_MAX];
	struct edit_line line;
	struct edit ed;
	enum err e;

	e = edit_open(&ed, o->users, false, eb);
	if (e == E_OK && !edit_find(&ed, &o->rule, name, false, &line))
		e = no_user(o, name, eb);
	edit_close(&ed);
	if (e != E_OK || (e = ask_hash(o, hash, eb)) != E_OK)
		return e;
	e = edit_open(&ed, o->users, true, eb);
	if (e == E_OK && !edit_find(&ed, &o->rule, name, false, &line))
		e = no_user(o, name, eb);
	if (e == E_OK)
		e = edit_splice(&ed, (size_t)(line.hash.p - ed.text),
		    line.hash.n, (struct slice){ hash, strlen(hash) }, eb);
	if (e == E_OK)
		e = edit_save(&ed, eb);
	edit_close(&ed);
	explicit_bzero(hash, sizeof(hash));
	return e;
}

/* All lines of the user: a second one would count once the first is gone. */
static enum err
user_delete(const struct options *o, const char *name, struct errbuf *eb)
{
	struct edit_line line;
	struct edit ed;
	bool found = false;
	enum err e = edit_open(&ed, o->users, true, eb);

	while (e == E_OK && edit_find(&ed, &o->rule, name, false, &line)) {
		found = true;
		e = edit_splice(
		    &ed, line.at, line.n, (struct slice){ NULL, 0 }, eb);
	}
	if (e == E_OK)
		e = found ? edit_save(&ed, eb) : no_user(o, name, eb);
	edit_close(&ed);
	return e;
}

static enum err
user_list(const struct options *o, const char *none, struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1];
	struct slice rest, line, f[PASSWD_FIELDS];
	struct edit ed;
	enum err e = edit_open(&ed, o->users, false, eb);

	if (e == E_OK && !ed.exists)
		e = err_set(eb, E_IO, "%s does not exist", o->users);
	rest = (struct slice){ ed.text, ed.n };
	while (e == E_OK && passwd_line(&rest, &line))
		if (passwd_split(line, f) && f[PASSWD_HASH].p != NULL &&
		    name_normalize(&o->rule, f[PASSWD_NAME], name, NULL) ==
			E_OK)
			puts(name);
	edit_close(&ed);
	return e;
}

static const struct command {
	const char *name;
	int names; /* how many follow */
	enum err (*run)(
	    const struct options *o, const char *name, struct errbuf *eb);
} commands[] = {
	{ "add", 1, user_add },
	{ "passwd", 1, user_passwd },
	{ "delete", 1, user_delete },
	{ "list", 0, user_list },
};

static const struct command *
command_find(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[0], "user") != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0 &&
		    argc == 2 + commands[i].names)
			return &commands[i];
	return NULL;
}

/* ---- command line ---- */

/* Returns -1, or the status to exit with. */
static int
take_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "users", required_argument, NULL, 'u' },
		{ "scheme", required_argument, NULL, 's' },
		{ "uid", required_argument, NULL, 'i' },
		{ "gid", required_argument, NULL, 'g' },
		{ "home", required_argument, NULL, 'h' },
		{ "mail", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'H' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};

	for (;;) {
		switch (getopt_long(argc, argv, "c:", known, NULL)) {
		case 'c': o->config = optarg; break;
		case 'u': o->users = optarg; break;
		case 's': o->scheme = optarg; break;
		case 'i': o->uid = optarg; break;
		case 'g': o->gid = optarg; break;
		case 'h': o->home = optarg; break;
		case 'm': o->mail = optarg; break;
		case 'H': fputs(usage, stdout); return EX_OK;
		case 'V': puts("malotectl " MALOTE_VERSION); return EX_OK;
		case -1: return -1;
		default: fputs(usage, stderr); return EX_USAGE;
		}
	}
}

static void
say(void *arg, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

/* Reads the configuration, unless only a users file is named: names are then
 * taken as they are typed. */
static enum err
read_config(struct options *o, struct conf *conf)
{
	struct conf_report report = { .say = say };
	const char *file = o->config;
	struct conf_env env;
	enum err e;

	o->rule = (struct name_rule){ false, "" };
	if (o->users != NULL && file == NULL)
		return E_OK;
	if (file == NULL && access(CONF_FILE, F_OK) == 0)
		file = CONF_FILE;
	conf_env_here(&env);
	if ((e = conf_accounts(conf, file, &env, &report)) != E_OK)
		return e;
	o->rule = (struct name_rule){ conf->auth.login_lower,
		conf->auth.default_domain };
	if (file != NULL)
		o->conf = conf;
	if (o->users == NULL)
		o->users = conf->users;
	return E_OK;
}

static enum err
run(const struct command *c, const struct options *o, const char *given,
    struct errbuf *eb)
{
	char name[NAME_MAX_OCTETS + 1];
	enum err e = check_options(o, eb);

	if (e == E_OK && given != NULL)
		e = make_name(o, given, name, eb);
	return e == E_OK ? c->run(o, name, eb) : e;
}

int
main(int argc, char **argv)
{
	struct options o = { .scheme = "ARGON2ID" };
	static struct conf conf;
	const struct command *c;
	struct errbuf eb;
	int status;
	enum err e;

	if ((status = take_options(argc, argv, &o)) >= 0)
		return status;
	if ((c = command_find(argc - optind, argv + optind)) == NULL) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (read_config(&o, &conf) != E_OK)
		return EX_CONFIG;
	umask(077);
	if (scheme_init() != E_OK) {
		fputs("malotectl: no random numbers\n", stderr);
		return EX_OSERR;
	}
	e = run(c, &o, c->names != 0 ? argv[optind + 2] : NULL, &eb);
	if (e != E_OK)
		return complain(e, &eb);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
