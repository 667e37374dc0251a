#include "server/parent/logrelay.h"

#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"

enum {
	LINE_MAX_OCTETS = 2048, /* as in base/log.c */
	STUCK_MS = 1000,        /* how long standard error may take no line */
	READS = 8,              /* from one pipe at a time; it holds 64 KiB */
	STAMPED_MAX = LINE_MAX_OCTETS + 128,
};

struct source {
	LIST_ENTRY(source) link;
	struct ev_loop *loop;
	ev_io rd;
	const char *role;
	char who[32]; /* what its lines begin with: the role, and which one */
	bool ascii;   /* nothing else passes */
	size_t len;
	char line[LINE_MAX_OCTETS]; /* the beginning of the next one */
};

/* While a process writes lines they are fetched by the clock, so that it need
 * not wake us for each. */
LIST_HEAD(source_list, source);
static struct source_list watched = LIST_HEAD_INITIALIZER(watched);
static struct source_list timed = LIST_HEAD_INITIALIZER(timed);
static ev_timer timer;
static const double INTERVAL = 0.01;

static enum { TO_STDERR, TO_JOURNAL, TO_SYSLOG } kind;
static unsigned long dropped;

/* Lines that leave in one write, no longer than a pipe that has room takes
 * without waiting: PIPE_BUF. */
static struct {
	char text[4096];
	size_t len, lines;
} batch;

static const char letters[] = "DIWE";
static const int priorities[] = { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR };

/* systemd says which stream is the journal's (systemd.exec(5)). */
bool
logrelay_is_journal(void)
{
	const char *s = getenv("JOURNAL_STREAM");
	char here[64];
	struct stat st;

	if (s == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(here, sizeof(here), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(s, here) == 0;
}

/* Standard error may be a pipe that nobody empties.  Waits a little; false:
 * the lines are lost. */
static bool
write_lines(const char *s, size_t n)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	/* Once stuck, no line waits until one goes through. */
	return poll(&p, 1, dropped != 0 ? 0 : STUCK_MS) > 0 &&
	       write(STDERR_FILENO, s, n) >= 0;
}

static void emit(char letter, const char *who, const char *text);

/* Writes what was collected. */
static void
flush(void)
{
	unsigned long lost = dropped;
	char text[64];

	if (batch.lines == 0)
		return;
	if (!write_lines(batch.text, batch.len)) {
		dropped += batch.lines;
		lost = 0;
	}
	batch.len = batch.lines = 0;
	if (lost == 0)
		return;
	dropped = 0;
	snprintf(text, sizeof(text), " ev=log-dropped lines=%lu", lost);
	emit('W', "parent", text);
	flush();
}

/* text: from the space behind the process's name on. */
static void
emit(char letter, const char *who, const char *text)
{
	size_t level = (size_t)(strchr(letters, letter) - letters);
	char *out = batch.text + batch.len, stamp[CLOCK_STAMP];
	int n;

	if (kind == TO_SYSLOG) {
		syslog(priorities[level], "%s%s", who, text);
		return;
	}
	if (sizeof(batch.text) - batch.len < STAMPED_MAX) {
		flush();
		out = batch.text;
	}
	if (kind == TO_JOURNAL)
		n = format(out, STAMPED_MAX, "<%d>%s%s\n", priorities[level],
		    who, text);
	else
		n = format(out, STAMPED_MAX, "%s %c %s%s\n",
		    clock_stamp(stamp, clock_unix_ms()), letter, who, text);
	batch.len += (size_t)n;
	batch.lines++;
}

/* Does the line begin with a level and the word of its process? */
static bool
is_ours(const struct source *s)
{
	size_t n = strlen(s->role);

	return s->len > n + 3 && strchr(letters, s->line[0]) != NULL &&
	       s->line[1] == ' ' && memcmp(s->line + 2, s->role, n) == 0 &&
	       s->line[n + 2] == ' ';
}

static bool
may_pass(const struct source *s, unsigned char c)
{
	return c >= ' ' && c != 0x7f && (c < 0x80 || !s->ascii);
}

static void
pass_line(struct source *s)
{
	char quote[LINE_MAX_OCTETS + 64];

	for (size_t i = 0; i < s->len; i++)
		if (!may_pass(s, (unsigned char)s->line[i]))
			s->line[i] = '?';
	s->line[s->len] = '\0';
	if (s->len == 0)
		return;
	if (is_ours(s)) {
		emit(s->line[0], s->who, s->line + 2 + strlen(s->role));
		return;
	}
	for (size_t i = 0; i < s->len; i++)
		if (s->line[i] == '"')
			s->line[i] = '\'';
	format(quote, sizeof(quote), " ev=stderr text=\"%s\"", s->line);
	emit('W', s->who, quote);
}

static void
take(struct source *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\n')
			s->line[s->len++] = p[i];
		if (p[i] == '\n' || s->len == sizeof(s->line) - 1) {
			pass_line(s);
			s->len = 0;
		}
	}
}

static void
source_free(struct source *s)
{
	pass_line(s);
	flush();
	LIST_REMOVE(s, link);
	ev_io_stop(s->loop, &s->rd);
	close(s->rd.fd);
	free(s);
}

enum found { FOUND_LINES, FOUND_NOTHING, FOUND_END };

/* Takes what is in the pipe.  FOUND_END: s is gone. */
static enum found
read_all(struct source *s)
{
	char got[16 * 1024];
	enum found found = FOUND_NOTHING;
	ssize_t n = sizeof(got);

	for (int i = 0; i < READS && n == sizeof(got); i++) {
		n = read(s->rd.fd, got, sizeof(got));
		if (n > 0) {
			take(s, got, (size_t)n);
			found = FOUND_LINES;
		}
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		source_free(s);
		found = FOUND_END;
	}
	return found;
}

static void
move(struct source *s, struct source_list *to)
{
	LIST_REMOVE(s, link);
	LIST_INSERT_HEAD(to, s, link);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct source *s = w->data;

	if (read_all(s) == FOUND_LINES) {
		flush();
		ev_io_stop(loop, w);
		move(s, &timed);
		if (!ev_is_active(&timer))
			ev_timer_again(loop, &timer);
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct source *s, *next;

	for (s = LIST_FIRST(&timed); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		if (read_all(s) == FOUND_NOTHING) {
			move(s, &watched);
			ev_io_start(loop, &s->rd);
		}
	}
	flush();
	if (LIST_EMPTY(&timed))
		ev_timer_stop(loop, t);
}

void
logrelay_open(bool to_syslog)
{
	ev_timer_init(&timer, on_timer, INTERVAL, INTERVAL);
	kind = to_syslog               ? TO_SYSLOG
	       : logrelay_is_journal() ? TO_JOURNAL
				       : TO_STDERR;
	if (to_syslog)
		openlog("maloted", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

enum err
logrelay_add(struct ev_loop *loop, int fd, const char *role, unsigned index)
{
	struct source *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		close(fd);
		return E_NOMEM;
	}
	s->loop = loop;
	s->role = role;
	s->ascii = index != LOGRELAY_PARENT;
	snprintf(s->who, sizeof(s->who),
	    index != LOGRELAY_PARENT ? "%s.%u" : "%s", role, index);
	ev_io_init(&s->rd, on_readable, fd, EV_READ);
	s->rd.data = s;
	ev_io_start(loop, &s->rd);
	LIST_INSERT_HEAD(&watched, s, link);
	return E_OK;
}

static void
drain(struct source_list *list)
{
	struct source *s, *next;

	for (s = LIST_FIRST(list); s != NULL; s = next) {
		next = LIST_NEXT(s, link);
		(void)read_all(s);
	}
}

void
logrelay_drain(void)
{
	drain(&watched);
	drain(&timed);
	flush();
}
