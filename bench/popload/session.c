#include "session.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "scram.h"
#include "totals.h"

enum {
	COMMAND_MAX = 600,
	FAILURES_MAX = 100, /* after so many no more sessions are begun */
	FAILURES_SHOWN = 3,
};

/* ---- its beginning and its end ---- */

static unsigned
user(const struct session *s)
{
	return opt.first_user + s->slot + opt.connections * s->round;
}

static void
begin(struct session *s)
{
	sum.started++;
	sum.opening++;
	s->step = s->sent = s->waiting = s->count = 0;
	s->reading = READING_GREETING;
	s->line_len = 0;
	s->start = now();
	conn_open(&s->conn, s);
}

void
session_start(struct session *s, unsigned slot)
{
	s->slot = slot;
	begin(s);
}

/* The session is over; begins the next one if there is to be one. */
static void
finish(struct session *s, const char *error)
{
	if (error != NULL && sum.failed++ < FAILURES_SHOWN)
		fprintf(stderr, "popload: user%u: %s\n", user(s), error);
	if (s->reading == READING_GREETING)
		sum.opening--;
	if (sum.finished < opt.sessions)
		sum.took[sum.finished] = (uint32_t)(now() - s->start);
	sum.finished++;
	sum.resumed += conn_close(&s->conn, error != NULL);
	if (sum.started < opt.sessions && sum.failed < FAILURES_MAX) {
		s->round = (s->round + 1) % (opt.users / opt.connections);
		begin(s);
	}
}

/* ---- what it says ---- */

/* Appends a command; there is room. */
static void __attribute__((format(printf, 2, 3)))
put(struct session *s, const char *format, ...)
{
	char *to = s->conn.out + s->conn.out_off + s->conn.out_len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(to, COMMAND_MAX, format, ap);
	va_end(ap);
	s->conn.out_len += (size_t)n;
	s->sent++;
	s->waiting++;
}

static bool
put_login(struct session *s)
{
	if (s->sent == 0)
		put(s, "USER user%u@example.com\r\n", user(s));
	else if (s->sent == 1)
		put(s, "PASS %s\r\n", opt.password);
	else
		return false;
	return true;
}

static bool
put_plain(struct session *s)
{
	char text[256], coded[512];
	int n;

	if (s->sent > 0)
		return false;
	n = snprintf(text, sizeof(text), "%cuser%u@example.com%c%.128s", '\0',
	    user(s), '\0', opt.password);
	EVP_EncodeBlock((void *)coded, (const void *)text, n);
	put(s, "AUTH PLAIN %s\r\n", coded);
	return true;
}

/* What the server has said last is in s->line still. */
static bool
put_scram(struct session *s)
{
	const struct scram scram = { user(s), s->start };
	char text[SCRAM_TEXT] = "*"; /* to something that makes no sense */

	if (s->sent == 0) {
		scram_first(&scram, text);
		put(s, "AUTH SCRAM-SHA-256 %s\r\n", text);
	} else if (s->sent == 1) {
		scram_final(&scram, s->line, text);
		put(s, "%s\r\n", text);
	} else if (s->sent == 2) {
		put(s, "\r\n");
	} else {
		return false;
	}
	return true;
}

static bool
put_each(struct session *s, const struct step *step)
{
	if (s->sent >= s->count || s->sent >= step->limit)
		return false;
	if (strcmp(step->word->verb, "TOP") == 0)
		put(s, "TOP %u %u\r\n", s->sent + 1, opt.top_lines);
	else
		put(s, "%s %u\r\n", step->word->verb, s->sent + 1);
	return true;
}

/* Puts the next command of the step, if there is one and it is its turn. */
static bool
next_command(struct session *s, const struct step *step)
{
	bool each = step->word->kind == KIND_EACH;

	if (s->waiting >= (each ? opt.depth : 1) ||
	    s->conn.out_off + s->conn.out_len + COMMAND_MAX >= OUT_MAX)
		return false;
	switch (step->word->kind) {
	case KIND_LOGIN: return put_login(s);
	case KIND_PLAIN: return put_plain(s);
	case KIND_SCRAM: return put_scram(s);
	case KIND_EACH: return put_each(s, step);
	case KIND_HOLD: return false;
	case KIND_ONCE:
	case KIND_STLS:
	case KIND_STALL: break;
	}
	if (s->sent > 0)
		return false;
	put(s, step->word->kind == KIND_STALL ? "%s 1\r\n" : "%s\r\n",
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
advance(struct session *s)
{
	const struct step *step;

	while (s->step < opt.n_steps) {
		step = &opt.steps[s->step];
		if (step->word->kind == KIND_HOLD) {
			if (s->sent++ == 0)
				hold_one();
			return;
		}
		while (next_command(s, step))
			;
		if (s->waiting > 0)
			break;
		s->step++;
		s->sent = 0;
	}
	if (s->step == opt.n_steps)
		finish(s, NULL);
	else if (!conn_flush(&s->conn))
		finish(s, "the connection broke");
}

/* ---- what it hears ---- */

/* A reply is whole.  False if the session is over. */
static bool
reply_done(struct session *s)
{
	unsigned long ended = sum.finished;

	if (s->reading == READING_GREETING)
		sum.opening--;
	else if (opt.steps[s->step].word->kind == KIND_EACH)
		sum.messages++;
	s->reading = READING_FIRST_LINE;
	s->line_len = 0;
	s->waiting--;
	if (s->waiting <= opt.depth / 2)
		advance(s);
	return sum.finished == ended;
}

/* Takes octets of a first line; returns how many. */
static size_t
take_line(struct session *s, const char *p, size_t n, bool *whole)
{
	const char *end = memchr(p, '\n', n);
	size_t used = end == NULL ? n : (size_t)(end - p) + 1;
	size_t keep = used;

	if (s->line_len + keep > sizeof(s->line) - 1)
		keep = sizeof(s->line) - 1 - s->line_len;
	memcpy(s->line + s->line_len, p, keep);
	s->line_len += keep;
	s->line[s->line_len] = '\0';
	*whole = end != NULL;
	return used;
}

/* Takes octets of data, looks for CRLF.CRLF; returns how many. */
static size_t
take_data(struct session *s, const char *p, size_t n, bool *whole)
{
	static const char mark[] = "\r\n.\r\n";
	char border[sizeof(s->carry) + 5];
	size_t head = n < 5 ? n : 5, len = s->carry_len + head;
	const char *at;

	memcpy(border, s->carry, s->carry_len);
	memcpy(border + s->carry_len, p, head);
	at = memmem(border, len, mark, 5);
	*whole = true;
	if (at != NULL)
		return (size_t)(at - border) + 5 - s->carry_len;
	at = memmem(p, n, mark, 5);
	if (at != NULL)
		return (size_t)(at - p) + 5;
	*whole = false;
	if (n >= 4) {
		memcpy(s->carry, p + n - 4, 4);
		s->carry_len = 4;
	} else {
		s->carry_len = len < 4 ? len : 4;
		memcpy(s->carry, border + len - s->carry_len, s->carry_len);
	}
	return n;
}

/* A first line is there.  False if the session is over or reads no more. */
static bool
first_line(struct session *s)
{
	const struct word *word = opt.steps[s->step].word;

	if (s->line[0] != '+') {
		s->line[strcspn(s->line, "\r\n")] = '\0';
		finish(s, s->line);
		return false;
	}
	if (s->reading == READING_GREETING) {
		s->waiting = 1;
		return reply_done(s);
	}
	if (word->kind == KIND_STALL) {
		conn_stop_reading(&s->conn);
		hold_one();
		return false;
	}
	if (word->kind == KIND_STLS)
		conn_start_tls(&s->conn);
	else if (strcmp(word->verb, "STAT") == 0)
		s->count = (uint32_t)strtoul(s->line + 3, NULL, 10);
	if (word->lines) {
		s->reading = READING_DATA;
		memcpy(s->carry, "\r\n", 2);
		s->carry_len = 2;
		return true;
	}
	return reply_done(s);
}

/* False if the session is over or reads no more. */
static bool
take(struct session *s, const char *p, size_t n)
{
	bool whole;
	size_t used;

	sum.octets += n;
	while (n > 0) {
		if (s->waiting == 0 && s->reading != READING_GREETING) {
			finish(s, "octets that nobody asked for");
			return false;
		}
		if (s->reading == READING_DATA)
			used = take_data(s, p, n, &whole);
		else
			used = take_line(s, p, n, &whole);
		p += used;
		n -= used;
		if (!whole)
			continue;
		if (s->reading == READING_DATA ? !reply_done(s)
					       : !first_line(s))
			return false;
	}
	return true;
}

/* ---- when the connection is ready ---- */

static void
closed(struct session *s)
{
	const char *at = s->reading == READING_GREETING ? "the greeting"
			 : s->step < opt.n_steps ? opt.steps[s->step].word->name
						 : "the end";
	char text[128];

	snprintf(text, sizeof(text), "the server closed at %s: %s", at,
	    errno != 0 ? strerror(errno) : "no more octets");
	finish(s, text);
}

void
session_ready(struct session *s, char *chunk)
{
	ssize_t n;

	if (!s->conn.connected) {
		s->conn.connected = true;
		if (opt.tls)
			conn_start_tls(&s->conn);
	}
	if (!conn_flush(&s->conn)) {
		finish(s, "the connection broke");
		return;
	}
	do {
		n = conn_read(&s->conn, chunk, CHUNK);
		if (n < 0) {
			closed(s);
			return;
		}
		if (n > 0 && !take(s, chunk, (size_t)n))
			return;
	} while (n > 0 && s->conn.ssl != NULL);
	/* A handshake may have ended; what waited for it can be sent now. */
	if (s->conn.ssl != NULL && s->conn.out_len > 0 && !conn_flush(&s->conn))
		finish(s, "the connection broke");
}

void
session_release(struct session *s)
{
	s->step++;
	s->sent = s->waiting = 0;
	advance(s);
}
