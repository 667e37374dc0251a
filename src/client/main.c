/*
 * malote - collects mail from POP3 servers into this computer.
 */
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/sandbox.h"
#include "client/collect.h"
#include "client/conf/client_conf.h"
#include "client/report/report.h"
#include "client/report/status.h"
#include "client/session/outcome.h"
#include "client/state/state.h"
#include "conf/text.h"

enum { PATH = 4096 };

struct options {
	char conf[PATH], state[PATH];
	bool json, quiet, changes, verbose, accept;
};

static void
say_error(const char *words)
{
	fprintf(stderr, "malote: %s\n", words);
}

static void
print_help(void)
{
	fputs(_("usage: malote [options] [command]\n"
		"\n"
		"  malote                    collects from all accounts\n"
		"  malote collect [NAME..]   from these\n"
		"  malote status [NAME..]    what was collected, what is left\n"
		"  malote accounts [NAME..]  what is configured\n"
		"  malote daemon [NAME..]    collects again and again\n"
		"\n"
		"  --accept        what has changed on the server is right\n"
		"  --config FILE   instead of ~/.config/malote/malote.conf\n"
		"  --state FOLDER  instead of ~/.local/state/malote\n"
		"  --json          reports as JSON\n"
		"  -q, --quiet     says nothing but what failed\n"
		"  --changes       says only what is otherwise than before\n"
		"  -v, --verbose   shows the dialogue, without passwords\n"
		"  --version, --help\n"
		"\n"
		"The manual: man malote, man malote.conf\n"),
	    stdout);
}

/* ---- where things are ---- */

static bool
default_path(char out[PATH], const char *variable, const char *below_home,
    const char *name)
{
	const char *base = getenv(variable), *home = getenv("HOME");
	int n;

	if (base != NULL && base[0] == '/')
		n = snprintf(out, PATH, "%s/%s", base, name);
	else if (home != NULL && home[0] == '/')
		n = snprintf(out, PATH, "%s/%s/%s", home, below_home, name);
	else
		return false;
	return n > 0 && n < PATH;
}

static bool
defaults(struct options *o)
{
	return (o->conf[0] != '\0' || default_path(o->conf, "XDG_CONFIG_HOME",
					  ".config", "malote/malote.conf")) &&
	       (o->state[0] != '\0' || default_path(o->state, "XDG_STATE_HOME",
					   ".local/state", "malote"));
}

/* ---- failures ---- */

/* What was said before there was a report: the one of --json is an object all
 * the same. */
static int
failed(const struct options *o, int code, json_t *errors)
{
	json_t *all;

	if (o->json) {
		all = json_pack("{s:i, s:i, s:O, s:[]}", "malote", 1,
		    "exit_code", code, "errors", errors, "accounts");
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	}
	json_decref(errors);
	return code;
}

static int PRINTF(3, 4)
    failed_by(const struct options *o, int code, const char *fmt, ...)
{
	json_t *errors = json_array();
	char words[PATH + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	say_error(words);
	json_array_append_new(errors, report_json_text(words));
	return failed(o, code, errors);
}

/* What is wrong stays on the screen, which all of the help would push away. */
static int PRINTF(2, 3) mistyped(const struct options *o, const char *fmt, ...)
{
	char words[PATH + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	return failed_by(o, EX_USAGE, _("%s (see malote --help)"), words);
}

/* ---- options ---- */

/* Those without a letter of their own. */
enum {
	OPT_ACCEPT = 256,
	OPT_CONFIG,
	OPT_STATE,
	OPT_JSON,
	OPT_CHANGES,
	OPT_VERSION,
};

/* -1: go on; else the exit code. */
static int
set_path(const struct options *o, char out[PATH], const char *value)
{
	if (snprintf(out, PATH, "%s", value) < PATH)
		return -1;
	return mistyped(o, "%s", _("that path is too long"));
}

/* getopt_long() has stopped behind it, or within a word of several letters. */
static int
wrong_option(const struct options *o, int opt, const char *word)
{
	char letter[] = { '-', (char)optopt, '\0' };

	if (optopt != 0 && optopt < OPT_ACCEPT)
		return mistyped(o, _("there is no option %s"), letter);
	if (opt == ':')
		return mistyped(o, _("option %s needs a value"), word);
	if (optopt != 0)
		return mistyped(o, _("option %s takes no value"), word);
	return mistyped(o, _("there is no option %s"), word);
}

/* -1: go on; else the exit code. */
static int
take_option(struct options *o, int opt, const char *word)
{
	switch (opt) {
	case OPT_ACCEPT: o->accept = true; break;
	case OPT_JSON: o->json = true; break;
	case OPT_CHANGES: o->quiet = o->changes = true; break;
	case 'q': o->quiet = true; break;
	case 'v': o->verbose = true; break;
	case OPT_CONFIG: return set_path(o, o->conf, optarg);
	case OPT_STATE: return set_path(o, o->state, optarg);
	case OPT_VERSION: printf("malote %s\n", MALOTE_VERSION); return EX_OK;
	case 'h': print_help(); return EX_OK;
	default: return wrong_option(o, opt, word);
	}
	return -1;
}

/* The same. */
static int
parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "accept", no_argument, NULL, OPT_ACCEPT },
		{ "config", required_argument, NULL, OPT_CONFIG },
		{ "state", required_argument, NULL, OPT_STATE },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "quiet", no_argument, NULL, 'q' },
		{ "changes", no_argument, NULL, OPT_CHANGES },
		{ "verbose", no_argument, NULL, 'v' },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt, code = -1;

	while (code == -1 &&
	       (opt = getopt_long(argc, argv, ":hqv", longs, NULL)) != -1)
		code = take_option(o, opt, argv[optind - 1]);
	return code;
}

/* ---- commands ---- */

struct complaints {
	const struct options *o;
	bool warns;
	json_t *errors;
};

static void
complain(void *arg, bool is_error, const char *words)
{
	struct complaints *c = arg;

	if (is_error || c->warns)
		say_error(words);
	if (is_error)
		json_array_append_new(c->errors, report_json_text(words));
}

static int
no_account(
    const struct options *o, const struct client_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n; i++)
		if (conf_distance(name, conf->v[i].name) <= 2)
			return failed_by(o, EX_USAGE,
			    _("there is no account %s in %s; did you mean %s?"),
			    name, conf->file, conf->v[i].name);
	return failed_by(
	    o, EX_USAGE, _("there is no account %s in %s"), name, conf->file);
}

/* Which accounts are meant.  -1: go on; else the exit code. */
static int
choose(const struct options *o, const struct client_conf *conf, char **names,
    int n, bool *chosen)
{
	const struct account *a;

	for (size_t i = 0; i < conf->n; i++)
		chosen[i] = n == 0;
	for (int i = 0; i < n; i++) {
		if ((a = client_conf_find(conf, names[i])) == NULL)
			return no_account(o, conf, names[i]);
		chosen[a - conf->v] = true;
	}
	return -1;
}

/* A person is here: is what has changed right? */
static bool
ask_accept(const struct client_conf *conf, bool *held)
{
	char answer[16];
	bool any = false;

	for (size_t i = 0; i < conf->n; i++) {
		if (!held[i])
			continue;
		printf(_("Go on with %s as it is now, deleting included? "
			 "[y/N] "),
		    conf->v[i].name);
		fflush(stdout);
		held[i] = fgets(answer, sizeof(answer), stdin) != NULL &&
			  strchr(_("yY"), answer[0]) != NULL &&
			  answer[0] != '\0';
		any |= held[i];
	}
	return any;
}

/* What was asked for on the command line. */
struct request {
	const struct options *o;
	char **names; /* of accounts; none: all */
	int n;
	enum report_kind kind;
	bool warns; /* of the configuration */
};

/* -1: go on; else the exit code. */
static int
fill_set(struct collect_set *set, const struct request *q)
{
	const struct options *o = q->o;
	struct complaints c = { o, q->warns, json_array() };

	if (client_conf_load(&set->conf, o->conf, complain, &c) != E_OK)
		return failed(o, EX_CONFIG, c.errors);
	json_decref(c.errors);
	set->chosen = calloc(set->conf.n + 1, sizeof(*set->chosen));
	set->report = report_new(q->kind, &set->conf);
	if (set->chosen == NULL || set->report == NULL)
		return failed_by(o, EX_OSERR, "%s", _("out of memory"));
	return choose(o, &set->conf, q->names, q->n, set->chosen);
}

/* The same; *set_r is NULL then. */
static int
load_set(struct collect_set **set_r, const struct request *q)
{
	struct collect_set *set = calloc(1, sizeof(*set));
	int code;

	*set_r = set;
	if (set == NULL)
		return failed_by(q->o, EX_OSERR, "%s", _("out of memory"));
	if ((code = fill_set(set, q)) == -1)
		return -1;
	collect_set_free(set);
	*set_r = NULL;
	return code;
}

static struct collect_set *
reload(void *arg)
{
	struct collect_set *set;

	if (load_set(&set, arg) == -1)
		say_error(_("the configuration was read again"));
	else
		say_error(_("the configuration stays as it was"));
	return set;
}

/* Is there a terminal on which lines can be drawn anew? */
static bool
can_draw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static enum report_kind
kind_of_report(const struct options *o, bool daemon)
{
	if (o->json)
		return REPORT_JSON;
	if (daemon || o->changes)
		return REPORT_CHANGES;
	if (o->quiet)
		return REPORT_QUIET;
	return can_draw() && !o->verbose ? REPORT_BARS : REPORT_LINES;
}

static int
command_collect(struct request *q, struct collect_set **set)
{
	const struct options *o = q->o;
	struct collect_options c = {
		.state_dir = o->state,
		.terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) &&
			    !o->json && !o->quiet,
		.accept = o->accept,
		/* A person is here, whatever is to be reported; a timer has no
		 * terminal. */
		.insist = isatty(STDIN_FILENO) || o->accept,
		.trace = o->verbose,
		.changes = o->changes && !o->json,
	};
	bool *held = calloc((*set)->conf.n + 1, sizeof(*held));
	struct errbuf eb;
	int code = EX_OSERR;

	if (held == NULL) {
		code = failed_by(o, EX_OSERR, "%s", _("out of memory"));
	} else if (collect_run(&c, set, held, &eb) != E_OK) {
		code = failed_by(o, EX_OSERR, "%s", eb.text);
	} else {
		code = report_end((*set)->report);
		if (c.terminal && ask_accept(&(*set)->conf, held)) {
			memcpy((*set)->chosen, held,
			    (*set)->conf.n * sizeof(*held));
			c.accept = true;
			if (collect_run(&c, set, NULL, &eb) == E_OK)
				code = report_end((*set)->report);
		}
	}
	free(held);
	return code;
}

/* It ends when it is told to, and then all is well. */
static int
command_daemon(struct request *q, struct collect_set **set)
{
	struct collect_options c = {
		.state_dir = q->o->state,
		.accept = q->o->accept,
		.trace = q->o->verbose,
		.daemon = true,
		.reload = reload,
		.arg = q,
	};
	struct errbuf eb;

	if (collect_run(&c, set, NULL, &eb) != E_OK) {
		say_error(eb.text);
		return EX_OSERR;
	}
	(void)report_end((*set)->report);
	return EX_OK;
}

static int
command_status(const struct options *o, const struct collect_set *set,
    enum status_kind kind)
{
	struct errbuf eb;

	if (status_print(&set->conf, set->chosen, o->state,
		o->json ? STATUS_JSON : kind, &eb) == E_OK)
		return EX_OK;
	return failed_by(o, EX_IOERR, "%s", eb.text);
}

/* The state is made here, before anything else uses it, so that a damaged one
 * is put aside once. */
static int
prepare_state(const struct options *o)
{
	struct errbuf eb;
	struct state *s;
	bool put_aside;

	if (state_open(&s, o->state, &put_aside, &eb) != E_OK)
		return failed_by(o, EX_IOERR, "%s", eb.text);
	state_close(s);
	if (put_aside)
		say_error(_("the record of what was collected was damaged; it "
			    "is put aside and made anew from the mail that is "
			    "here"));
	return -1;
}

static int
run_command(const struct options *o, const char *command, char **names, int n)
{
	bool daemon = strcmp(command, "daemon") == 0;
	bool collects = daemon || strcmp(command, "collect") == 0;
	struct request q = { o, names, n, kind_of_report(o, daemon),
		collects && !o->quiet };
	struct collect_set *set;
	int code;

	if ((code = load_set(&set, &q)) != -1)
		return code;
	if ((code = prepare_state(o)) != -1)
		;
	else if (strcmp(command, "status") == 0)
		code = command_status(o, set, STATUS_STATUS);
	else if (strcmp(command, "accounts") == 0)
		code = command_status(o, set, STATUS_ACCOUNTS);
	else if (daemon)
		code = command_daemon(&q, &set);
	else
		code = command_collect(&q, &set);
	collect_set_free(set);
	return code;
}

static const char *const commands[] = { "collect", "status", "accounts",
	"daemon", NULL };

static bool
is_command(const char *word)
{
	for (size_t i = 0; commands[i] != NULL; i++)
		if (strcmp(commands[i], word) == 0)
			return true;
	return false;
}

static void
overlook(void *arg, bool is_error, const char *words)
{
}

/* A configuration that cannot be read has none. */
static bool
is_account(const char *conf_file, const char *name)
{
	struct client_conf conf;
	bool is;

	if (client_conf_load(&conf, conf_file, overlook, NULL) != E_OK)
		return false;
	is = client_conf_find(&conf, name) != NULL;
	client_conf_free(&conf);
	return is;
}

static int
no_command(const struct options *o, const char *word)
{
	if (is_account(o->conf, word))
		return mistyped(o,
		    _("%s is an account and no command: malote collect %s"),
		    word, word);
	for (size_t i = 0; commands[i] != NULL; i++)
		if (conf_distance(word, commands[i]) <= 2)
			return mistyped(o,
			    _("there is no command %s; did you mean %s?"), word,
			    commands[i]);
	return mistyped(o, _("there is no command %s"), word);
}

/* 0, 1 and 2 are nothing else: what is said must not get into a message. */
static void
fill_standard(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	if (fd >= 0)
		close(fd);
}

/* What was written may have got lost, as on a disk that is full. */
static int
end(int code)
{
	bool lost = ferror(stdout) != 0;

	if (fclose(stdout) == 0 && !lost)
		return code;
	say_error(_("the report could not be written to standard output"));
	return code == EX_OK ? EX_TEMPFAIL : code;
}

static int
malote(int argc, char **argv)
{
	static struct options o;
	const char *command = "collect";
	int code;

	if ((code = parse_options(&o, argc, argv)) != -1)
		return code;
	argc -= optind;
	argv += optind;
	if (argc > 0) {
		command = *argv++;
		argc--;
	}
	if (!defaults(&o))
		return failed_by(&o, EX_USAGE, "%s",
		    _("HOME is not set: say where things are, by --config and "
		      "--state"));
	if (!is_command(command))
		return no_command(&o, command);
	return run_command(&o, command, argv, argc);
}

int
main(int argc, char **argv)
{
	const char *locales = getenv("MALOTE_LOCALEDIR");

	fill_standard();
	sandbox_no_core();
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* write() tells */
	setlocale(LC_ALL, "");
	bindtextdomain("malote", locales != NULL ? locales : LOCALEDIR);
	textdomain("malote");
	return end(malote(argc, argv));
}
