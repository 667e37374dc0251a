/* malote test: one verdict on each account, and what to write if it is wrong. */
#include <ev.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/command/looks.h"
#include "client/command/share.h"
#include "client/command/test_json.h"
#include "client/command/test_sending.h"
#include "client/conf/place.h"
#include "client/report/columns.h"
#include "client/setup/trial.h"
#include "client/state/state.h"

enum { LINE = 2048 };

/* All accounts, one after the other. */
struct tests {
	struct looks k;
	json_t *steps; /* of this account */
	const struct account *account;
	struct trial *trial;
	char verdict[LINE], said[512];
	int title; /* columns */
};

/* ---- lines ---- */

static void PRINTF(2, 3) say(const struct tests *t, const char *fmt, ...)
{
	char line[LINE], masked[LINE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	puts(option_is_given(t->k.call->o, OPT_SHARE)
		 ? share_mask(masked, sizeof(masked), line, t->account)
		 : line);
	fflush(stdout);
}

/* The widest title: the words begin behind it. */
static int
title_width(void)
{
	int most = 0;

	for (enum trial_step i = 0; i < TRIAL_STEPS; i++)
		if (columns_of(trial_step_title(i)) > most)
			most = columns_of(trial_step_title(i));
	return most;
}

static void
say_step(const struct tests *t, const struct trial_report *r)
{
	const char *title = trial_step_title(r->step);
	int pad = t->title - columns_of(title);

	if (r->verdict == TRIAL_FAILED)
		say(t, "  %s%*s  %s", title, pad, "", _("FAILED"));
	else
		say(t, "  %s%*s  %s", title, pad, "", r->words);
	if (r->verdict == TRIAL_NOTED)
		say(t, "  %*s  (%s)", t->title, "", r->advice);
}

/* ---- what a trial tells ---- */

static void
on_step(void *arg, const struct trial_report *r)
{
	struct tests *t = arg;

	if (r->verdict == TRIAL_FAILED) {
		snprintf(t->verdict, sizeof(t->verdict), "%s%s%s", r->words,
		    r->advice[0] != '\0' ? "; " : "", r->advice);
		snprintf(t->said, sizeof(t->said), "%s", r->said);
	}
	if (t->k.json != NULL)
		json_array_append_new(t->steps, test_json_step(r));
	else if (!option_is_given(t->k.call->o, OPT_QUIET))
		say_step(t, r);
}

static void
on_trace(void *arg, bool received, const char *line)
{
	say(arg, "    %s %s", received ? "<" : ">", line);
}

static void
say_verdict(const struct tests *t, enum outcome o)
{
	const char *name = t->account->name;

	if (o == OUTCOME_OK) {
		if (!option_is_given(t->k.call->o, OPT_QUIET))
			say(t, _("%s: all is well"), name);
		return;
	}
	say(t, "%s: %s", name, t->verdict);
	if (t->said[0] != '\0')
		say(t, _("%s: the server says: \"%s\""), name, t->said);
}

static void
on_over(void *arg, enum outcome o)
{
	struct tests *t = arg;

	if (t->k.code == EX_OK)
		t->k.code = outcome_exit_code(o);
	if (t->k.json != NULL)
		json_array_append_new(
		    t->k.json, test_json_account(t->account, o, t->steps,
				   trial_facts(t->trial)));
	else
		say_verdict(t, o);
	ev_break(t->k.loop, EVBREAK_ALL);
}

/* ---- sending ---- */

static void
say_sending(const struct tests *t, const struct submission_result *r)
{
	const struct account *a = t->account;

	if (r->outcome == OUTCOME_OK) {
		if (!option_is_given(t->k.call->o, OPT_QUIET))
			say(t, _("%s: sending by %s:%u is well, too (%s)"),
			    a->name, a->smtp.server, a->smtp.port,
			    r->sign_in[0] != '\0' ? r->sign_in
						  : _("no sign-in"));
		return;
	}
	say(t, _("%s: it cannot send: %s"), a->name, r->words);
}

static void
test_sending(struct tests *t, bool traces)
{
	struct test_sending conf = {
		.loop = t->k.loop,
		.dialer = t->k.dialer,
		.state_dir = t->k.call->o->state,
		.terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) &&
			    t->k.json == NULL,
		.trace = traces ? on_trace : NULL,
		.arg = t,
	};
	struct submission_result r;

	test_sending_run(&conf, t->account, &r);
	if (t->k.code == EX_OK)
		t->k.code = outcome_exit_code(r.outcome);
	if (t->k.json == NULL)
		say_sending(t, &r);
	else
		json_object_set_new(
		    json_array_get(t->k.json, json_array_size(t->k.json) - 1),
		    "sending", test_sending_json(t->account, &r));
}

/* ---- all of them ---- */

static void
test_account(struct tests *t, const struct account *a)
{
	static const struct trial_hooks quiet = { on_step, NULL, on_over };
	static const struct trial_hooks loud = { on_step, on_trace, on_over };
	const struct options *o = t->k.call->o;
	bool traces = t->k.json == NULL && (option_is_given(o, OPT_VERBOSE) ||
					       option_is_given(o, OPT_SHARE));
	struct trial_conf conf = {
		.loop = t->k.loop,
		.dialer = t->k.dialer,
		.account = a,
		.state_dir = o->state,
		.terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) &&
			    t->k.json == NULL,
		.until = TRIAL_SPACE,
		.hooks = traces ? &loud : &quiet,
		.arg = t,
	};

	t->account = a;
	t->steps = json_array();
	t->verdict[0] = t->said[0] = '\0';
	if (t->k.json == NULL && !option_is_given(o, OPT_QUIET))
		say(t, "%s", a->name);
	if ((t->trial = trial_start(&conf)) != NULL)
		ev_run(t->k.loop, 0);
	else
		t->k.code = failed_by(o, EX_OSERR, "%s", _("out of memory"));
	trial_free(t->trial);
	if (t->trial != NULL && a->smtp.server != NULL)
		test_sending(t, traces);
	if (t->k.json == NULL)
		json_decref(t->steps);
}

static void
say_what_is_masked(void)
{
	printf(_("\nmalote %s. Masked above: passwords and tokens (***), what "
		 "stands before the @ of addresses, your user name, your home "
		 "folder. Names of servers and what the server says stand as "
		 "they are.\n"),
	    MALOTE_VERSION);
}

static bool
needs_tokens(const struct client_conf *c, const struct account *a)
{
	return a->client != NULL || account_delivers_with_token(c, a);
}

/* Tokens are locked in there while they are renewed, by a trial too.  -1: go on;
 * else the exit code. */
static int
make_place_of_tokens(const struct call *call)
{
	const struct collect_set *set = call->set;
	struct errbuf eb;

	for (size_t i = 0; i < set->conf.n; i++)
		if (set->chosen[i] &&
		    needs_tokens(&set->conf, &set->conf.v[i]) &&
		    state_make_folder(call->o->state, &eb) != E_OK)
			return failed_by(call->o, EX_IOERR, "%s", eb.text);
	return -1;
}

int
cmd_test(struct call *call)
{
	const struct collect_set *set = call->set;
	struct tests t = { .title = title_width() };
	int code = make_place_of_tokens(call);

	if (code != -1 || (code = looks_begin(&t.k, call)) != -1)
		return code;
	for (size_t i = 0; i < set->conf.n; i++)
		if (set->chosen[i])
			test_account(&t, &set->conf.v[i]);
	if (t.k.json == NULL && option_is_given(call->o, OPT_SHARE))
		say_what_is_masked();
	return looks_end(&t.k);
}
