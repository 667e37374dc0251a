#include "client/command/commands.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/call.h"
#include "client/command/failure.h"
#include "client/oauth/renew.h"
#include "client/state/account_lock.h"
#include "client/state/state.h"
#include "conf/text.h"

#define ADD_OPTIONS \
	(TAKES(OPT_SERVER) | TAKES(OPT_PORT) | TAKES(OPT_SECURITY) | \
	    TAKES(OPT_USER) | TAKES(OPT_FINGERPRINT) | TAKES(OPT_CA_FILE) | \
	    TAKES(OPT_NAME) | TAKES(OPT_PASSWORD_COMMAND) | \
	    TAKES(OPT_TOKEN_COMMAND) | TAKES(OPT_OAUTH) | TAKES(OPT_KEYRING) | \
	    TAKES(OPT_KEEP_PASSWORD) | TAKES(OPT_KEEP) | TAKES(OPT_DELIVER) | \
	    TAKES(OPT_YES) | TAKES(OPT_NO_COLLECT))

/* In the order of the help; the first one is also run without its word. */
static const struct command commands[] = {
	{ "collect", N_("[NAME..]"), N_("the same as a command"), 0, ANY_NUMBER,
	    ANY_NUMBER, NEEDS_CONF | NEEDS_RECORD | IS_WARNED,
	    TAKES(OPT_DRY_RUN), cmd_collect },
	{ "add", N_("[ADDRESS]"), N_("sets an account up"), 0, 1, 0,
	    NEEDS_RECORD, ADD_OPTIONS, cmd_add },
	{ "list", N_("[NAME..]"), N_("what is on the server"), 0, ANY_NUMBER,
	    ANY_NUMBER, NEEDS_CONF | NEEDS_RECORD | IS_WARNED, 0, cmd_list },
	{ "fetch", N_("NAME N.."), N_("collects these"), 2, ANY_NUMBER, 1,
	    NEEDS_CONF | NEEDS_RECORD | IS_WARNED, 0, cmd_fetch },
	{ "delete", N_("NAME N.."), N_("deletes these on the server"), 2,
	    ANY_NUMBER, 1, NEEDS_CONF | NEEDS_RECORD | IS_WARNED,
	    TAKES(OPT_YES), cmd_delete },
	{ "test", N_("[NAME..]"),
	    N_("tries the settings, and says what is wrong"), 0, ANY_NUMBER,
	    ANY_NUMBER, NEEDS_CONF | IS_WARNED, TAKES(OPT_SHARE), cmd_test },
	{ "status", N_("[NAME..]"), N_("what was collected and what is left"),
	    0, ANY_NUMBER, ANY_NUMBER, NEEDS_CONF | NEEDS_RECORD, 0,
	    cmd_status },
	{ "accounts", N_("[NAME..]"), N_("what is configured"), 0, ANY_NUMBER,
	    ANY_NUMBER, NEEDS_CONF | NEEDS_RECORD, 0, cmd_accounts },
	{ "login", N_("[NAME..]"), N_("signs in at a provider, in a browser"),
	    0, ANY_NUMBER, ANY_NUMBER, NEEDS_CONF | NEEDS_RECORD | IS_WARNED,
	    TAKES(OPT_BROWSER) | TAKES(OPT_DEVICE), cmd_login },
	{ "daemon", N_("[NAME..]"),
	    N_("keeps running, and collects at intervals"), 0, ANY_NUMBER,
	    ANY_NUMBER, NEEDS_CONF | NEEDS_RECORD | IS_WARNED | IS_DAEMON, 0,
	    cmd_daemon },
	{ "serve", N_("[NAME..]"),
	    N_("gives what was collected to mail programs"), 0, ANY_NUMBER,
	    ANY_NUMBER, NEEDS_CONF, TAKES(OPT_PORT) | TAKES(OPT_SHOW),
	    cmd_serve },
	{ "send", N_("[ACCOUNT] [FILE]"), N_("sends a message"), 0, 2, 0,
	    NEEDS_CONF | NEEDS_RECORD, 0, cmd_send },
	{ "sendmail", N_("[OPTION..] [ADDRESS..]"),
	    N_("the same, for programs that call sendmail"), 0, ANY_NUMBER, 0,
	    0, 0, cmd_sendmail },
	{ "outbox", "[list|retry|drop] [ID..]", N_("what waits to be sent"), 0,
	    ANY_NUMBER, 0, 0, 0, cmd_outbox },
	{ "rename", N_("OLD NEW"), N_("gives an account another name"), 2, 2, 1,
	    NEEDS_CONF | NEEDS_RECORD | NEEDS_LOCK, 0, cmd_rename },
	{ "forget", N_("NAME"), N_("drops the record of an account"), 1, 1, 1,
	    NEEDS_RECORD,
	    TAKES(OPT_YES) | TAKES(OPT_BLOCK) | TAKES(OPT_PASSWORD),
	    cmd_forget },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]), FORM_WIDTH = 25 };

void
commands_help(void)
{
	char left[80];

	fputs(_("usage: malote [options] [command]\n"), stdout);
	putchar('\n');
	options_print_line(
	    "malote", FORM_WIDTH, _("collects from all accounts"));
	options_print_line(
	    _("malote NAME.."), FORM_WIDTH, _("collects from these"));
	for (size_t i = 0; i < COMMANDS; i++) {
		snprintf(left, sizeof(left), "malote %s %s", commands[i].word,
		    _(commands[i].form));
		options_print_line(left, FORM_WIDTH, _(commands[i].help));
	}
	putchar('\n');
	options_print();
	fputs(_("The manual: man malote, man malote.conf\n"), stdout);
}

/* ---- which command ---- */

static void
overlook(void *arg, bool is_error, const char *words)
{
}

static const struct command *
find_command(const char *word)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].word, word) == 0)
			return &commands[i];
	return NULL;
}

static void
print_accounts(const struct options *o)
{
	struct client_conf conf;

	if (client_conf_load(&conf, o->conf, overlook, NULL) != E_OK)
		return;
	for (size_t i = 0; i < conf.n; i++)
		printf(
		    "account\t%s\t-\t%s\t-\n", conf.v[i].name, conf.v[i].email);
	client_conf_free(&conf);
}

/* The words between "[" and "]" at the beginning of its form that may be
 * typed. */
static void
print_choices(const struct command *c)
{
	size_t whole = c->form[0] == '[' ? strcspn(c->form, "]") : 0;

	for (size_t at = 1, n; at < whole; at += n + 1) {
		n = strcspn(c->form + at, "|]");
		if (n != whole - 1)
			printf("word\t%.*s\t-\t-\t%s\n", (int)n, c->form + at,
			    c->word);
	}
}

void
commands_words(const struct options *o)
{
	char most[16];

	for (size_t i = 0; i < COMMANDS; i++) {
		const struct command *c = &commands[i];

		snprintf(most, sizeof(most), "%d", c->accounts);
		printf("command\t%s\t%s\t%s\t-\n", c->word,
		    c->accounts == ANY_NUMBER ? "any" : most, _(c->help));
		print_choices(c);
		options_words(c->word, c->options);
	}
	options_words(NULL, 0);
	print_accounts(o);
}

static const char *
nearest_command(const char *word)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (conf_distance(word, commands[i].word) <= 2)
			return commands[i].word;
	return NULL;
}

static const char *
nearest_account(const struct client_conf *conf, const char *word)
{
	size_t most = strlen(word) < 6 ? 1 : 2;

	for (size_t i = 0; i < conf->n; i++)
		if (conf_distance(word, conf->v[i].name) <= most)
			return conf->v[i].name;
	return NULL;
}

static int
no_command(
    const struct options *o, const struct client_conf *conf, const char *word)
{
	const char *near = nearest_command(word);

	if (near == NULL)
		near = nearest_account(conf, word);
	if (near == NULL)
		return mistyped(
		    o, _("there is no command or account %s"), word);
	return mistyped(o,
	    _("there is no command or account %s; did you mean %s?"), word,
	    near);
}

/* A word that is no command is an account to be collected.  One of a configuration
 * with a mistake in it may be: what is wrong there is said then.  The same. */
static int
take_account(struct call *c, int argc, char **argv)
{
	struct client_conf conf;
	enum err e = client_conf_load(&conf, c->o->conf, overlook, NULL);
	int code = -1;

	if (e != E_OK)
		memset(&conf, 0, sizeof(conf));
	if (client_conf_find(&conf, argv[0]) == NULL &&
	    (e != E_CONFIG || nearest_command(argv[0]) != NULL))
		code = no_command(c->o, &conf, argv[0]);
	client_conf_free(&conf);
	c->command = &commands[0];
	c->argument = argv;
	c->n = argc;
	return code;
}

/* ---- what it needs ---- */

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

static enum err
lock_account(struct account_lock *l, const struct call *c,
    const struct account *a, struct errbuf *eb)
{
	char maildrop[DIGEST_TEXT];

	if (account_maildrop(maildrop, a) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return account_lock_take(l, c->o->state, a->name, maildrop, eb);
}

/* Runs it with the locks of its accounts. */
static int
run_locked(struct call *c)
{
	const struct collect_set *set = c->set;
	struct account_lock *locks = calloc(set->conf.n + 1, sizeof(*locks));
	size_t n = 0;
	struct errbuf eb;
	enum err e = E_OK;
	int code = -1;

	if (locks == NULL)
		return failed_by(c->o, EX_OSERR, "%s", _("out of memory"));
	for (; e == E_OK && n < set->conf.n; n++) {
		locks[n] = (struct account_lock)ACCOUNT_LOCK_NONE;
		if (set->chosen[n])
			e = lock_account(&locks[n], c, &set->conf.v[n], &eb);
	}
	if (e != E_OK)
		code = failed_by(c->o, e == E_BUSY ? EX_TEMPFAIL : EX_IOERR,
		    "%s: %s", set->conf.v[n - 1].name, eb.text);
	else
		code = c->command->run(c);
	while (n > 0)
		account_lock_release(&locks[--n]);
	free(locks);
	return code;
}

/* A command's word wins; whoever is there is told of the other way. */
static void
warn_of_names(const struct client_conf *conf)
{
	char words[OPTIONS_PATH + 3 * 1024];

	for (size_t i = 0; i < conf->n; i++) {
		if (find_command(conf->v[i].name) == NULL)
			continue;
		snprintf(words, sizeof(words),
		    _("%s:%u: warning: account \"%s\" has the name of a "
		      "command; to collect it: malote collect %s"),
		    conf->file, conf->v[i].line, conf->v[i].name,
		    conf->v[i].name);
		say_error(words);
	}
}

static int
run_call(struct call *c)
{
	unsigned needs = c->command->needs;
	int code = -1;

	if ((needs & NEEDS_CONF) != 0)
		code = call_load(c, &c->set);
	if (code == -1 && (needs & IS_WARNED) != 0 &&
	    !option_is_given(c->o, OPT_QUIET) && isatty(STDERR_FILENO))
		warn_of_names(&c->set->conf);
	if (code == -1 && (needs & NEEDS_RECORD) != 0)
		code = prepare_state(c->o);
	if (code == -1)
		code = (needs & NEEDS_LOCK) != 0 ? run_locked(c)
						 : c->command->run(c);
	oauth_renew_finish();
	collect_set_free(c->set);
	return code;
}

/* -1: their number is right; else the exit code. */
static int
check_number(const struct call *c)
{
	if (c->n >= c->command->least && c->n <= c->command->most)
		return -1;
	return mistyped(c->o, _("it is: malote %s %s"), c->command->word,
	    _(c->command->form));
}

/* Somebody is at a terminal who has configured nothing yet. */
static bool
is_newcomer(const struct options *o)
{
	return access(o->conf, F_OK) < 0 && errno == ENOENT &&
	       !option_is_given(o, OPT_CONFIG) && isatty(STDIN_FILENO) &&
	       isatty(STDOUT_FILENO) && !option_is_given(o, OPT_JSON) &&
	       !option_is_given(o, OPT_QUIET);
}

/* What is run without a word. */
static const char *
usual_word(const struct options *o)
{
	if (!is_newcomer(o))
		return commands[0].word;
	puts(_("There is no account yet; this sets one up."));
	return "add";
}

/* -1: go on; else the exit code. */
static int
choose_command(struct call *c, int argc, char **argv)
{
	const char *word = argc > 0 ? argv[0] : usual_word(c->o);

	if ((c->command = find_command(word)) == NULL)
		return take_account(c, argc, argv);
	if (argc > 1) {
		c->argument = argv + 1;
		c->n = argc - 1;
	}
	return -1;
}

int
commands_run(const struct options *o, int argc, char **argv)
{
	struct call c = { .o = o };
	int code;

	if ((code = choose_command(&c, argc, argv)) == -1 &&
	    (code = options_fit(o, c.command->word, c.command->options)) ==
		-1 &&
	    (code = check_number(&c)) == -1)
		code = run_call(&c);
	return code;
}
