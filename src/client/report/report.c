#include "client/report/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/str.h"
#include "client/message/size.h"
#include "client/report/bar.h"

enum { LINE = 256 };

struct report_line {
	bool running, over;
	struct pace pace;
	struct visit_result result;
};

struct report {
	enum report_kind kind;
	const struct client_conf *conf;
	struct report_line *v;
	size_t drawn; /* lines of bars on the screen */
	bool held;    /* somebody is asked something there */
};

struct report *
report_new(enum report_kind kind, const struct client_conf *conf)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r == NULL || (r->v = calloc(conf->n + 1, sizeof(*r->v))) == NULL) {
		free(r);
		return NULL;
	}
	r->kind = kind;
	r->conf = conf;
	return r;
}

void
report_free(struct report *r)
{
	if (r == NULL)
		return;
	free(r->v);
	free(r);
}

/* ---- bars ---- */

static struct winsize
screen_size(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0)
		w.ws_col = w.ws_row = 0;
	if (w.ws_col == 0)
		w.ws_col = 80;
	if (w.ws_row < 2)
		w.ws_row = 24;
	if (w.ws_col < 20) /* a bar would not be one line */
		w.ws_row = 1;
	return w;
}

/* The cursor rests where the first one begins: whatever the terminal does with
 * them when it is made narrower, all of it is below. */
static void
wipe_bars(struct report *r)
{
	if (r->drawn != 0)
		fputs("\r\033[J", stdout);
	r->drawn = 0;
}

/* Over those that were drawn before; a line is never empty meanwhile, which
 * would flicker. */
static void
put_bars(struct report *r, FILE *to)
{
	uint64_t now = clock_ms();
	struct winsize w = screen_size();
	char text[BAR_LINE];

	r->drawn = 0;
	/* No more than there is room for, and a line below them. */
	for (size_t i = 0; i < r->conf->n && r->drawn + 1 < w.ws_row; i++) {
		if (!r->v[i].running)
			continue;
		fprintf(to, "\r%s\033[K\n",
		    bar_text(text, r->conf->v[i].name, &r->v[i].pace, now,
			w.ws_col - 1u));
		r->drawn++;
	}
	fputs("\033[J", to); /* there may have been more of them */
	if (r->drawn != 0)
		fprintf(to, "\033[%zuA", r->drawn);
}

/* In one piece: the terminal may get another size between two. */
void
report_draw(struct report *r)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to;

	if (r->kind != REPORT_BARS || r->held ||
	    (to = open_memstream(&text, &n)) == NULL)
		return;
	put_bars(r, to);
	fflush(stdout);
	if (fclose(to) != 0 || write(STDOUT_FILENO, text, n) != (ssize_t)n)
		r->drawn = 0;
	free(text);
}

void
report_hold(struct report *r, bool hold)
{
	wipe_bars(r);
	fflush(stdout);
	r->held = hold && r->kind == REPORT_BARS;
	report_draw(r);
}

/* ---- words ---- */

/* A line that stays, above the bars; of an account, or, with NULL, of all. */
static void
say_line(struct report *r, FILE *to, const char *name, const char *words)
{
	wipe_bars(r);
	fflush(stdout);
	fprintf(to, "%s%s%s%s\n", r->held ? "\n" : "", name != NULL ? name : "",
	    name != NULL ? ": " : "", words);
	fflush(to);
	report_draw(r);
}

static size_t
comma(char *text, size_t n)
{
	if (n == 0)
		return 0;
	memcpy(text + n, ", ", 3);
	return 2;
}

static void
say_result(struct report *r, size_t i)
{
	const struct visit_result *res = &r->v[i].result;
	const struct tally *t = &res->tally;
	char text[2 * LINE], size[REPORT_SIZE], freed[REPORT_SIZE];
	size_t n = 0;

	if (t->collected == 0 && res->outcome == OUTCOME_OK)
		n = (size_t)snprintf(
		    text, sizeof(text), "%s", _("nothing new"));
	else if (t->collected != 0)
		n = (size_t)snprintf(text, sizeof(text),
		    ngettext("%u message collected (%s)",
			"%u messages collected (%s)", t->collected),
		    t->collected, report_size(size, t->collected_octets));
	if (t->deleted != 0) {
		n += comma(text, n);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    ngettext("%u deleted on the server (%s freed)",
			"%u deleted on the server (%s freed)", t->deleted),
		    t->deleted, report_size(freed, t->freed_octets));
	}
	if (t->large != 0) {
		n += comma(text, n);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    ngettext("%u skipped (larger than max_size)",
			"%u skipped (larger than max_size)", t->large),
		    t->large);
	}
	if (t->skipped != t->large) {
		n += comma(text, n);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    ngettext("%u skipped (no space)", "%u skipped (no space)",
			t->skipped - t->large),
		    t->skipped - t->large);
	}
	if (n != 0 && t->left != 0)
		snprintf(text + n, sizeof(text) - n,
		    ngettext("; %u left on the server",
			"; %u left on the server", t->left),
		    t->left);
	if (n != 0)
		say_line(r, stdout, r->conf->v[i].name, text);
}

/* ---- events ---- */

/* Is more said than what failed? */
static bool
is_talkative(const struct report *r)
{
	return r->kind == REPORT_LINES || r->kind == REPORT_BARS;
}

void
report_began(struct report *r, size_t i)
{
	r->v[i] = (struct report_line){ .running = true };
	pace_init(&r->v[i].pace, clock_ms());
	report_draw(r);
}

bool
report_is_live(const struct report *r)
{
	return r->kind == REPORT_BARS;
}

void
report_progress(struct report *r, size_t i, const struct visit_progress *p)
{
	pace_note(&r->v[i].pace, p, clock_ms());
}

void
report_waits(struct report *r, size_t i, const char *why, unsigned seconds)
{
	char text[2 * LINE + 64];

	if (!is_talkative(r))
		return;
	snprintf(
	    text, sizeof(text), _("%s; trying again in %u s"), why, seconds);
	say_line(r, stderr, r->conf->v[i].name, text);
}

void
report_notice(struct report *r, size_t i, const char *words)
{
	if (is_talkative(r))
		say_line(r, stderr, r->conf->v[i].name, words);
}

void
report_warning(struct report *r, size_t i, const char *words)
{
	say_line(r, stderr, r->conf->v[i].name, words);
}

void
report_ends(struct report *r)
{
	if (is_talkative(r))
		say_line(r, stderr, NULL,
		    _("ending; what has come is kept (Ctrl-C again ends it at "
		      "once, and nothing is lost)"));
}

void
report_trace(struct report *r, size_t i, bool received, const char *line)
{
	wipe_bars(r);
	fflush(stdout);
	fprintf(stderr, "%s %c %s\n", r->conf->v[i].name, received ? '<' : '>',
	    line);
	report_draw(r);
}

void
report_over(struct report *r, size_t i, const struct visit_result *result)
{
	struct report_line *l = &r->v[i];

	l->running = false;
	l->over = true;
	l->result = *result;
	if (r->kind == REPORT_JSON || r->kind == REPORT_CHANGES)
		return;
	if (is_talkative(r)) {
		say_result(r, i);
		if (result->notice[0] != '\0')
			say_line(r, stderr, r->conf->v[i].name, result->notice);
	}
	/* A failure is said even to those who want it quiet. */
	if (result->outcome == OUTCOME_LOCKED && r->kind == REPORT_QUIET)
		return;
	if (result->words[0] != '\0')
		say_line(r, stderr, r->conf->v[i].name, result->words);
}

void
report_change(struct report *r, size_t i, const struct visit_result *result)
{
	const char *name = r->conf->v[i].name;
	char when[CLOCK_DATE], head[CLOCK_DATE + LINE];

	clock_date(when, (int64_t)(clock_unix_ms() / 1000));
	snprintf(head, sizeof(head), "%s %s", when, name);
	say_line(r, stderr, head,
	    result->outcome == OUTCOME_OK ? _("works again") : result->words);
}

/* ---- the end ---- */

/* How long it is without a character of UTF-8 that was cut at its end. */
static size_t
whole(const char *text)
{
	size_t n = strlen(text), end = n;
	unsigned char first;

	while (end > 0 && n - end < 3 && (text[end - 1] & 0xc0) == 0x80)
		end--;
	if (end == 0)
		return n;
	first = (unsigned char)text[end - 1];
	if (first < 0xc0)
		return n;
	return n - end < (first < 0xe0      ? 1u
			     : first < 0xf0 ? 2u
					    : 3u)
		   ? end - 1
		   : n;
}

/* A name or a path may not be UTF-8. */
json_t *
report_json_text(const char *text)
{
	char escaped[4 * LINE];
	json_t *j = json_stringn(text, whole(text));

	return j != NULL ? j
			 : json_string(str_quote(
			       escaped, sizeof(escaped), text, strlen(text)));
}

static json_t *
json_result(const struct report *r, size_t i)
{
	const struct visit_result *res = &r->v[i].result;
	const struct tally *t = &res->tally;

	return json_pack("{s:o, s:s, s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:I, "
			 "s:I, s:I, s:I, s:s, s:s}",
	    "name", report_json_text(r->conf->v[i].name), "outcome",
	    outcome_name(res->outcome), "exit_code",
	    outcome_exit_code(res->outcome), "error",
	    report_json_text(res->words), "notice",
	    report_json_text(res->notice), "collected",
	    (json_int_t)t->collected, "collected_octets",
	    (json_int_t)t->collected_octets, "deleted", (json_int_t)t->deleted,
	    "freed_octets", (json_int_t)t->freed_octets, "skipped",
	    (json_int_t)t->skipped, "failed", (json_int_t)t->failed, "left",
	    (json_int_t)t->left, "left_octets", (json_int_t)t->left_octets,
	    "tls", res->tls, "sign_in", res->sign_in);
}

int
report_end(struct report *r)
{
	json_t *accounts = json_array(), *all;
	int code = 0, one;

	wipe_bars(r);
	for (size_t i = 0; i < r->conf->n; i++) {
		if (!r->v[i].over)
			continue;
		one = outcome_exit_code(r->v[i].result.outcome);
		if (code == 0 ||
		    (exit_code_passes(code) && !exit_code_passes(one)))
			code = one;
		json_array_append_new(accounts, json_result(r, i));
	}
	all = json_pack("{s:i, s:i, s:o}", "malote", 1, "exit_code", code,
	    "accounts", accounts);
	if (r->kind == REPORT_JSON) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(all);
	fflush(stdout);
	return code;
}
