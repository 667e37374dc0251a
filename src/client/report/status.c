#include "client/report/status.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/message/size.h"
#include "client/report/report.h"
#include "client/secret/refused.h"
#include "client/session/outcome.h"
#include "client/state/state.h"

static void
print_dest(const char *to, int64_t keep)
{
	long long days = keep / 86400;

	if (keep == KEEP_ALWAYS)
		printf(_("    to %s, kept on the server\n"), to);
	else if (keep == 0)
		printf(_("    to %s, then deleted from the server\n"), to);
	else if (keep % 86400 == 0)
		printf(ngettext("    to %s, deleted from the server after "
				"%lld day\n",
			   "    to %s, deleted from the server after %lld "
			   "days\n",
			   (unsigned long)days),
		    to, days);
	else
		printf(_("    to %s, deleted from the server after %lld s\n"),
		    to, (long long)keep);
}

static void
print_account(const struct account *a)
{
	printf("%s: %s\n", a->name, a->email);
	printf(_("    from %s:%u (%s), user %s, sign-in %s\n"), a->server,
	    a->port, security_name(a->security), a->user, a->auth);
	print_dest(a->dest.text, a->keep);
	if (a->smtp.server != NULL)
		printf(_("    sends by %s:%u (%s), user %s\n"), a->smtp.server,
		    a->smtp.port, security_name(a->smtp.security),
		    a->smtp.user);
}

/* there: messages that are here and on the server.  More than were collected are
 * those that a record which was lost knew, or another program. */
static void
print_here(const struct state_account *s, uint64_t there)
{
	char size[REPORT_SIZE];

	if (there > s->collected)
		printf(ngettext("    here: %llu message\n",
			   "    here: %llu messages\n", (unsigned long)there),
		    (unsigned long long)there);
	else
		printf(ngettext("    here: %llu message, %s\n",
			   "    here: %llu messages, %s\n",
			   (unsigned long)s->collected),
		    (unsigned long long)s->collected,
		    report_size(size, s->collected_octets));
}

static void
print_there(const struct account *a, const struct state_account *s)
{
	char size[REPORT_SIZE];

	printf(ngettext("    on %s: %u message, %s",
		   "    on %s: %u messages, %s", s->left),
	    a->server, s->left, report_size(size, s->left_octets));
	if (s->deleted != 0)
		printf(ngettext("; %llu deleted there, %s freed",
			   "; %llu deleted there, %s freed",
			   (unsigned long)s->deleted),
		    (unsigned long long)s->deleted,
		    report_size(size, s->freed_octets));
	putchar('\n');
}

/* What an exit code says, as malote(1) lists them. */
static const char *
meaning(int exit_code)
{
	switch (exit_code) {
	case EX_DATAERR:
		return _("some messages are not deleted until a change is "
			 "accepted, or could not be fetched");
	case EX_NOHOST: return _("the name of the server does not exist");
	case EX_UNAVAILABLE:
		return _("the server cannot be reached, or says that it "
			 "cannot");
	case EX_CANTCREAT:
		return _("the program that mail is handed to refuses some");
	case EX_IOERR: return _("the disk: no space, or an error");
	case EX_TEMPFAIL: return _("it may work later");
	case EX_PROTOCOL:
		return _("the server cannot be trusted, or does not speak "
			 "POP3");
	case EX_NOPERM: return _("the sign-in was refused");
	case EX_CONFIG: return _("something here must be put right");
	default: return _("memory, or something else within malote");
	}
}

/* What was said in another language is said in this one; its details stay as
 * they were. */
static void
print_failure(const struct state_account *s)
{
	char when[CLOCK_DATE];

	clock_date(when, s->tried_at);
	if (s->foreign)
		printf(_("    the last run (%s) failed: %s (\"%s\")\n"), when,
		    meaning(s->exit_code), s->error);
	else
		printf(_("    the last run (%s) failed: %s\n"), when, s->error);
}

/* The record is of another server or user, which the person may have mistyped or
 * changed: it becomes this one's once a run has been there. */
static void
print_moved(const struct account *a, const struct state_account *s)
{
	printf(_("%s: never collected from %s as %s\n"), a->name, a->server,
	    a->user);
	if (s->collected != 0)
		printf(ngettext("    here: %llu message of the server and user "
				"that were configured before\n",
			   "    here: %llu messages of the server and user "
			   "that were configured before\n",
			   (unsigned long)s->collected),
		    (unsigned long long)s->collected);
}

/* What no run has found out yet is not said to be nothing. */
static void
print_done(
    const struct account *a, const struct state_account *s, uint64_t there)
{
	char when[CLOCK_DATE];

	if (s->collected_at != 0)
		printf(_("%s: last collected on %s\n"), a->name,
		    clock_date(when, s->collected_at));
	else if (s->collected != 0)
		printf(_("%s: no run has come to its end yet\n"), a->name);
	else
		printf(_("%s: never collected\n"), a->name);
	if (s->collected_at != 0 || s->collected != 0)
		print_here(s, s->collected_at != 0 ? there : 0);
	if (s->collected_at != 0 || s->left != 0)
		print_there(a, s);
}

/* What is to be sent waits for a person. */
static void
print_refused(const struct account *a, const char *state_dir)
{
	char why[REFUSED_WORDS], words[2 * REFUSED_WORDS];
	struct account sends;

	if (a->smtp.server == NULL)
		return;
	sends = *a;
	sends.server = a->smtp.server;
	sends.port = a->smtp.port;
	sends.user = a->smtp.user;
	if (!refused_is_noted(state_dir, &sends, why))
		return;
	refused_say(words, sizeof(words), why, a->name);
	printf(_("    sending: %s\n"), words);
}

static void
print_status(
    const struct account *a, const struct state_account *s, uint64_t there)
{
	char brake[OUTCOME_BRAKE_WORDS] = "";

	if (s->moved)
		print_moved(a, s);
	else
		print_done(a, s, there);
	if (s->braked != 0)
		printf("    %s\n", outcome_brake_words(brake, a));
	if (s->notice[0] != '\0' && strcmp(s->notice, brake) != 0)
		printf("    %s\n", s->notice);
	if (s->error[0] != '\0' && strcmp(s->error, brake) != 0)
		print_failure(s);
}

/* Of a record that is another maildrop's: see print_moved(). */
static void
drop_counts(struct state_account *s)
{
	s->collected_at = 0;
	s->collected = s->collected_octets = 0;
	s->deleted = s->freed_octets = 0;
	s->left = 0;
	s->left_octets = 0;
}

static json_t *
json_account(const struct account *a, const struct state_account *s)
{
	json_t *keep =
	    a->keep == KEEP_ALWAYS ? json_true() : json_integer(a->keep);

	return json_pack("{s:o, s:o, s:o, s:i, s:s, s:o, s:s, s:o, s:o, "
			 "s:I, s:I, s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:I, "
			 "s:I, s:b}",
	    "name", report_json_text(a->name), "email",
	    report_json_text(a->email), "server", report_json_text(a->server),
	    "port", (int)a->port, "security", security_name(a->security),
	    "user", report_json_text(a->user), "auth", a->auth, "keep", keep,
	    "deliver", report_json_text(a->dest.text), "tried_at",
	    (json_int_t)s->tried_at, "collected_at",
	    (json_int_t)s->collected_at, "exit_code", s->exit_code, "error",
	    report_json_text(s->error), "notice", report_json_text(s->notice),
	    "collected", (json_int_t)s->collected, "collected_octets",
	    (json_int_t)s->collected_octets, "deleted", (json_int_t)s->deleted,
	    "freed_octets", (json_int_t)s->freed_octets, "left",
	    (json_int_t)s->left, "left_octets", (json_int_t)s->left_octets,
	    "held", s->braked != 0);
}

static enum err
read_account(struct state *s, const struct client_conf *conf,
    const struct account *a, struct state_account *sa, struct errbuf *eb)
{
	char maildrop[DIGEST_TEXT];
	struct state_key key = { a->name, maildrop, client_conf_has, conf };

	if (account_maildrop(maildrop, a) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return state_account(s, &key, sa, eb);
}

enum err
status_print(const struct client_conf *conf, const bool *chosen,
    const char *state_dir, enum status_kind kind, struct errbuf *eb)
{
	json_t *accounts = json_array(), *all;
	struct state_account sa;
	struct state *s;
	uint64_t there = 0;
	bool put_aside;
	enum err e = state_open(&s, state_dir, &put_aside, eb);

	for (size_t i = 0; i < conf->n && e == E_OK; i++) {
		const struct account *a = &conf->v[i];

		if (!chosen[i])
			continue;
		if ((e = read_account(s, conf, a, &sa, eb)) != E_OK)
			break;
		if (kind == STATUS_STATUS &&
		    (e = state_account_there(s, sa.id, &there, eb)) != E_OK)
			break;
		if (kind == STATUS_JSON && sa.moved)
			drop_counts(&sa);
		if (kind == STATUS_JSON)
			json_array_append_new(accounts, json_account(a, &sa));
		else if (kind == STATUS_ACCOUNTS)
			print_account(a);
		else
			print_status(a, &sa, there);
		if (kind == STATUS_STATUS)
			print_refused(a, state_dir);
	}
	state_close(s);
	all = json_pack("{s:i, s:o}", "malote", 1, "accounts", accounts);
	if (kind == STATUS_JSON && e == E_OK) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(all);
	return e;
}
