/*
 * malotectl log: what became of a user's mail, from the lines that the server has
 * logged, in words that can be read out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/str.h"
#include "server/ctl/log_source.h"
#include "server/ctl/show.h"
#include "server/ctl/who.h"

enum { KNOWN = 64 /* sessions that are under way at a time */ };

/* What was said of a session before its end. */
struct known {
	char sid[32], method[32], label[80];
};

struct history {
	char user[4 * NAME_MAX_OCTETS + 1]; /* as the log has it */
	struct known known[KNOWN]; /* the newest take the oldest's place */
	unsigned next;
	json_t *all; /* NULL: it is printed */
	unsigned told;
	int64_t collected; /* when that was the last time; 0: never */
	char from[64];
};

/* ---- a line ---- */

/* The value of a key; within quotation marks there are no others. */
static bool
field(const char *p, const char *key, struct slice *v)
{
	size_t n = strlen(key);

	for (p = strchr(p, ' '); p != NULL && *p != '\0';) {
		const char *eq = strchr(++p, '='), *from;
		bool quoted;

		if (eq == NULL)
			return false;
		quoted = eq[1] == '"';
		from = eq + 1 + quoted;
		*v = (struct slice){ from, strcspn(from, quoted ? "\"" : " ") };
		if ((size_t)(eq - p) == n && memcmp(p, key, n) == 0)
			return true;
		p = from + v->n + (quoted && from[v->n] == '"');
	}
	return false;
}

/* Copies a value, or "". */
static char *
take(char *out, size_t size, const char *line, const char *key)
{
	struct slice v = { "", 0 };

	if (!field(line, key, &v))
		v.n = 0;
	if (v.n >= size)
		v.n = size - 1;
	memcpy(out, v.p, v.n);
	out[v.n] = '\0';
	return out;
}

static unsigned long
number(const char *line, const char *key)
{
	char digits[24];

	return strtoul(take(digits, sizeof(digits), line, key), NULL, 10);
}

static bool
is(const char *line, const char *key, const char *value)
{
	struct slice v;

	return field(line, key, &v) && slice_eq(v, value);
}

/* Of that session; a new one if there is none. */
static struct known *
known_of(struct history *h, const char *line)
{
	char sid[32];
	struct known *k;

	take(sid, sizeof(sid), line, "sid");
	for (unsigned i = 0; i < KNOWN; i++)
		if (strcmp(h->known[i].sid, sid) == 0)
			return &h->known[i];
	k = &h->known[h->next++ % KNOWN];
	memset(k, 0, sizeof(*k));
	memcpy(k->sid, sid, sizeof(k->sid));
	return k;
}

/* ---- what is told ---- */

/* The head of a line; false: it is for programs. */
static bool
begin(struct history *h, int64_t when, const char *line, const char *kind)
{
	static const char *const kept[] = { "sid", "ip", "tls", "code", "why",
		"uidl", "message_id", "size", "to", "retr", "removed", "dele",
		"left", "left_out", "path", "error", "text" };
	char date[CLOCK_DATE], value[600];
	json_t *row;

	h->told++;
	if (h->all == NULL) {
		printf("%s  ", when != 0 ? clock_date(date, when) : "?");
		return true;
	}
	row = json_pack("{s:s,s:o}", "what", kind, "when",
	    when != 0 ? json_integer(when) : json_null());
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (take(value, sizeof(value), line, kept[i])[0] != '\0')
			json_object_set_new(row, kept[i], show_text(value));
	json_array_append_new(h->all, row);
	return false;
}

static void
add_to_last(struct history *h, const char *key, const char *value)
{
	size_t n = json_array_size(h->all);

	if (n != 0 && value[0] != '\0')
		json_object_set_new(
		    json_array_get(h->all, n - 1), key, show_text(value));
}

/* ---- sessions ---- */

/* "(SCRAM-SHA-256, TLSv1.3, password \"phone\")" */
static void
print_how(const struct known *k, const char *line)
{
	char tls[24], method[64], label[128];

	take(tls, sizeof(tls), line, "tls");
	printf(" (%s, %s",
	    k->method[0] != '\0' ? show_clean(method, sizeof(method), k->method)
				 : "?",
	    strcmp(tls, "none") == 0 ? _("no TLS") : tls);
	if (k->label[0] != '\0')
		printf(_(", password of \"%s\""),
		    show_clean(label, sizeof(label), k->label));
	printf(")");
}

/* Why there was no QUIT. */
static const char *
why_ended(const char *line)
{
	static const char *const words[][2] = {
		{ "closed", N_("the program closed the connection") },
		{ "lost", N_("the connection was lost") },
		{ "idle-timeout", N_("the program said nothing for too long") },
		{ "write-timeout",
		    N_("the program took nothing for too long") },
		{ "takeover", N_("another program of the user came") },
		{ "shutdown", N_("the server was stopped") },
		{ "kicked", N_("the administrator ended the session") },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is(line, "why", words[i][0]))
			return _(words[i][1]);
	return _("something went wrong");
}

/* What DELE marked goes with QUIT only, which people who miss mail, or have it
 * twice, want to know. */
static void
print_end(const char *line)
{
	unsigned long removed = number(line, "dele");

	if (is(line, "why", "quit") && removed != 0)
		printf(_("  %lu were then removed from the server, %lu are "
			 "left there.\n"),
		    removed, number(line, "left"));
	else if (is(line, "why", "quit"))
		printf(_("  Nothing was removed; %lu are on the server.\n"),
		    number(line, "left"));
	else
		printf(_("  It did not end as it should (%s); nothing was "
			 "removed, %lu are on the server.\n"),
		    why_ended(line), number(line, "left") + removed);
}

/* They are on the server, and nobody sees them. */
static void
print_left_out(const char *line)
{
	unsigned long n = number(line, "left_out");

	if (n != 0)
		printf(ngettext("  %lu more cannot be read by the server: "
				"malotectl maildrop check says why.\n",
			   "  %lu more cannot be read by the server: "
			   "malotectl maildrop check says why.\n",
			   n),
		    n);
}

static void
tell_session(struct history *h, int64_t when, const char *line)
{
	struct known *k = known_of(h, line);
	unsigned long retrieved = number(line, "retr");
	char ip[64], text[256];

	take(ip, sizeof(ip), line, "ip");
	if (retrieved != 0) {
		h->collected = when;
		memcpy(h->from, ip, sizeof(h->from));
	}
	if (!begin(h, when, line, "session")) {
		add_to_last(h, "mechanism", k->method);
		add_to_last(h, "app_password", k->label);
	} else {
		show_clean(text, sizeof(text), ip);
		if (retrieved != 0)
			printf(ngettext("%lu message was collected from %s",
				   "%lu messages were collected from %s",
				   retrieved),
			    retrieved, text);
		else
			printf(_("A program at %s looked, and collected "
				 "nothing"),
			    text);
		print_how(k, line);
		puts(".");
		print_end(line);
		print_left_out(line);
	}
	memset(k, 0, sizeof(*k));
}

/* ---- the rest ---- */

static const char *
why_refused(const char *line)
{
	static const char *const words[][2] = {
		{ "auth", N_("the name or the password was wrong") },
		{ "in-use", N_("another program had the mailbox open") },
		{ "switched-off", N_("it is switched off for this user") },
		{ "tls-only", N_("this user must use TLS") },
		{ "tls", N_("the program was not set to SSL/TLS or STARTTLS") },
		{ "login-delay", N_("it was too soon after the last time") },
		{ "malformed", N_("the program said what makes no sense") },
		{ "permanent", N_("the server's settings are to be mended") },
		{ "temporary", N_("the server could not just then") },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is(line, "code", words[i][0]))
			return _(words[i][1]);
	return _("something went wrong");
}

static void
tell_failed(struct history *h, int64_t when, const char *line)
{
	char ip[64], text[256], why[32];

	if (!begin(h, when, line, "refused"))
		return;
	take(why, sizeof(why), line, "why");
	printf(_("A program at %s could not sign in: %s.\n"),
	    show_clean(text, sizeof(text), take(ip, sizeof(ip), line, "ip")),
	    why_refused(line));
}

/* By whom, and is it really gone? */
static const char *
how_removed(const char *line)
{
	if (is(line, "why", "expired"))
		return _("Removed, as it had been there long enough");
	if (is(line, "why", "retrieved"))
		return _("Removed, as it had been collected");
	if (is(line, "to", "trash"))
		return _("Moved to the folder Trash by the program");
	return _("Removed by the program");
}

static void
tell_removed(struct history *h, int64_t when, const char *line)
{
	char id[600], uid[128], shown[700];

	if (!begin(h, when, line, "removed"))
		return;
	take(id, sizeof(id), line, "message_id");
	take(uid, sizeof(uid), line, "uidl");
	printf("%s: %s", how_removed(line),
	    show_clean(shown, sizeof(shown), id[0] != '\0' ? id : uid));
	printf(_(" (%lu octets)\n"), number(line, "size"));
}

/* The password was right, and the person saw no mail. */
static void
tell_unopened(struct history *h, int64_t when, const char *line)
{
	char why[600], shown[700];

	if (!begin(h, when, line, "unopened"))
		return;
	take(why, sizeof(why), line,
	    is(line, "ev", "open-failed") ? "error" : "text");
	printf(_("The mailbox could not be opened: %s.\n"),
	    show_clean(shown, sizeof(shown), why));
}

static void
tell_made(struct history *h, int64_t when, const char *line)
{
	if (begin(h, when, line, "made"))
		puts(_(
		    "There was no mailbox, so an empty one was made. If there "
		    "was mail, it is elsewhere."));
}

static void
remember(struct history *h, const char *line)
{
	struct known *k = known_of(h, line);

	if (is(line, "ev", "login"))
		take(k->method, sizeof(k->method), line, "method");
	else
		take(k->label, sizeof(k->label), line, "label");
}

static void
take_line(void *arg, int64_t when, const char *line)
{
	struct history *h = arg;

	if (!is(line, "user", h->user))
		return;
	if (is(line, "ev", "login") || is(line, "ev", "app-password"))
		remember(h, line);
	else if (is(line, "ev", "session") && is(line, "login", "yes"))
		tell_session(h, when, line);
	else if (is(line, "ev", "login-failed"))
		tell_failed(h, when, line);
	else if (is(line, "ev", "removed"))
		tell_removed(h, when, line);
	else if (is(line, "ev", "open-failed") || is(line, "ev", "not-opened"))
		tell_unopened(h, when, line);
	else if (is(line, "ev", "maildir-made"))
		tell_made(h, when, line);
}

/* ---- the command ---- */

/* "2026-11-29", "2026-11-29 22:20", "7d", "12h". */
static enum err
since_of(const char *text, int64_t *since_r, struct errbuf *eb)
{
	struct tm tm = { .tm_isdst = -1 };
	const char *end;
	char unit;
	unsigned n;

	*since_r = 0;
	if (text == NULL)
		return E_OK;
	if (sscanf(text, "%9u%c", &n, &unit) == 2 && strlen(text) < 11 &&
	    (unit == 'd' || unit == 'h')) {
		*since_r =
		    time(NULL) - (int64_t)n * (unit == 'd' ? 86400 : 3600);
		return E_OK;
	}
	end = strptime(text, "%Y-%m-%d", &tm);
	if (end != NULL && *end != '\0')
		end = strptime(end, " %H:%M", &tm);
	if (end == NULL || *end != '\0')
		return err_set(eb, E_FORMAT,
		    "--since is a day (2026-11-29), a time of one "
		    "(\"2026-11-29 "
		    "22:20\"), or 7d, or 12h");
	*since_r = mktime(&tm);
	return E_OK;
}

static enum err
conclude(struct history *h, struct errbuf *eb)
{
	char date[CLOCK_DATE], from[256];

	if (h->all != NULL)
		return show_json(h->all, eb);
	if (h->told == 0)
		puts(_("The log has nothing of this user."));
	else if (h->collected == 0)
		puts(_("In this time no mail was collected."));
	else
		printf(_("Mail was last collected on %s, from %s.\n"),
		    clock_date(date, h->collected),
		    show_clean(from, sizeof(from), h->from));
	return E_OK;
}

enum err
history(const struct options *o, const char *name, struct errbuf *eb)
{
	struct history h = { .all = o->json ? json_array() : NULL };
	char user[NAME_MAX_OCTETS + 1];
	int64_t since;
	enum err e;

	if ((e = who_called(o, name, user, eb)) == E_OK &&
	    (e = since_of(o->since, &since, eb)) == E_OK) {
		str_escape(h.user, sizeof(h.user), user, strlen(user));
		e = log_source_read(o->log, since, take_line, &h, eb);
	}
	if (e == E_OK)
		e = conclude(&h, eb);
	json_decref(h.all);
	return e;
}
