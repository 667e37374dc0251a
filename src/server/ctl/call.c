#include "server/ctl/call.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"

enum {
	CONNECT_TRIES = 50, /* while others stand before us */
	CONNECT_PAUSE_MS = 100,
	ANSWER_SECONDS = 70, /* the server gives up sooner */
	ELDER_SECONDS = 10,  /* one that hangs keeps nothing else back */
	ELDERS_MAX = 16,     /* there are never as many */
};

/* ---- connecting ---- */

/* Anybody could have put a socket there, were its folder not root's. */
static enum err
check_server(int fd, const char *path, struct errbuf *eb)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		return err_sys(eb, E_IO, "%s", path);
	if (who.uid != 0 && who.uid != geteuid())
		return err_set(eb, E_DENIED,
		    "%s is not of a maloted: it is user %u's", path, who.uid);
	return E_OK;
}

static enum err
no_connection(const char *path, struct errbuf *eb)
{
	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
		return err_set(eb, E_CLOSED,
		    "maloted is not running (nobody answers at %s)", path);
	case EACCES:
	case EPERM:
		return err_set(eb, E_DENIED,
		    "%s is for root, and for the group that the setting "
		    "control_group names",
		    path);
	case EAGAIN:
		return err_set(eb, E_AGAIN, "too many others ask at %s", path);
	default: return err_sys(eb, E_IO, "%s", path);
	}
}

static enum err
dial(const char *path, int *fd_r, struct errbuf *eb)
{
	static const struct timespec pause = { 0, CONNECT_PAUSE_MS * 1000000L };
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	enum err e;
	int fd, r = -1;

	*fd_r = -1;
	if (path[0] == '\0')
		return err_set(eb, E_CONFIG,
		    "no control_socket: name the configuration with --config");
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(eb, E_IO, "socket");
	for (int i = 0; i < CONNECT_TRIES; i++) {
		r = connect(fd, (const struct sockaddr *)&at, sizeof(at));
		if (r == 0 || errno != EAGAIN)
			break;
		nanosleep(&pause, NULL);
	}
	e = r < 0 ? no_connection(path, eb) : check_server(fd, path, eb);
	if (e != E_OK)
		close(fd);
	*fd_r = fd;
	return e;
}

/* ---- the answer ---- */

static void
over(struct call *c, enum err why)
{
	c->is_over = true;
	c->why = why;
	ev_break(c->loop, EVBREAK_ALL);
}

static enum err
take_done(void *arg, struct ipc_in *in)
{
	struct call *c = arg;
	struct control_done done = { .outcome = CONTROL_GOOD };

	ipc_get_fields(in, &control_done_fields, &done);
	if (c->is_over || ipc_get_end(in) != E_OK)
		return E_FORMAT;
	c->done.outcome = done.outcome;
	/* What is quoted there stays readable. */
	str_quote_again(c->done.words, sizeof(c->done.words), done.words);
	over(c, E_OK);
	return E_OK;
}

static void
on_gone(void *arg, enum err why)
{
	struct call *c = arg;

	if (!c->is_over)
		over(c, why);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	over(w->data, E_AGAIN);
}

static enum err
outcome(const struct call *c, struct errbuf *eb)
{
	const char *words = c->done.words;

	if (c->why == E_AGAIN)
		return err_set(eb, E_AGAIN, "maloted did not answer in time");
	if (c->why == E_FORMAT)
		return err_set(
		    eb, E_IO, "maloted said what cannot be understood");
	if (c->why != E_OK)
		return err_set(eb, E_CLOSED, "maloted has ended");
	switch (c->done.outcome) {
	case CONTROL_NO_USER:
		return err_set(eb, E_NOENT, "there is no such user");
	case CONTROL_IN_USE:
		return err_set(eb, E_BUSY, "the maildrop is in use: %s", words);
	case CONTROL_LATER: return err_set(eb, E_AGAIN, "%s", words);
	case CONTROL_DENIED: return err_set(eb, E_DENIED, "%s", words);
	case CONTROL_CANNOT: return err_set(eb, E_CONFIG, "%s", words);
	default: return E_OK;
	}
}

static enum err
say(struct ipc_chan *chan, enum control_type command,
    const struct ipc_fields *fields, const void *from, struct errbuf *eb)
{
	ipc_begin(chan, (uint16_t)command);
	if (fields != NULL)
		ipc_put_fields(chan, fields, from);
	return ipc_end(chan) == E_OK ? E_OK
				     : err_set(eb, E_NOMEM, "out of memory");
}

enum err
call_take_elder(void *arg, struct ipc_in *in)
{
	struct call *c = arg;
	uint32_t pid = ipc_get_u32(in);
	int fd = ipc_get_fd(in);

	if (ipc_get_end(in) == E_OK && c->next.fd < 0) {
		c->next.pid = pid;
		c->next.fd = fd;
		return E_OK;
	}
	if (fd >= 0)
		close(fd);
	return E_FORMAT;
}

struct question {
	enum control_type command;
	const struct ipc_fields *fields;
	const void *from;
};

/* Takes fd. */
static enum err
converse(struct call *c, int fd, const struct question *q, struct errbuf *eb)
{
	struct ipc_rule rule[CALL_TELLS_MAX + 1] = { { CONTROL_DONE, 1, 0,
	    CONTROL_ANSWER_MAX, take_done } };
	struct ipc_rules rules = { rule, c->n_tells + 1, on_gone };
	struct ipc_chan *chan;
	ev_timer deadline;
	enum err e;

	for (size_t i = 0; i < c->n_tells; i++)
		rule[1 + i] = c->tells[i];
	c->is_over = false;
	if ((chan = ipc_open(c->loop, fd, &rules, c, true)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	ev_timer_init(&deadline, on_deadline,
	    c->elder != 0 ? ELDER_SECONDS : ANSWER_SECONDS, 0.);
	deadline.data = c;
	ev_timer_start(c->loop, &deadline);
	if ((e = say(chan, q->command, q->fields, q->from, eb)) == E_OK) {
		ev_run(c->loop, 0);
		e = outcome(c, eb);
	}
	ev_timer_stop(c->loop, &deadline);
	ipc_close(chan);
	return e;
}

/* One that has ended meanwhile has no session any more.  Of one that does not answer
 * that is said, and what the others have told is good. */
static enum err
ask_elders(struct call *c, const struct question *q, struct errbuf *eb)
{
	struct control_done first = c->done;
	enum err e = E_OK;

	for (unsigned n = 0; e == E_OK && c->next.fd >= 0; n++) {
		int fd = c->next.fd;

		if (n == ELDERS_MAX)
			return err_set(
			    eb, E_IO, "maloted said what cannot be understood");
		c->elder = c->next.pid;
		c->next.fd = -1;
		e = converse(c, fd, q, eb);
		if (e == E_OK && first.words[0] == '\0')
			first = c->done;
	}
	if (e == E_AGAIN && first.words[0] == '\0')
		snprintf(first.words, sizeof(first.words),
		    "not looked at: sessions of process %u, from before a "
		    "restart: %.200s",
		    c->elder, eb->text);
	c->done = first;
	return e == E_CLOSED || e == E_AGAIN ? E_OK : e;
}

enum err
call_server(const struct options *o, struct call *c, enum control_type command,
    const struct ipc_fields *fields, const void *from, struct errbuf *eb)
{
	struct question q = { command, fields, from };
	enum err e;
	int fd;

	c->elder = 0;
	c->next.fd = -1;
	if ((c->loop = ev_default_loop(EVFLAG_NOENV)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if ((e = dial(o->socket, &fd, eb)) == E_OK)
		e = converse(c, fd, &q, eb);
	if (e == E_OK)
		e = ask_elders(c, &q, eb);
	if (c->next.fd >= 0)
		close(c->next.fd);
	return e;
}

enum err
call_about(struct control_about *about, const char *what, struct errbuf *eb)
{
	if (strlen(what) >= sizeof(about->what))
		return err_set(eb, E_FORMAT, "this name is too long");
	snprintf(about->what, sizeof(about->what), "%s", what);
	return E_OK;
}

enum err
call_server_about(const struct options *o, struct call *c,
    enum control_type command, const char *what, struct errbuf *eb)
{
	struct control_about about;
	enum err e = call_about(&about, what, eb);

	return e == E_OK ? call_server(
			       o, c, command, &control_about_fields, &about, eb)
			 : e;
}
