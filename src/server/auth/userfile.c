#include "server/auth/userfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { COMPLAINTS = 20 }; /* lines of log for one file */

void
userfile_init(struct userfile *u, const struct name_rule *rule,
    struct ev_loop *loop, struct ipc_chan *ctl)
{
	memset(u, 0, sizeof(*u));
	u->rule = rule;
	u->loop = loop;
	u->ctl = ctl;
	u->fd = -1;
	TAILQ_INIT(&u->waiting);
}

/* ---- reading ---- */

static void
complain(void *arg, enum users_fault fault, unsigned line, const char *what)
{
	unsigned *n = arg;

	if ((*n)++ < COMPLAINTS)
		log_line(LOG_WARNING, "ev=users-line line=%u error=\"%s\"",
		    line, what);
}

/* Reads up to n octets from the start; returns how many, or -1. */
static ssize_t
read_all(int fd, char *p, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t r = pread(fd, p + at, n - at, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		at += (size_t)r;
	}
	return (ssize_t)at;
}

static enum err
parse(struct userfile *u, int fd, const struct stat *st, struct users **new_r)
{
	size_t size = (size_t)st->st_size;
	unsigned complaints = 0;
	char *text = malloc(size + 1);
	ssize_t n;
	enum err e;

	if (text == NULL)
		return E_NOMEM;
	if ((n = read_all(fd, text, size)) < 0)
		e = E_IO;
	else
		e = users_parse(new_r, (struct slice){ text, (size_t)n },
		    u->rule, complain, &complaints);
	explicit_bzero(text, size);
	free(text);
	if (complaints > COMPLAINTS)
		log_line(LOG_WARNING, "ev=users-line more=%u",
		    complaints - COMPLAINTS);
	return e;
}

/* Reads the users anew from fd; what there was stays if that fails.  The
 * times are taken first: what changes meanwhile is seen as a change. */
static void
load(struct userfile *u, int fd)
{
	struct users *new = NULL;
	struct stat st;
	enum err e = E_FORMAT;

	if (fstat(fd, &st) < 0)
		e = E_IO;
	else if (S_ISREG(st.st_mode) && st.st_size <= USERFILE_MAX)
		e = parse(u, fd, &st, &new);
	if (e != E_OK) {
		log_line(LOG_FAULT, "ev=users-unread why=%s", err_str(e));
		if (fd != u->fd)
			close(fd);
		return;
	}
	if (fd != u->fd && u->fd >= 0)
		close(u->fd);
	users_free(u->users);
	u->users = new;
	u->generation++;
	u->fd = fd;
	u->st = st;
	log_line(LOG_EVENT, "ev=users count=%zu", users_count(new));
}

static bool
is_changed(const struct stat *a, const struct stat *b)
{
	return a->st_size != b->st_size ||
	       a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	       a->st_mtim.tv_nsec != b->st_mtim.tv_nsec ||
	       a->st_ctim.tv_sec != b->st_ctim.tv_sec ||
	       a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

bool
userfile_is_stale(const struct userfile *u)
{
	struct stat st;

	/* A replaced file changes its ctime as it loses its last name. */
	return u->fd < 0 || fstat(u->fd, &st) < 0 || st.st_nlink == 0 ||
	       is_changed(&st, &u->st);
}

/* ---- asking ---- */

/* Wakes those for whom enough has been answered. */
static void
wake(struct userfile *u, enum err e)
{
	struct userfile_wait *w;
	uint64_t answered = u->answered;

	/* One that is woken may wait again, at the end and for more. */
	while ((w = TAILQ_FIRST(&u->waiting)) != NULL && w->need <= answered) {
		TAILQ_REMOVE(&u->waiting, w, entry);
		w->done(w, e);
	}
}

static void userfile_ask(struct userfile *u);

static void
settle(struct userfile *u, enum err e)
{
	u->answered = u->asked;
	ev_timer_stop(u->loop, &u->deadline);
	wake(u, e);
	if (!TAILQ_EMPTY(&u->waiting) && u->asked == u->answered)
		userfile_ask(u);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	log_line(LOG_FAULT, "ev=users-check why=\"no answer\"");
	settle(t->data, E_AGAIN);
}

static void
userfile_ask(struct userfile *u)
{
	u->asked++;
	ev_timer_init(&u->deadline, on_deadline, USERFILE_CHECK_MS / 1e3, 0);
	u->deadline.data = u;
	ev_timer_start(u->loop, &u->deadline);
	/* If it cannot be sent, the deadline says so. */
	ipc_begin(u->ctl, IPC_USERS_CHECK);
	if (ipc_end(u->ctl) != E_OK)
		log_line(LOG_FAULT, "ev=users-check why=\"not sent\"");
}

void
userfile_check(struct userfile *u, struct userfile_wait *w)
{
	w->need = u->asked + 1;
	TAILQ_INSERT_TAIL(&u->waiting, w, entry);
	if (u->asked == u->answered)
		userfile_ask(u);
}

void
userfile_cancel(struct userfile *u, struct userfile_wait *w)
{
	TAILQ_REMOVE(&u->waiting, w, entry);
}

void
userfile_told(struct userfile *u, int fd)
{
	struct stat st;

	if (fd >= 0)
		load(u, fd);
	else if (u->fd >= 0 && fstat(u->fd, &st) == 0 &&
		 is_changed(&st, &u->st))
		load(u, u->fd);
	if (u->asked != u->answered)
		settle(u, E_OK);
}
