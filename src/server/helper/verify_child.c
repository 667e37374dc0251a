#include "server/helper/verify_child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/helper/verify_reply.h"
#include "server/ipc/ipc.h"

static const double STRAYS_AFTER = 0.1; /* seconds */

/* ---- ending ---- */

static bool
is_child(const struct verify_parent *p, pid_t pid)
{
	const struct verify_child *c;

	LIST_FOREACH (c, &p->children, entry)
		if (c->pid == pid)
			return true;
	return false;
}

/* What one that was ended had started, in a session of its own perhaps: by now it is
 * a child of ours, and so are all others that have lost their parent, who asks
 * nothing any more. */
static void
end_strays(const struct verify_parent *p)
{
	char path[64];
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	if ((f = fopen(path, "re")) == NULL)
		return;
	while (fscanf(f, "%d", &pid) == 1)
		if (!is_child(p, pid))
			kill(pid, SIGKILL);
	fclose(f);
}

static void
on_strays(struct ev_loop *loop, ev_timer *t, int revents)
{
	end_strays(t->data);
}

void
verify_parent_init(struct verify_parent *p)
{
	LIST_INIT(&p->children);
	ev_timer_init(&p->strays, on_strays, STRAYS_AFTER, 0.);
	p->strays.data = p;
	/* Who has left its parent becomes a child of ours, and is found. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/* Its children are ours by now.  To look for them costs as much as a few system calls
 * do, so it is done for all that have died in a moment. */
static void
expect_strays(struct verify_parent *p)
{
	if (ev_is_active(&p->strays))
		return;
	ev_timer_set(&p->strays, STRAYS_AFTER, 0.);
	ev_timer_start(p->loop, &p->strays);
}

/* It and its group. */
static void
end_group(const struct verify_child *c)
{
	if (c->is_dead)
		return;
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL);
}

/* Nothing more is expected of it. */
static void
give_up(struct verify_child *c)
{
	struct ev_loop *loop = c->parent->loop;

	if (!c->is_answered)
		c->parent->n--;
	c->is_answered = true;
	ev_io_stop(loop, &c->said);
	ev_timer_stop(loop, &c->deadline);
	end_group(c);
}

static void
answer(struct verify_child *c, struct verify_answer *a)
{
	give_up(c);
	c->done(c, a);
	db_row_clear(&a->row);
}

/* False: it has said nothing. */
static bool
take_reply(struct verify_child *c)
{
	char text[VERIFY_REPLY_MAX];
	ssize_t n = recv(c->fd, text, sizeof(text), MSG_DONTWAIT);
	struct verify_answer a;

	if (n <= 0)
		return false;
	verify_reply_take(&a, text, (size_t)n);
	answer(c, &a);
	return true;
}

static void
on_said(struct ev_loop *loop, ev_io *w, int revents)
{
	struct verify_child *c = w->data;

	if (!take_reply(c))
		ev_io_stop(loop, w); /* it has ended, or does so soon */
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct verify_child *c = w->data;
	struct verify_answer a = { .result = LOOKUP_FAILED,
		.why = { "it does not answer" } };

	answer(c, &a);
}

static void
judge_end(struct verify_child *c, int status)
{
	const struct verify_driver *driver = c->parent->driver;
	struct verify_answer a = { .result = LOOKUP_FAILED,
		.why = { "what asks there has died" } };

	if (driver->ended != NULL)
		driver->ended(status, &a);
	answer(c, &a);
}

static void
on_died(struct ev_loop *loop, ev_child *w, int revents)
{
	struct verify_child *c = w->data;
	struct verify_parent *p = c->parent;

	c->is_dead = true;
	ev_child_stop(loop, w);
	if (!c->is_answered && !take_reply(c))
		judge_end(c, w->rstatus);
	LIST_REMOVE(c, entry);
	expect_strays(p);
	close(c->fd);
	free(c);
}

void
verify_parent_end(struct verify_parent *p)
{
	struct verify_child *c;

	LIST_FOREACH (c, &p->children, entry)
		give_up(c);
	end_strays(p);
}

/* ---- in the new process ---- */

/* It has what it is to answer by, and else nothing of ours. */
static bool
take_off(int fd)
{
	static const char *const path =
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	sigset_t none;
	int null;

	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, VERIFY_FD) < 0 || close_range(VERIFY_FD + 1, ~0u, 0) < 0 ||
	    (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
		return false;
	for (int i = 0; i < VERIFY_FD; i++)
		if (dup2(null, i) < 0)
			return false;
	close(null);
	return putenv((char *)path) == 0;
}

static void __attribute__((noreturn))
ask(const struct verify_parent *p, const struct verify_question *q, int fd)
{
	struct verify_answer a = { .result = LOOKUP_FAILED };

	setsid();
	if (!take_off(fd))
		_exit(1);
	p->driver->verify(p->conf, q, &a);
	_exit(verify_reply_send(VERIFY_FD, &a) == E_OK ? 0 : 1);
}

/* ---- starting ---- */

static void
watch(struct verify_child *c)
{
	struct verify_parent *p = c->parent;

	LIST_INSERT_HEAD(&p->children, c, entry);
	p->n++;
	ev_child_init(&c->died, on_died, c->pid, 0);
	ev_io_init(&c->said, on_said, c->fd, EV_READ);
	ev_now_update(p->loop);
	ev_timer_init(&c->deadline, on_deadline, p->conf->timeout, 0.);
	c->died.data = c->said.data = c->deadline.data = c;
	ev_child_start(p->loop, &c->died);
	ev_io_start(p->loop, &c->said);
	ev_timer_start(p->loop, &c->deadline);
}

static enum err
start(struct verify_child *c, struct verify_question *q, struct errbuf *eb)
{
	int fd[2];
	enum err e;

	if (c->parent->n >= c->parent->conf->connections)
		return err_set(eb, E_FULL, "too many ask");
	if ((e = ipc_pair(fd, eb)) != E_OK)
		return e;
	if ((c->pid = fork()) == 0)
		ask(c->parent, q, fd[1]);
	close(fd[1]);
	c->fd = fd[0];
	if (c->pid > 0)
		return E_OK;
	close(fd[0]);
	return err_sys(eb, E_IO, "fork");
}

void
verify_child_start(struct verify_parent *p, struct verify_question *q,
    uint64_t id, void (*done)(struct verify_child *c, struct verify_answer *a))
{
	struct verify_answer none = { .result = LOOKUP_FAILED };
	struct verify_child here, *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		here.id = id;
		here.parent = p;
		done(&here, &none);
		return;
	}
	c->parent = p;
	c->id = id;
	c->done = done;
	if (start(c, q, &none.why) == E_OK) {
		watch(c);
	} else {
		done(c, &none);
		free(c);
	}
	explicit_bzero(q, sizeof(*q));
}
