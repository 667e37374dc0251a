#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "popload.h"

/* A server whose sessions fail is not asked for more. */
enum { FAILURES_MAX = 100, FAILURES_SHOWN = 3 };

static const struct word words[] = {
	{ "login", "", KIND_LOGIN, false },
	{ "stls", "STLS", KIND_STLS, false },
	{ "stat", "STAT", KIND_ONCE, false },
	{ "list", "LIST", KIND_ONCE, true },
	{ "uidl", "UIDL", KIND_ONCE, true },
	{ "noop", "NOOP", KIND_ONCE, false },
	{ "capa", "CAPA", KIND_ONCE, true },
	{ "rset", "RSET", KIND_ONCE, false },
	{ "quit", "QUIT", KIND_ONCE, false },
	{ "retr", "RETR", KIND_EACH, true },
	{ "top", "TOP", KIND_EACH, true },
	{ "dele", "DELE", KIND_EACH, false },
	{ "hold", "", KIND_HOLD, false },
	{ "stall", "RETR", KIND_STALL, true },
};

/* NAME or NAME=LIMIT */
bool
step_parse(struct step *step, const char *text)
{
	size_t n = strcspn(text, "=");

	*step = (struct step){ .limit = UINT32_MAX };
	if (text[n] == '=')
		step->limit = (uint32_t)strtoul(text + n + 1, NULL, 10);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == n &&
		    memcmp(words[i].name, text, n) == 0)
			step->word = &words[i];
	return step->word != NULL;
}

/* ---- what it says ---- */

static unsigned
user(const struct conn *c)
{
	return opt.first_user + c->slot + opt.connections * c->round;
}

/* The session is over; begins the next one if there is to be one. */
static void
finish(struct conn *c, const char *error)
{
	if (error != NULL && sum.failed++ < FAILURES_SHOWN)
		fprintf(stderr, "popload: user%u: %s\n", user(c), error);
	if (c->reading == READING_GREETING)
		sum.opening--;
	if (sum.finished < opt.sessions)
		sum.took[sum.finished] = (uint32_t)(now() - c->start);
	sum.finished++;
	conn_close(c, error != NULL);
	if (sum.started < opt.sessions && sum.failed < FAILURES_MAX) {
		c->round = (c->round + 1) % (opt.users / opt.connections);
		session_start(c);
	}
}

/* Appends a command; there is room. */
static void __attribute__((format(printf, 2, 3)))
put(struct conn *c, const char *format, ...)
{
	char *to = c->out + c->out_off + c->out_len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(to, COMMAND_MAX, format, ap);
	va_end(ap);
	c->out_len += (size_t)n;
	c->sent++;
	c->waiting++;
}

static bool
put_login(struct conn *c)
{
	if (c->sent == 0)
		put(c, "USER user%u@example.com\r\n", user(c));
	else if (c->sent == 1)
		put(c, "PASS %s\r\n", opt.password);
	else
		return false;
	return true;
}

static bool
put_each(struct conn *c, const struct step *step)
{
	if (c->sent >= c->count || c->sent >= step->limit)
		return false;
	if (strcmp(step->word->verb, "TOP") == 0)
		put(c, "TOP %u %u\r\n", c->sent + 1, opt.top_lines);
	else
		put(c, "%s %u\r\n", step->word->verb, c->sent + 1);
	return true;
}

/* Puts the next command of the step, if there is one and it is its turn. */
static bool
next_command(struct conn *c, const struct step *step)
{
	bool each = step->word->kind == KIND_EACH;

	if (c->waiting >= (each ? opt.depth : 1) ||
	    c->out_off + c->out_len + COMMAND_MAX >= OUT_MAX)
		return false;
	switch (step->word->kind) {
	case KIND_LOGIN: return put_login(c);
	case KIND_EACH: return put_each(c, step);
	case KIND_HOLD: return false;
	case KIND_ONCE:
	case KIND_STLS:
	case KIND_STALL: break;
	}
	if (c->sent > 0)
		return false;
	put(c, step->word->kind == KIND_STALL ? "%s 1\r\n" : "%s\r\n",
	    step->word->verb);
	return true;
}

static void
hold_one(void)
{
	if (++sum.holding < opt.connections)
		return;
	puts("held");
	fflush(stdout);
}

/* Sends what is to be sent now. */
static void
advance(struct conn *c)
{
	const struct step *step;

	while (c->step < opt.n_steps) {
		step = &opt.steps[c->step];
		if (step->word->kind == KIND_HOLD) {
			if (c->sent++ == 0)
				hold_one();
			return;
		}
		while (next_command(c, step))
			;
		if (c->waiting > 0)
			break;
		c->step++;
		c->sent = 0;
	}
	if (c->step == opt.n_steps)
		finish(c, NULL);
	else if (!conn_flush(c))
		finish(c, "the connection broke");
}

/* ---- what it hears ---- */

/* A reply is whole.  False if the session is over. */
static bool
reply_done(struct conn *c)
{
	unsigned long ended = sum.finished;

	if (c->reading == READING_GREETING)
		sum.opening--;
	else if (opt.steps[c->step].word->kind == KIND_EACH)
		sum.messages++;
	c->reading = READING_FIRST_LINE;
	c->line_len = 0;
	c->waiting--;
	if (c->waiting <= opt.depth / 2)
		advance(c);
	return sum.finished == ended;
}

/* Takes octets of a first line; returns how many. */
static size_t
take_line(struct conn *c, const char *p, size_t n, bool *whole)
{
	const char *end = memchr(p, '\n', n);
	size_t used = end == NULL ? n : (size_t)(end - p) + 1;
	size_t keep = used;

	if (c->line_len + keep > sizeof(c->line) - 1)
		keep = sizeof(c->line) - 1 - c->line_len;
	memcpy(c->line + c->line_len, p, keep);
	c->line_len += keep;
	c->line[c->line_len] = '\0';
	*whole = end != NULL;
	return used;
}

/* Takes octets of data, looks for CRLF.CRLF; returns how many. */
static size_t
take_data(struct conn *c, const char *p, size_t n, bool *whole)
{
	static const char mark[] = "\r\n.\r\n";
	char border[sizeof(c->carry) + 5];
	size_t head = n < 5 ? n : 5, len = c->carry_len + head;
	const char *at;

	memcpy(border, c->carry, c->carry_len);
	memcpy(border + c->carry_len, p, head);
	at = memmem(border, len, mark, 5);
	*whole = true;
	if (at != NULL)
		return (size_t)(at - border) + 5 - c->carry_len;
	at = memmem(p, n, mark, 5);
	if (at != NULL)
		return (size_t)(at - p) + 5;
	*whole = false;
	if (n >= 4) {
		memcpy(c->carry, p + n - 4, 4);
		c->carry_len = 4;
	} else {
		c->carry_len = len < 4 ? len : 4;
		memcpy(c->carry, border + len - c->carry_len, c->carry_len);
	}
	return n;
}

/* A first line is there.  False if the session is over or reads no more. */
static bool
first_line(struct conn *c)
{
	const struct word *word = opt.steps[c->step].word;

	if (c->line[0] != '+') {
		c->line[strcspn(c->line, "\r\n")] = '\0';
		finish(c, c->line);
		return false;
	}
	if (c->reading == READING_GREETING) {
		c->waiting = 1;
		return reply_done(c);
	}
	if (word->kind == KIND_STALL) {
		conn_stop_reading(c);
		hold_one();
		return false;
	}
	if (word->kind == KIND_STLS)
		conn_start_tls(c);
	else if (strcmp(word->verb, "STAT") == 0)
		c->count = (uint32_t)strtoul(c->line + 3, NULL, 10);
	if (word->lines) {
		c->reading = READING_DATA;
		memcpy(c->carry, "\r\n", 2);
		c->carry_len = 2;
		return true;
	}
	return reply_done(c);
}

/* False if the session is over or reads no more. */
static bool
take(struct conn *c, const char *p, size_t n)
{
	bool whole;
	size_t used;

	sum.octets += n;
	while (n > 0) {
		if (c->waiting == 0 && c->reading != READING_GREETING) {
			finish(c, "octets that nobody asked for");
			return false;
		}
		if (c->reading == READING_DATA)
			used = take_data(c, p, n, &whole);
		else
			used = take_line(c, p, n, &whole);
		p += used;
		n -= used;
		if (!whole)
			continue;
		if (c->reading == READING_DATA ? !reply_done(c)
					       : !first_line(c))
			return false;
	}
	return true;
}

/* ---- its life ---- */

void
session_start(struct conn *c)
{
	sum.started++;
	sum.opening++;
	c->step = c->sent = c->waiting = c->count = 0;
	c->reading = READING_GREETING;
	c->line_len = 0;
	c->start = now();
	conn_open(c);
}

static void
closed(struct conn *c)
{
	const char *at = c->reading == READING_GREETING ? "the greeting"
			 : c->step < opt.n_steps ? opt.steps[c->step].word->name
						 : "the end";
	char text[128];

	snprintf(text, sizeof(text), "the server closed at %s: %s", at,
	    errno != 0 ? strerror(errno) : "no more octets");
	finish(c, text);
}

void
session_ready(struct conn *c, char *chunk)
{
	ssize_t n;

	if (!c->connected) {
		c->connected = true;
		if (opt.tls)
			conn_start_tls(c);
	}
	if (!conn_flush(c)) {
		finish(c, "the connection broke");
		return;
	}
	do {
		n = conn_read(c, chunk, CHUNK);
		if (n < 0) {
			closed(c);
			return;
		}
		if (n > 0 && !take(c, chunk, (size_t)n))
			return;
	} while (n > 0 && c->ssl != NULL);
	/* A handshake that has ended lets commands go. */
	if (c->ssl != NULL && c->out_len > 0 && !conn_flush(c))
		finish(c, "the connection broke");
}

void
session_release(struct conn *c)
{
	c->step++;
	c->sent = c->waiting = 0;
	advance(c);
}
