/* malote collect, malote daemon */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/command/call.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/command/sending.h"
#include "client/secret/secret.h"
#include "client/setup/conf_edit.h"
#include "client/setup/talk.h"

/* A person is here: is what has changed right? */
static bool
ask_accept(const struct client_conf *conf, bool *held)
{
	bool any = false;

	for (size_t i = 0; i < conf->n; i++) {
		if (!held[i])
			continue;
		held[i] =
		    talk_confirm(false,
			_("Go on with %s as it is now, deleting included?"),
			conf->v[i].name) == TALK_YES;
		any |= held[i];
	}
	return any;
}

static struct collect_options
options_of(const struct options *o)
{
	bool json = option_is_given(o, OPT_JSON);
	bool accept = option_is_given(o, OPT_ACCEPT);

	return (struct collect_options){
		.state_dir = o->state,
		.terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) &&
			    !json && !option_is_given(o, OPT_QUIET),
		.accept = accept,
		/* A person is here, whatever is to be reported; a timer has no
		 * terminal. */
		.insist = isatty(STDIN_FILENO) || accept,
		.trace = option_is_given(o, OPT_VERBOSE),
		.changes = option_is_given(o, OPT_CHANGES) && !json,
	};
}

/* Those that wait for the person's word are collected from once more. */
static int
collect_held(struct call *call, struct collect_options *c, bool *held)
{
	struct collect_set **set = &call->set;
	struct errbuf eb;
	int code = report_end((*set)->report);

	if (!c->terminal || !talk_is_possible() ||
	    !ask_accept(&(*set)->conf, held))
		return code;
	memcpy((*set)->chosen, held, (*set)->conf.n * sizeof(*held));
	c->accept = true;
	return collect_run(c, set, NULL, &eb) == E_OK
		   ? report_end((*set)->report)
		   : code;
}

/* ---- passwords that were typed ---- */

static enum err
ask_no_more(const struct call *call, const struct account *a, struct errbuf *eb)
{
	struct conf_edit ed;
	struct conf_block b;
	enum err e = conf_edit_open(&ed, call->o->conf, eb);

	if (e == E_OK && (e = conf_edit_find(&ed, a->name, &b, eb)) == E_OK &&
	    (e = conf_edit_add(&ed, &b, "keyring = \"yes\"", eb)) == E_OK)
		e = conf_edit_save(&ed, eb);
	conf_edit_close(&ed);
	return e;
}

static void
offer_to_keep(const struct call *call)
{
	const struct client_conf *conf = &call->set->conf;
	struct errbuf eb;

	for (size_t i = 0; i < conf->n; i++) {
		const struct account *a = &conf->v[i];
		const char *password = secret_right(a);

		if (password == NULL || !secret_can_keep(a) ||
		    talk_confirm(false,
			_("Keep the password of %s in the keyring, and not ask "
			  "for it again?"),
			a->name) != TALK_YES)
			continue;
		if (secret_keep(a, password, &eb) != E_OK ||
		    ask_no_more(call, a, &eb) != E_OK)
			say_error(eb.text);
	}
	secret_right_clear();
}

int
cmd_collect(struct call *call)
{
	struct collect_options c = options_of(call->o);
	bool *held;
	struct errbuf eb;
	int code;

	if (option_is_given(call->o, OPT_DRY_RUN))
		return cmd_dry_run(call);
	held = calloc(call->set->conf.n + 1, sizeof(*held));
	if (held == NULL)
		return failed_by(call->o, EX_OSERR, "%s", _("out of memory"));
	if (collect_run(&c, &call->set, held, &eb) == E_OK)
		code = collect_held(call, &c, held);
	else
		code = failed_by(call->o, EX_OSERR, "%s", eb.text);
	code = sending_flush(call->o, &call->set->conf, c.terminal, code);
	if (c.terminal && talk_is_possible())
		offer_to_keep(call);
	free(held);
	return code;
}

static struct collect_set *
reload(void *arg)
{
	char when[CLOCK_DATE], words[256];
	struct collect_set *set;
	int code = call_load(arg, &set);

	clock_date(when, (int64_t)(clock_unix_ms() / 1000));
	snprintf(words, sizeof(words), "%s %s", when,
	    code == -1 ? _("the configuration was read again")
		       : _("the configuration stays as it was"));
	say_error(words);
	return set;
}

static void
told(void *arg, const struct outgoing *o)
{
	const struct call *call = arg;
	struct sending s = { .o = call->o };

	sending_tell(&s, o);
}

/* It ends when it is told to, and then all is well. */
int
cmd_daemon(struct call *call)
{
	struct collect_options c = {
		.state_dir = call->o->state,
		.accept = option_is_given(call->o, OPT_ACCEPT),
		.trace = option_is_given(call->o, OPT_VERBOSE),
		.daemon = true,
		.reload = reload,
		.told = told,
		.arg = call,
	};
	struct errbuf eb;

	if (collect_run(&c, &call->set, NULL, &eb) != E_OK) {
		say_error(eb.text);
		return EX_OSERR;
	}
	(void)report_end(call->set->report);
	return EX_OK;
}
