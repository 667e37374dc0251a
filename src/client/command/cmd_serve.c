/* malote serve */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/command/call.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/report/columns.h"
#include "client/serve/serve_drops.h"
#include "client/serve/serve_place.h"
#include "client/serve/serve_process.h"
#include "client/serve/serve_settings.h"
#include "client/setup/talk.h"

#define HOST "127.0.0.1"

enum { LABEL_WIDTH = 26 };

struct serve {
	const struct options *o;
	const struct client_conf *conf;
	struct serve_place place;
	struct serve_drops drops;
	bool running; /* this one, or another */
};

static int
exit_code(enum err e)
{
	switch (e) {
	case E_OK: return EX_OK;
	case E_BUSY: return EX_TEMPFAIL;
	case E_CONFIG:
	case E_DENIED: return EX_CONFIG;
	case E_NOENT: return EX_UNAVAILABLE;
	case E_NOMEM: return EX_OSERR;
	default: return EX_IOERR;
	}
}

/* ---- what to type ---- */

static void
print_row(const char *label, const char *value)
{
	fputs("  ", stdout);
	columns_print(label, LABEL_WIDTH);
	printf(" %s\n", value);
}

/* ", obra, escola": the others that deliver to the same Maildir. */
static void
print_others(const struct serve *s, size_t first)
{
	for (size_t i = first + 1; i < s->drops.n; i++)
		if (s->drops.v[i].path != NULL && s->drops.v[i].same == first)
			printf(", %s", s->conf->v[i].name);
}

static void
print_users(const struct serve *s)
{
	puts(s->drops.served == 1 ? _("and the user name:")
				  : _("and one of these user names, or an "
				      "account for each:"));
	for (size_t i = 0; i < s->drops.n; i++) {
		const struct serve_drop *v = &s->drops.v[i];

		if (v->path == NULL || v->same != i)
			continue;
		fputs("  ", stdout);
		columns_print(v->user, LABEL_WIDTH);
		printf(" %s (%s", v->path, s->conf->v[i].name);
		print_others(s, i);
		puts(")");
	}
}

static void
print_left_out(const struct serve *s)
{
	for (size_t i = 0; i < s->drops.n; i++)
		if (s->drops.v[i].why != NULL)
			talk_say("- ", _("%s is left out: %s."),
			    s->conf->v[i].name, s->drops.v[i].why);
}

static void
print_advice(const struct serve *s)
{
	talk_say("- ", "%s",
	    _("What a mail program deletes here, as many do by themselves "
	      "after some days, goes to the folder Trash of the Maildir "
	      "(.Trash), and stays on this computer. So messages may be left "
	      "on the server or not, as you like. Your provider's server is "
	      "not touched."));
	talk_say("- ", "%s",
	    _("To send, a mail program uses your provider's outgoing server "
	      "(SMTP), with your password there."));
	talk_say("- ",
	    _("Programs of other users of this computer are not served. The "
	      "password is in %s/password; another one that you write there "
	      "counts from the next start."),
	    s->place.dir);
}

/* Somebody else may be waiting there for the password. */
static bool
is_taken(const struct serve *s)
{
	return !s->running && !serve_port_is_free(s->place.port);
}

static void
print_state(const struct serve *s)
{
	if (!option_is_given(s->o, OPT_SHOW))
		puts(_("This runs until Ctrl-C."));
	else if (s->running && serve_settings_are_current(&s->place, &s->drops))
		puts(_("malote serve is running."));
	else if (s->running)
		talk_say("", "%s",
		    _("malote serve is running with the accounts and the "
		      "password that there were when it was started: start it "
		      "anew for those that stand here."));
	else if (is_taken(s))
		talk_say("",
		    _("malote serve is not running, and another program has "
		      "port %u: give no mail program this password now."),
		    (unsigned)s->place.port);
	else
		puts(_("malote serve is not running now."));
}

static void
print_page(const struct serve *s)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", (unsigned)s->place.port);
	puts(_("Mail programs on this computer can read what malote has "
	       "collected. Type there:"));
	print_row(_("Protocol"), "POP3");
	print_row(_("Hostname"), HOST);
	print_row(_("Port"), port);
	print_row(
	    _("Connection security"), _("None (nothing leaves this computer)"));
	print_row(
	    _("Authentication method"), _("Encrypted password, or normal"));
	print_row(_("Password"), s->place.password);
	print_users(s);
	putchar('\n');
	print_left_out(s);
	print_advice(s);
	print_state(s);
	fflush(stdout);
}

/* ---- the same for programs ---- */

static json_t *
accounts_json(const struct serve *s, size_t first)
{
	json_t *names = json_array();

	for (size_t i = first; i < s->drops.n; i++)
		if (s->drops.v[i].path != NULL && s->drops.v[i].same == first)
			json_array_append_new(
			    names, report_json_text(s->conf->v[i].name));
	return names;
}

static void
print_json(const struct serve *s)
{
	json_t *users = json_array(), *left = json_array(), *all;

	for (size_t i = 0; i < s->drops.n; i++) {
		const struct serve_drop *v = &s->drops.v[i];

		if (v->path != NULL && v->same == i)
			json_array_append_new(
			    users, json_pack("{s:s, s:o, s:o}", "user", v->user,
				       "path", report_json_text(v->path),
				       "accounts", accounts_json(s, i)));
		if (v->why != NULL)
			json_array_append_new(
			    left, json_pack("{s:o, s:o}", "account",
				      report_json_text(s->conf->v[i].name),
				      "reason", report_json_text(v->why)));
	}
	all = json_pack("{s:i, s:i, s:b, s:s, s:i, s:s, s:o, s:o, s:o}",
	    "malote", 1, "exit_code", EX_OK, "running", s->running, "server",
	    HOST, "port", (int)s->place.port, "security", "none", "password",
	    report_json_text(s->place.password), "users", users, "left_out",
	    left);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	fflush(stdout);
	json_decref(all);
}

static void
print_what_to_type(const struct serve *s)
{
	if (option_is_given(s->o, OPT_JSON))
		print_json(s);
	else if (!option_is_given(s->o, OPT_QUIET))
		print_page(s);
}

/* ---- serving ---- */

/* Its log is for the journal, or a file; not for the page of a person. */
static bool
logs_here(const struct options *o)
{
	return option_is_given(o, OPT_VERBOSE) || !isatty(STDERR_FILENO);
}

static enum err
start(struct serve *s, struct serve_process *maloted, struct errbuf *eb)
{
	enum err e;

	if (!serve_port_is_free(s->place.port))
		return err_set(eb, E_BUSY,
		    _("port %u of this computer is in use by another program; "
		      "end that one, or choose another port, here and in your "
		      "mail program: malote serve --port NUMBER"),
		    (unsigned)s->place.port);
	if ((e = serve_settings_write(&s->place, &s->drops, eb)) != E_OK)
		return e;
	return serve_process_start(maloted, &s->place, logs_here(s->o), eb);
}

static enum err
serve(struct serve *s, struct errbuf *eb)
{
	struct serve_process maloted = SERVE_PROCESS_NONE;
	enum err e = start(s, &maloted, eb);

	if (e == E_OK) {
		s->running = true;
		print_what_to_type(s);
		e = serve_process_wait(&maloted, eb);
	}
	serve_process_end(&maloted);
	return e == E_CLOSED ? E_OK : e;
}

/* -1: go on; else the exit code. */
static int
take_port(struct serve *s)
{
	const char *given = s->o->value[OPT_PORT];
	struct errbuf eb;
	uint32_t port;

	if (given == NULL)
		return -1;
	if (!str_to_u32((struct slice){ given, strlen(given) }, &port) ||
	    port < SERVE_PORT_MIN || port > UINT16_MAX)
		return mistyped(s->o,
		    _("--port %s cannot be served; write a number from %u to "
		      "65535"),
		    given, (unsigned)SERVE_PORT_MIN);
	if (serve_place_set_port(&s->place, (uint16_t)port, &eb) != E_OK)
		return failed_by(s->o, EX_IOERR, "%s", eb.text);
	return -1;
}

static int
serve_or_show(struct serve *s)
{
	struct errbuf eb;
	enum err e = serve_place_lock(&s->place, &eb);
	int code;

	if (option_is_given(s->o, OPT_SHOW)) {
		s->running = e == E_BUSY;
		print_what_to_type(s);
		return EX_OK;
	}
	if (e == E_OK && (code = take_port(s)) != -1)
		return code;
	if (e == E_OK)
		e = serve(s, &eb);
	return e == E_OK ? EX_OK : failed_by(s->o, exit_code(e), "%s", eb.text);
}

static int
nothing_to_serve(const struct serve *s)
{
	if (!option_is_given(s->o, OPT_JSON))
		print_left_out(s);
	return failed_by(s->o, EX_CONFIG, "%s",
	    _("there is no Maildir to serve: see deliver in man malote.conf"));
}

int
cmd_serve(struct call *call)
{
	struct serve s = {
		.o = call->o, .conf = &call->set->conf, .place.lock = -1
	};
	struct errbuf eb;
	int code;
	enum err e;

	if (geteuid() == 0)
		return failed_by(s.o, EX_USAGE, "%s",
		    _("malote serve is not for root: run it as the person "
		      "whose mail it is; for a server of many see man "
		      "maloted"));
	e = serve_drops_find(&s.drops, s.conf, call->set->chosen, &eb);
	if (e == E_OK && s.drops.served == 0)
		code = nothing_to_serve(&s);
	else if (e == E_OK &&
		 (e = serve_place_open(&s.place, s.o->state, &eb)) == E_OK)
		code = serve_or_show(&s);
	else
		code = failed_by(s.o, exit_code(e), "%s", eb.text);
	serve_place_close(&s.place);
	serve_drops_free(&s.drops);
	return code;
}
