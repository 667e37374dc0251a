#include "server/helper/verify_child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/helper/verify_process.h"
#include "server/helper/verify_reply.h"
#include "server/ipc/ipc.h"

/* Seconds. */
static const double STRAYS_AFTER = 0.1, WAITS_FOR = 5;

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
	c->is_waiting = false;
	ev_io_stop(loop, &c->said);
	ev_timer_stop(loop, &c->deadline);
	end_group(c);
}

/* One that could not say is not asked again, whatever it says of itself. */
static bool
may_be_asked_again(const struct verify_child *c, const struct verify_answer *a)
{
	return a->ask_again && a->result != LOOKUP_FAILED && !c->is_dead &&
	       c->asked < c->parent->conf->questions;
}

static void
set_deadline(struct verify_child *c, double seconds)
{
	struct ev_loop *loop = c->parent->loop;

	ev_now_update(loop);
	ev_timer_stop(loop, &c->deadline);
	ev_timer_set(&c->deadline, seconds, 0.);
	ev_timer_start(loop, &c->deadline);
}

/* What it has started is none of the next question. */
static void
let_wait(struct verify_child *c)
{
	struct verify_parent *p = c->parent;

	p->n--;
	c->is_answered = c->is_waiting = true;
	LIST_REMOVE(c, entry);
	LIST_INSERT_HEAD(&p->children, c, entry);
	set_deadline(c, WAITS_FOR);
	expect_strays(p);
}

static void
answer(struct verify_child *c, struct verify_answer *a)
{
	if (may_be_asked_again(c, a))
		let_wait(c);
	else
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

	if (c->is_waiting)
		give_up(c); /* it says what it was not asked, or has ended */
	else if (!take_reply(c))
		ev_io_stop(loop, w); /* it has ended, or does so soon */
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct verify_child *c = w->data;
	struct verify_answer a = { .result = LOOKUP_FAILED,
		.why = { "it does not answer" } };

	if (c->is_waiting)
		give_up(c);
	else
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
	give_up(c);
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

/* ---- starting ---- */

static void
watch(struct verify_child *c)
{
	struct verify_parent *p = c->parent;

	LIST_INSERT_HEAD(&p->children, c, entry);
	p->n++;
	ev_child_init(&c->died, on_died, c->pid, 0);
	ev_io_init(&c->said, on_said, c->fd, EV_READ);
	ev_init(&c->deadline, on_deadline);
	c->died.data = c->said.data = c->deadline.data = c;
	ev_child_start(p->loop, &c->died);
	ev_io_start(p->loop, &c->said);
	set_deadline(c, p->conf->timeout);
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
		verify_process_run(
		    c->parent->driver, c->parent->conf, q, fd[1]);
	close(fd[1]);
	c->fd = fd[0];
	if (c->pid > 0)
		return E_OK;
	close(fd[0]);
	return err_sys(eb, E_IO, "fork");
}

/* Who was asked last has most of what it needs in the caches. */
static struct verify_child *
find_waiting(const struct verify_parent *p)
{
	struct verify_child *c;

	LIST_FOREACH (c, &p->children, entry)
		if (c->is_waiting)
			break;
	return c;
}

/* Neither has it said anything ahead, which would be taken for the answer, nor has
 * it ended. */
static bool
is_silent(const struct verify_child *c)
{
	char octet;

	return recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       errno == EAGAIN;
}

/* False: nobody is there who can be asked again. */
static bool
ask_again(struct verify_parent *p, const struct verify_question *q, uint64_t id,
    void (*done)(struct verify_child *c, struct verify_answer *a))
{
	struct verify_child *c = NULL;

	while (p->n < p->conf->connections && (c = find_waiting(p)) != NULL) {
		c->is_waiting = false;
		if (is_silent(c) &&
		    send(c->fd, q, sizeof(*q), MSG_DONTWAIT | MSG_NOSIGNAL) ==
			(ssize_t)sizeof(*q))
			break;
		give_up(c);
	}
	if (c == NULL)
		return false;
	c->id = id;
	c->done = done;
	c->asked++;
	c->is_answered = false;
	p->n++;
	set_deadline(c, p->conf->timeout);
	return true;
}

void
verify_child_start(struct verify_parent *p, struct verify_question *q,
    uint64_t id, void (*done)(struct verify_child *c, struct verify_answer *a))
{
	struct verify_answer none = { .result = LOOKUP_FAILED };
	struct verify_child here, *c;

	if (ask_again(p, q, id, done)) {
		explicit_bzero(q, sizeof(*q));
		return;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL) {
		here.id = id;
		here.parent = p;
		done(&here, &none);
		return;
	}
	c->parent = p;
	c->id = id;
	c->done = done;
	c->asked = 1;
	if (start(c, q, &none.why) == E_OK) {
		watch(c);
	} else {
		done(c, &none);
		free(c);
	}
	explicit_bzero(q, sizeof(*q));
}
