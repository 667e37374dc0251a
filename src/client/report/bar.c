#include "client/report/bar.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/i18n.h"
#include "client/message/size.h"

enum {
	MARKS = 24,
	TAIL = 128,
	NAME_LEAST = 12, /* columns; else there are no marks */
	IDLE_LEAST = 3,  /* seconds in which nothing has come */
	LEFT_MAX = 99 * 3600 + 59 * 60 + 59,
};

static const char *const phases[] = {
	[PHASE_START] = N_("getting ready"),
	[PHASE_WAIT] = N_("waiting"),
	[PHASE_CONNECT] = N_("connecting"),
	[PHASE_SIGN_IN] = N_("signing in"),
	[PHASE_LIST] = N_("listing"),
	[PHASE_CHECK] = N_("checking"),
	[PHASE_COLLECT] = N_("collecting"),
	[PHASE_DELETE] = N_("deleting"),
	[PHASE_END] = N_("ending the session"),
};

/* ---- what follows the name ---- */

/* Of the octets, where there are some. */
static double
part(const struct visit_progress *p)
{
	double done = p->done, total = p->total;

	if (p->octets_total != 0) {
		done = (double)p->octets;
		total = (double)p->octets_total;
	}
	return done >= total ? 1 : done / total;
}

/* Appends it if there is room. */
static void
add(char out[TAIL], size_t columns, const char *piece)
{
	size_t n = strlen(out), more = strlen(piece);

	if (n + 2 + more + NAME_LEAST > columns || n + 2 + more >= TAIL)
		return;
	memcpy(out + n, "  ", 2);
	memcpy(out + n + 2, piece, more + 1);
}

/* "0:07 left", "1:02:03 left" */
static void
add_time_left(char out[TAIL], size_t columns, const struct pace *pace)
{
	const struct visit_progress *p = &pace->progress;
	double total =
	    p->octets_total != 0 ? (double)p->octets_total : (double)p->total;
	double left = (1 - part(p)) * total / pace->rate;
	unsigned s = left < LEFT_MAX ? (unsigned)(left + 0.5) : LEFT_MAX;
	char text[TAIL];

	if (s >= 3600)
		snprintf(text, sizeof(text), _("%u:%02u:%02u left"), s / 3600,
		    s / 60 % 60, s % 60);
	else
		snprintf(text, sizeof(text), _("%u:%02u left"), s / 60, s % 60);
	add(out, columns, text);
}

/* Time left, or how long nothing has come. */
static void
add_time(char out[TAIL], size_t columns, const struct pace *pace, unsigned idle)
{
	char text[TAIL];

	if (idle >= IDLE_LEAST) {
		snprintf(text, sizeof(text), _("waiting for %u s"), idle);
		add(out, columns, text);
	} else if (pace->rate > 0 && part(&pace->progress) < 1) {
		add_time_left(out, columns, pace);
	}
}

static void
add_amounts(
    char out[TAIL], size_t columns, const struct pace *pace, unsigned idle)
{
	const struct visit_progress *p = &pace->progress;
	char text[TAIL], size[REPORT_SIZE];

	if (pace->rate >= 1 && idle < IDLE_LEAST) {
		snprintf(text, sizeof(text), "%s/s",
		    report_size(size, (uint64_t)pace->rate));
		add(out, columns, text);
	}
	add(out, columns, report_size(size, p->octets));
}

static void
known_tail(
    char out[TAIL], const struct pace *pace, unsigned idle, size_t columns)
{
	const struct visit_progress *p = &pace->progress;
	unsigned whole = (unsigned)(part(p) * 100);
	char marks[MARKS + 1], text[TAIL];
	int n;

	for (unsigned k = 0; k < MARKS; k++)
		marks[k] = k < whole * MARKS / 100 ? '#' : '.';
	marks[MARKS] = '\0';
	if (p->phase == PHASE_COLLECT) /* the usual: room for more */
		n = snprintf(out, TAIL, " [%s] %3u%%", marks, whole);
	else
		n = snprintf(out, TAIL, ": %s [%s] %3u%%", _(phases[p->phase]),
		    marks, whole);
	if ((size_t)n + NAME_LEAST > columns) {
		snprintf(out, TAIL, " %3u%%", whole);
		return;
	}
	snprintf(text, sizeof(text), "%u/%u", p->done, p->total);
	add(out, columns, text);
	add_time(out, columns, pace, idle);
	if (p->phase == PHASE_COLLECT)
		add_amounts(out, columns, pace, idle);
}

/* Nobody knows how far it is: the seconds go on. */
static void
unknown_tail(char out[TAIL], enum phase phase, unsigned seconds, size_t columns)
{
	int n = snprintf(out, TAIL, ": %s...  %u s", _(phases[phase]), seconds);

	if ((size_t)n + NAME_LEAST > columns)
		snprintf(out, TAIL, ":  %u s", seconds);
}

/* ---- the line ---- */

/* As much of the text as fits, no sign cut. */
static size_t
fit(char *out, size_t room, const char *text, size_t columns)
{
	size_t at = 0, left = strlen(text), used = 0, n;
	mbstate_t state;
	wchar_t c;
	int width;

	memset(&state, 0, sizeof(state));
	for (; left > 0; text += n, left -= n) {
		n = mbrtowc(&c, text, left, &state);
		if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
			memset(&state, 0, sizeof(state));
			c = L'?';
			n = 1;
			width = -1;
		} else {
			width = wcwidth(c);
		}
		if (used + (width < 0 ? 1 : (size_t)width) > columns ||
		    at + n >= room)
			break;
		used += width < 0 ? 1 : (size_t)width;
		if (width < 0)
			out[at++] = '?';
		else
			memcpy(out + at, text, n);
		at += width < 0 ? 0 : n;
	}
	out[at] = '\0';
	return at;
}

char *
bar_text(char out[BAR_LINE], const char *name, const struct pace *pace,
    uint64_t now, size_t columns)
{
	unsigned idle = (unsigned)((now - pace->moved_at) / 1000);
	char tail[TAIL];
	size_t n;

	if (pace->progress.total == 0)
		unknown_tail(tail, pace->progress.phase, idle, columns);
	else
		known_tail(tail, pace, idle, columns);
	/* Not less than its columns. */
	n = strlen(tail);
	n = fit(out, BAR_LINE - TAIL, name, n < columns ? columns - n : 0);
	strcpy(out + n, tail);
	return out;
}
