#include "client/command/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/i18n.h"
#include "client/command/call.h"
#include "client/command/failure.h"
#include "client/state/account_lock.h"
#include "client/state/state.h"
#include "conf/text.h"

/* In the order of the help; the first one is also run without its word. */
static const struct command commands[] = {
	{ "collect", N_("[NAME..]"), N_("from these"), 0, ANY_NUMBER,
	    ANY_NUMBER, NEEDS_CONF | NEEDS_RECORD | IS_WARNED, 0, cmd_collect },
	{ "test", N_("[NAME..]"),
	    N_("tries the settings, and says what is wrong"), 0, ANY_NUMBER,
	    ANY_NUMBER, NEEDS_CONF | IS_WARNED, TAKES(OPT_SHARE), cmd_test },
	{ "status", N_("[NAME..]"), N_("what was collected, what is left"), 0,
	    ANY_NUMBER, ANY_NUMBER, NEEDS_CONF | NEEDS_RECORD, 0, cmd_status },
	{ "accounts", N_("[NAME..]"), N_("what is configured"), 0, ANY_NUMBER,
	    ANY_NUMBER, NEEDS_CONF | NEEDS_RECORD, 0, cmd_accounts },
	{ "daemon", N_("[NAME..]"), N_("collects again and again"), 0,
	    ANY_NUMBER, ANY_NUMBER,
	    NEEDS_CONF | NEEDS_RECORD | IS_WARNED | IS_DAEMON, 0, cmd_daemon },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

void
commands_help(void)
{
	char left[80];

	fputs(_("usage: malote [options] [command]\n"), stdout);
	printf("\n  %-25s %s\n", "malote", _("collects from all accounts"));
	for (size_t i = 0; i < COMMANDS; i++) {
		snprintf(left, sizeof(left), "malote %s %s", commands[i].word,
		    _(commands[i].form));
		printf("  %-25s %s\n", left, _(commands[i].help));
	}
	putchar('\n');
	options_print();
	fputs(_("\nThe manual: man malote, man malote.conf\n"), stdout);
}

/* ---- which command ---- */

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
	for (size_t i = 0; i < COMMANDS; i++)
		if (conf_distance(word, commands[i].word) <= 2)
			return mistyped(o,
			    _("there is no command %s; did you mean %s?"), word,
			    commands[i].word);
	return mistyped(o, _("there is no command %s"), word);
}

static const struct command *
find_command(const char *word)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].word, word) == 0)
			return &commands[i];
	return NULL;
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

static int
run_call(struct call *c)
{
	unsigned needs = c->command->needs;
	int code = -1;

	if ((needs & NEEDS_CONF) != 0)
		code = call_load(c, &c->set);
	if (code == -1 && (needs & NEEDS_RECORD) != 0)
		code = prepare_state(c->o);
	if (code == -1)
		code = (needs & NEEDS_LOCK) != 0 ? run_locked(c)
						 : c->command->run(c);
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

int
commands_run(const struct options *o, int argc, char **argv)
{
	const char *word = argc > 0 ? argv[0] : commands[0].word;
	struct call c = { .o = o, .command = find_command(word) };
	int code;

	if (c.command == NULL)
		return no_command(o, word);
	if (argc > 1) {
		c.argument = argv + 1;
		c.n = argc - 1;
	}
	if ((code = options_fit(o, word, c.command->options)) == -1 &&
	    (code = check_number(&c)) == -1)
		code = run_call(&c);
	return code;
}
