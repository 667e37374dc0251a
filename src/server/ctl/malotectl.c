/*
 * malotectl - operates maloted: its command line.
 */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "server/ctl/commands.h"
#include "server/helper/db_once.h"
#include "server/ipc/role.h"

static const char usage[] =
    "usage: malotectl [option ...] user add NAME\n"
    "       malotectl [option ...] user passwd NAME\n"
    "       malotectl [option ...] user delete NAME\n"
    "       malotectl [option ...] user list\n"
    "       malotectl [option ...] user show NAME\n"
    "       malotectl [option ...] user test NAME\n"
    "       malotectl [option ...] auth failures\n"
    "       malotectl [option ...] app-password add USER --label LABEL\n"
    "       malotectl [option ...] app-password list [USER]\n"
    "       malotectl [option ...] app-password revoke USER --label LABEL\n"
    "       malotectl [option ...] status\n"
    "       malotectl [option ...] who [USER|SESSION]\n"
    "       malotectl [option ...] kick USER|SESSION\n"
    "       malotectl [option ...] trace USER [--octets | --off]\n"
    "       malotectl [option ...] log USER [--since WHEN]\n"
    "       malotectl [option ...] client-settings USER\n"
    "       malotectl [option ...] maildrop list USER\n"
    "       malotectl [option ...] maildrop show USER NUMBER\n"
    "       malotectl [option ...] maildrop check USER\n"
    "       malotectl [option ...] uidl show USER\n"
    "       malotectl [option ...] uidl forget USER\n"
    "       malotectl [option ...] expire show USER\n"
    "       malotectl [option ...] expire accept USER\n"
    "       malotectl [option ...] root accept [PATH]\n"
    "       malotectl [option ...] reload\n"
    "       malotectl [option ...] restart\n"
    "\n"
    "  -c, --config FILE  maloted.conf, which names the users file and the\n"
    "                   control socket (" CONF_FILE ")\n"
    "  --json           status, who, kick, auth failures, user show,\n"
    "                   user test, uidl show, expire show, maildrop,\n"
    "                   log, client-settings, app-password list: for\n"
    "                   programs\n"
    "  --log FILE       log: of that file and of those that were rotated,\n"
    "                   and not the journal's\n"
    "  --since WHEN     log: 2026-11-29, \"2026-11-29 22:20\", 7d, 12h\n"
    "  --octets         trace: what is in the messages, too\n"
    "  --off            trace: it ends now\n"
    "  --yes            uidl forget: do not ask\n"
    "  --users FILE     the users file itself\n"
    "  --database NAME  user: what is in that block `users' of maloted.conf,\n"
    "                   and not the first that knows the name\n"
    "  --scheme SCHEME  how a password is stored: ARGON2ID (as is done\n"
    "                   without this), BLF-CRYPT, SHA512-CRYPT, YESCRYPT,\n"
    "                   SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, or PLAIN\n"
    "                   (readable; APOP needs it)\n"
    "  --uid N --gid N  the mail is this system user's, not mail_user's\n"
    "  --home DIR       home directory, for %h and ~ in the mail location\n"
    "  --mail LOCATION  maildir:/DIRECTORY instead of the setting `mail'\n"
    "  --label LABEL    app-password: which one, as \"phone\"\n"
    "  --networks LIST  it is good from there only: "
    "192.0.2.0/24,2001:db8::/32\n"
    "  --until DAY      to the end of that day (UTC): 2030-12-31\n"
    "  --protocol NAME  it is good for that only: pop3, smtp\n"
    "  --help, --version\n"
    "\n"
    "A password is asked for at a terminal, a new one twice; otherwise it is\n"
    "one line of standard input.\n";

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
	case E_AGAIN: return EX_TEMPFAIL;
	case E_DENIED: return EX_NOPERM;
	case E_CLOSED: return EX_UNAVAILABLE;
	case E_CONFIG: return EX_CONFIG;
	default: return EX_IOERR;
	}
}

/* ---- commands ---- */

/* One of a server that runs is also a row in src/server/parent/control_socket.c;
 * see src/server/ipc/control.h. */
static const struct command {
	const char *word[2];
	int least, most; /* names that follow */
	enum err (*run)(
	    const struct options *o, const char *name, struct errbuf *eb);
} commands[] = {
	{ { "user", "add" }, 1, 1, user_add },
	{ { "user", "passwd" }, 1, 1, user_passwd },
	{ { "user", "delete" }, 1, 1, user_delete },
	{ { "user", "list" }, 0, 0, user_list },
	{ { "user", "show" }, 1, 1, user_show },
	{ { "user", "test" }, 1, 1, user_test },
	{ { "auth", "failures" }, 0, 0, auth_failures },
	{ { "app-password", "add" }, 1, 1, app_password_add },
	{ { "app-password", "list" }, 0, 1, app_password_list },
	{ { "app-password", "revoke" }, 1, 1, app_password_revoke },
	{ { "status" }, 0, 0, status },
	{ { "who" }, 0, 1, sessions_who },
	{ { "kick" }, 1, 1, sessions_kick },
	{ { "trace" }, 1, 1, trace },
	{ { "log" }, 1, 1, history },
	{ { "client-settings" }, 1, 1, client_settings },
	{ { "maildrop", "list" }, 1, 1, maildrop_list },
	{ { "maildrop", "show" }, 2, 2, maildrop_show },
	{ { "maildrop", "check" }, 1, 1, maildrop_check },
	{ { "uidl", "show" }, 1, 1, uidl_show },
	{ { "uidl", "forget" }, 1, 1, uidl_forget },
	{ { "expire", "show" }, 1, 1, expire_show },
	{ { "expire", "accept" }, 1, 1, expire_accept },
	{ { "root", "accept" }, 0, 1, root_accept },
	{ { "reload" }, 0, 0, reload },
	{ { "restart" }, 0, 0, restart },
};

/* The command, and the name behind it or NULL. */
static const struct command *
command_find(int argc, char **argv, const char **name_r)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];
		int words = c->word[1] != NULL ? 2 : 1, names = argc - words;

		if (names < c->least || names > c->most ||
		    strcmp(argv[0], c->word[0]) != 0 ||
		    (words == 2 && strcmp(argv[1], c->word[1]) != 0))
			continue;
		*name_r = names != 0 ? argv[words] : NULL;
		return c;
	}
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
		{ "database", required_argument, NULL, 'd' },
		{ "scheme", required_argument, NULL, 's' },
		{ "uid", required_argument, NULL, 'i' },
		{ "gid", required_argument, NULL, 'g' },
		{ "home", required_argument, NULL, 'h' },
		{ "mail", required_argument, NULL, 'm' },
		{ "label", required_argument, NULL, 'l' },
		{ "protocol", required_argument, NULL, 'p' },
		{ "networks", required_argument, NULL, 'n' },
		{ "until", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "log", required_argument, NULL, 'L' },
		{ "since", required_argument, NULL, 'S' },
		{ "octets", no_argument, NULL, 'O' },
		{ "off", no_argument, NULL, 'o' },
		{ "yes", no_argument, NULL, 'y' },
		{ "help", no_argument, NULL, 'H' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};

	for (;;) {
		switch (getopt_long(argc, argv, "c:", known, NULL)) {
		case 'c': o->config = optarg; break;
		case 'u': o->users = optarg; break;
		case 'd': o->database = optarg; break;
		case 's': o->scheme = optarg; break;
		case 'i': o->uid = optarg; break;
		case 'g': o->gid = optarg; break;
		case 'h': o->home = optarg; break;
		case 'm': o->mail = optarg; break;
		case 'l': o->label = optarg; break;
		case 'p': o->protocol = optarg; break;
		case 'n': o->networks = optarg; break;
		case 't': o->until = optarg; break;
		case 'j': o->json = true; break;
		case 'L': o->log = optarg; break;
		case 'S': o->since = optarg; break;
		case 'O': o->octets = true; break;
		case 'o': o->off = true; break;
		case 'y': o->yes = true; break;
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

	o->rule =
	    (struct name_rule){ .domain = "", .more = "", .separators = "" };
	o->socket = "";
	if (o->users != NULL && file == NULL)
		return E_OK;
	if (file == NULL && access(CONF_FILE, F_OK) == 0)
		file = CONF_FILE;
	conf_env_here(&env);
	if ((e = conf_accounts(conf, file, &env, &report)) != E_OK)
		return e;
	o->rule = name_rule_of(&conf->auth);
	o->socket = conf->control_socket;
	if (file != NULL)
		o->conf = conf;
	if (o->users == NULL) {
		o->users = conf->users;
		o->is_servers = true;
	}
	return E_OK;
}

/* What asks a database is this program, started anew: see ipc/spawn.h. */
static bool
is_role(int argc, char **argv)
{
	struct stat st;

	return argc == 3 && strcmp(argv[1], "-x") == 0 &&
	       strcmp(argv[2], "db_once") == 0 && fstat(ROLE_FD, &st) == 0 &&
	       S_ISSOCK(st.st_mode);
}

/* The language of the person, where there are words in it; names are shown in the
 * characters of the locale. */
static void
speak(void)
{
	const char *locales = getenv("MALOTE_LOCALEDIR");

	setlocale(LC_CTYPE, "");
	setlocale(LC_MESSAGES, "");
	bindtextdomain("malote", locales != NULL ? locales : LOCALEDIR);
	textdomain("malote");
}

int
main(int argc, char **argv)
{
	struct options o = { .scheme = "ARGON2ID" };
	static struct conf conf;
	const struct command *c;
	const char *name;
	struct errbuf eb;
	int status;
	enum err e;

	if (is_role(argc, argv))
		_exit(db_once_main(ROLE_FD));
	speak();
	if ((status = take_options(argc, argv, &o)) >= 0)
		return status;
	if ((c = command_find(argc - optind, argv + optind, &name)) == NULL) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (c->most == 2)
		o.second = argv[argc - 1];
	if (read_config(&o, &conf) != E_OK) {
		if (c->run == reload || c->run == restart)
			fputs("malotectl: nothing has changed: the settings "
			      "cannot be used\n",
			    stderr);
		return EX_CONFIG;
	}
	if ((e = c->run(&o, name, &eb)) != E_OK)
		return complain(e, &eb);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
