/* A person at the terminal, asked for one password at a time. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <termios.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/secret/source.h"

enum { PATIENCE = 300 }; /* seconds for one answer */

struct question {
	struct secret *s;
	TAILQ_ENTRY(question) entry;
	ev_timer timer; /* until it is its turn; then the deadline */
	ev_io io;
	bool asked;
};

TAILQ_HEAD(questions, question);

/* In the order of the accounts' lines, but for the first one, if it is being
 * asked. */
static struct questions waiting = TAILQ_HEAD_INITIALIZER(waiting);

/* Those that will be asked for soon. */
struct expected {
	const struct account *account;
	SLIST_ENTRY(expected) entry;
};

static SLIST_HEAD(, expected) expected = SLIST_HEAD_INITIALIZER(expected);

/* What secret_restore_terminal() needs. */
static struct termios echoing;
static int tty_fd = -1;
static volatile sig_atomic_t silent; /* the terminal does not echo */

static void (*tell_asking)(void *arg, bool now);
static void *tell_arg;

void
secret_on_terminal(void (*asking)(void *arg, bool now), void *arg)
{
	tell_asking = asking;
	tell_arg = arg;
}

void
secret_restore_terminal(void)
{
	int saved = errno;

	if (silent) {
		silent = 0;
		/* The half of a password is for nobody else to read. */
		tcflush(tty_fd, TCIFLUSH);
		tcsetattr(tty_fd, TCSANOW, &echoing);
	}
	errno = saved;
}

static bool
silence(void)
{
	struct termios t;

	/* tcsetattr() would stop a process in the background. */
	if (tcgetpgrp(tty_fd) != getpgrp() || tcgetattr(tty_fd, &echoing) < 0)
		return false;
	t = echoing;
	t.c_lflag &= ~(tcflag_t)ECHO;
	t.c_lflag |= ICANON | ISIG | ECHONL;
	silent = 1;
	if (tcsetattr(tty_fd, TCSAFLUSH, &t) < 0) {
		silent = 0;
		return false;
	}
	return true;
}

static void
terminal_say(const char *text)
{
	if (write(tty_fd, text, strlen(text)) < 0)
		return; /* the answer will not come either */
}

static void
on_answer(struct ev_loop *loop, ev_io *w, int revents)
{
	struct secret *s = w->data;
	ssize_t n;

	n = read(w->fd, s->value + s->n, SECRET_MAX - s->n);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || (s->n == 0 && s->value[0] == '\n')) {
		secret_fail(s, E_DENIED, _("no password was given"));
		return;
	}
	s->n += (size_t)n;
	if (memchr(s->value, '\n', s->n) != NULL)
		secret_end(s, _("the terminal"));
	else if (s->n == SECRET_MAX)
		secret_fail(s, E_DENIED, _("the password is too long"));
}

static void
terminal_ask(struct question *q)
{
	const struct account *a = q->s->account;
	char prompt[512];

	if (strcmp(a->name, a->user) == 0)
		snprintf(prompt, sizeof(prompt), _("Password for %s at %s: "),
		    a->user, a->server);
	else
		snprintf(prompt, sizeof(prompt),
		    _("Password for %s (%s at %s): "), a->name, a->user,
		    a->server);
	if (tell_asking != NULL)
		tell_asking(tell_arg, true);
	terminal_say(prompt);
	q->asked = true;
	ev_io_set(&q->io, tty_fd, EV_READ);
	ev_io_start(q->s->loop, &q->io);
	ev_timer_stop(q->s->loop, &q->timer); /* it may have been set anew */
	ev_timer_set(&q->timer, PATIENCE, 0);
	ev_timer_start(q->s->loop, &q->timer);
}

static void
terminal_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct question *q = w->data;

	if (q->asked) {
		secret_fail(q->s, E_DENIED, _("no password was typed in time"));
		return;
	}
	if (TAILQ_FIRST(&waiting) != q)
		return; /* another one has come in before it */
	tty_fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (tty_fd >= 0 && silence())
		terminal_ask(q);
	else
		secret_fail_nowhere(q->s);
}

static bool
is_first(const struct question *q)
{
	const struct expected *x;

	SLIST_FOREACH (x, &expected, entry)
		if (x->account->line < q->s->account->line)
			return false;
	return true;
}

/* In the next turn of the loop. */
static void
terminal_next(struct ev_loop *loop)
{
	struct question *q = TAILQ_FIRST(&waiting);

	if (q == NULL || q->asked || !is_first(q))
		return;
	ev_timer_set(&q->timer, 0, 0);
	ev_timer_start(loop, &q->timer);
}

void
secret_expect(const struct account *a)
{
	struct expected *x = malloc(sizeof(*x));

	if (x == NULL)
		return; /* the order is all that is lost */
	x->account = a;
	SLIST_INSERT_HEAD(&expected, x, entry);
}

void
secret_expect_not(const struct account *a, struct ev_loop *loop)
{
	struct expected *x;

	SLIST_FOREACH (x, &expected, entry)
		if (x->account == a)
			break;
	if (x == NULL)
		return;
	SLIST_REMOVE(&expected, x, expected, entry);
	free(x);
	terminal_next(loop);
}

static void
put_in_line(struct question *q)
{
	struct question *before = NULL, *other;

	TAILQ_FOREACH (other, &waiting, entry)
		if (other->asked ||
		    other->s->account->line <= q->s->account->line)
			before = other;
	if (before != NULL)
		TAILQ_INSERT_AFTER(&waiting, before, q, entry);
	else
		TAILQ_INSERT_HEAD(&waiting, q, entry);
}

static enum err
terminal_start(struct secret *s, struct errbuf *eb)
{
	struct question *q = s->own = calloc(1, sizeof(*q));

	if (q == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	q->s = s;
	ev_init(&q->timer, terminal_timer);
	ev_init(&q->io, on_answer);
	q->timer.data = q;
	q->io.data = s;
	put_in_line(q);
	terminal_next(s->loop);
	secret_expect_not(s->account, s->loop);
	return E_OK;
}

static void
terminal_stop(struct secret *s)
{
	struct question *q = s->own;
	bool first = q != NULL && TAILQ_FIRST(&waiting) == q;

	if (q == NULL)
		return;
	if (silent && first && s->n == 0)
		terminal_say("\n"); /* nobody pressed Enter */
	ev_timer_stop(s->loop, &q->timer);
	ev_io_stop(s->loop, &q->io);
	TAILQ_REMOVE(&waiting, q, entry);
	if (first) {
		secret_restore_terminal();
		if (tty_fd >= 0)
			close(tty_fd);
		tty_fd = -1;
		if (q->asked && tell_asking != NULL)
			tell_asking(tell_arg, false);
		terminal_next(s->loop);
	}
	free(q);
	s->own = NULL;
}

const struct secret_source secret_terminal = { terminal_start, terminal_stop };
