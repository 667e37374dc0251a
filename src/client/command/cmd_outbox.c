/* malote outbox: what waits to be sent, and what the person decides about it. */
#include <jansson.h>
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
#include "client/command/outbox_list.h"
#include "client/command/sending.h"
#include "client/report/report.h"

/* ---- list ---- */

static const char *
fate_words(enum fate f, bool busy)
{
	static const char *const words[] = {
		[FATE_WAITING] = N_("waits"),
		[FATE_SENDING] = N_("is being sent"),
		[FATE_SENT] = N_("was sent"),
		[FATE_REFUSED] = N_("was refused"),
		[FATE_PERHAPS] = N_("was perhaps sent"),
	};

	return _(words[f == FATE_WAITING && busy ? FATE_SENDING : f]);
}

static void
print_one(const struct outgoing *o, bool busy)
{
	char when[CLOCK_DATE];

	printf("%s  %s  %s  %s\n", o->id, clock_date(when, o->queued_at),
	    o->account, o->subject != NULL ? o->subject : "");
	for (size_t i = 0; i < o->n; i++) {
		const struct recipient *r = &o->v[i];

		printf("    %s: %s", r->address, fate_words(r->fate, busy));
		if (r->words != NULL)
			printf(": %s", r->words);
		putchar('\n');
	}
	if (o->words != NULL)
		printf("    %s\n", o->words);
	if (!busy && !o->denied && outgoing_count(o, FATE_WAITING) != 0 &&
	    o->tries != 0)
		printf(_("    it is tried again from %s on\n"),
		    clock_date(when, o->next_at));
}

static json_t *
text_or_null(const char *s)
{
	return s != NULL ? report_json_text(s) : json_null();
}

static json_t *
json_one(const struct outgoing *o, bool busy)
{
	json_t *to = json_array();

	for (size_t i = 0; i < o->n; i++)
		json_array_append_new(
		    to, json_pack("{s:o, s:s, s:o}", "address",
			    report_json_text(o->v[i].address), "state",
			    fate_name(o->v[i].fate), "words",
			    text_or_null(o->v[i].words)));
	return json_pack("{s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:i, s:b, s:o, "
			 "s:o}",
	    "id", o->id, "account", report_json_text(o->account), "sender",
	    report_json_text(o->sender), "subject", text_or_null(o->subject),
	    "octets", (json_int_t)o->octets, "queued_at",
	    (json_int_t)o->queued_at, "next_at", (json_int_t)o->next_at,
	    "tries", (int)o->tries, "busy", busy, "words",
	    text_or_null(o->words), "recipients", to);
}

/* all: NULL, or the array to which it is added. */
static void
list_one(struct outbox *b, const char *id, json_t *all)
{
	struct outgoing o;
	struct errbuf eb;
	bool busy;
	enum err e = outbox_look(b, &o, &busy, id, &eb);

	if (e != E_OK && e != E_NOENT) /* it was sent meanwhile */
		say_error(eb.text);
	if (e != E_OK)
		return;
	if (all != NULL)
		json_array_append_new(all, json_one(&o, busy));
	else
		print_one(&o, busy);
	outgoing_clear(&o);
}

int
outbox_print(const struct options *o)
{
	json_t *all = option_is_given(o, OPT_JSON) ? json_array() : NULL, *root;
	struct outbox_ids ids = { .n = 0 };
	struct errbuf eb = { .text = "" };
	struct outbox b;
	enum err e = outbox_open(&b, o->state, false, &eb);

	if (e == E_OK)
		e = outbox_list(&b, &ids, &eb);
	for (size_t i = 0; i < ids.n; i++)
		list_one(&b, ids.v[i], all);
	free(ids.v);
	outbox_close(&b);
	if (e != E_OK && e != E_NOENT)
		return failed_by(o, sending_exit_code(e), "%s", eb.text);
	if (all == NULL) {
		if (ids.n == 0 && !option_is_given(o, OPT_QUIET))
			puts(_("the outbox is empty"));
		return EX_OK;
	}
	root = json_pack("{s:i, s:i, s:[], s:o}", "malote", 1, "exit_code",
	    EX_OK, "errors", "messages", all);
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
	return EX_OK;
}

void
outbox_print_count(const struct options *o)
{
	struct outbox_ids ids = { .n = 0 };
	struct outbox b;

	if (outbox_open(&b, o->state, false, NULL) == E_OK &&
	    outbox_list(&b, &ids, NULL) == E_OK && ids.n != 0)
		printf(ngettext("outbox: %zu message: malote outbox list\n",
			   "outbox: %zu messages: malote outbox list\n", ids.n),
		    ids.n);
	free(ids.v);
	outbox_close(&b);
}

/* ---- retry, drop ---- */

/* What the person has looked at goes again, whatever was said of it; without a
 * choice of theirs only what waits. */
static void
make_due(struct outgoing *o, bool chosen)
{
	if (chosen) {
		outgoing_turn(o, FATE_REFUSED, FATE_WAITING);
		outgoing_turn(o, FATE_PERHAPS, FATE_WAITING);
		o->queued_at = (int64_t)(clock_unix_ms() / 1000);
	}
	o->next_at = 0;
	o->tries = 0;
}

static enum err
change_one(
    struct outbox *b, const char *id, bool drop, bool chosen, struct errbuf *eb)
{
	struct outbox_item item;
	enum err e = outbox_take(b, &item, id, eb);

	if (e != E_OK)
		return e;
	if (drop)
		return outbox_remove(b, &item, eb);
	make_due(&item.o, chosen);
	e = outbox_save(b, &item, eb);
	outbox_release(&item);
	return e;
}

static int
change_chosen(const struct call *call, struct outbox *b, bool drop)
{
	struct errbuf eb;
	enum err e;

	for (int i = 1; i < call->n; i++)
		if ((e = change_one(b, call->argument[i], drop, true, &eb)) !=
		    E_OK)
			return failed_by(
			    call->o, sending_exit_code(e), "%s", eb.text);
	return EX_OK;
}

/* *code_r: one of them cannot be read, or written to; the others go on. */
static int
change_all(const struct call *call, struct outbox *b, int *code_r)
{
	struct outbox_ids ids;
	struct errbuf eb;
	enum err e = outbox_list(b, &ids, &eb);

	if (e != E_OK)
		return failed_by(call->o, sending_exit_code(e), "%s", eb.text);
	for (size_t i = 0; i < ids.n; i++) {
		e = change_one(b, ids.v[i], false, false, &eb);
		/* One that is being sent needs nothing, or has gone by now. */
		if (e == E_OK || e == E_BUSY || e == E_NOENT)
			continue;
		say_error(eb.text);
		*code_r = sending_exit_code(e);
	}
	free(ids.v);
	return EX_OK;
}

/* E_NOENT: there is no outbox, so nothing is in it. */
static int
open_outbox(const struct call *call, struct outbox *b)
{
	struct errbuf eb = { .text = "" };
	enum err e = outbox_open(b, call->o->state, call->n > 1, &eb);

	if (e == E_OK || e == E_NOENT)
		return EX_OK;
	return failed_by(call->o, sending_exit_code(e), "%s", eb.text);
}

static int
drop(struct call *call)
{
	struct outbox b;
	int code;

	if (call->n < 2)
		return mistyped(call->o, "%s",
		    _("say which message: malote outbox drop ID"));
	if ((code = open_outbox(call, &b)) == EX_OK)
		code = change_chosen(call, &b, true);
	outbox_close(&b);
	return code == EX_OK ? done(call->o, "%s", _("dropped")) : code;
}

static int
retry(struct call *call)
{
	struct sending s = {
		.o = call->o,
		.terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
		.tells = !option_is_given(call->o, OPT_QUIET) &&
			 !option_is_given(call->o, OPT_JSON),
		.insist = call->n > 1, /* just that one, and now */
		.retries = true,
	};
	struct outbox_item nothing = OUTBOX_NOTHING;
	struct outbox b = { .fd = -1 };
	int code = call_load(call, &call->set);

	if (code != -1)
		return code;
	code = open_outbox(call, &b);
	if (code == EX_OK && b.fd >= 0)
		code = call->n > 1 ? change_chosen(call, &b, false)
				   : change_all(call, &b, &s.code);
	if (code == EX_OK && b.fd >= 0) {
		s.conf = &call->set->conf;
		sending_run(&s, &b, &nothing);
	}
	outbox_close(&b);
	return code == EX_OK ? sending_end(&s) : code;
}

int
cmd_outbox(struct call *call)
{
	const char *what = call->n > 0 ? call->argument[0] : "list";

	if (strcmp(what, "list") == 0 && call->n < 2)
		return outbox_print(call->o);
	if (strcmp(what, "drop") == 0)
		return drop(call);
	if (strcmp(what, "retry") == 0)
		return retry(call);
	return mistyped(call->o, _("it is: malote %s %s"), call->command->word,
	    _(call->command->form));
}
