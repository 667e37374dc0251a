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

/* The first one is being asked. */
static struct questions waiting = TAILQ_HEAD_INITIALIZER(waiting);

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
	if (n <= 0) {
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

	snprintf(prompt, sizeof(prompt), _("Password for %s (%s at %s): "),
	    a->name, a->user, a->server);
	if (tell_asking != NULL)
		tell_asking(tell_arg, true);
	terminal_say(prompt);
	q->asked = true;
	ev_io_set(&q->io, tty_fd, EV_READ);
	ev_io_start(q->s->loop, &q->io);
	ev_timer_set(&q->timer, PATIENCE, 0);
	ev_timer_start(q->s->loop, &q->timer);
}

static void
terminal_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct question *q = w->data;

	if (q->asked) {
		secret_fail(q->s, E_DENIED, _("nobody gave the password"));
		return;
	}
	tty_fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (tty_fd >= 0 && silence())
		terminal_ask(q);
	else
		secret_fail(q->s, E_NOENT,
		    _("no password is configured (password_command, keyring "
		      "or password), and there is no terminal to ask on"));
}

/* In the next turn of the loop. */
static void
terminal_next(struct ev_loop *loop)
{
	struct question *q = TAILQ_FIRST(&waiting);

	if (q == NULL)
		return;
	ev_timer_set(&q->timer, 0, 0);
	ev_timer_start(loop, &q->timer);
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
	TAILQ_INSERT_TAIL(&waiting, q, entry);
	if (TAILQ_FIRST(&waiting) == q)
		terminal_next(s->loop);
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
