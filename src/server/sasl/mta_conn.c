#include "server/sasl/mta_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/sasl/mta_ask.h"

enum {
	READ_PIECE = 4096,
	/* A line that is too long is seen to be. */
	IN_MAX = MTA_LINE_MAX + READ_PIECE,
	WRITE_MS = 60 * 1000, /* for a program to take what it is told */
};

struct mta_conn {
	LIST_ENTRY(mta_conn) entry;
	struct service *service;
	struct mta mta;
	struct buf in; /* passwords */
	ev_io read, write;
	uint64_t stuck; /* clock_ms() since when nothing was taken; 0: no */
};

/* ---- the end ---- */

/* That one is to be hung up on so that it says the right thing to its client is
 * no fault. */
static void
log_closed(const struct mta_conn *c, const char *why)
{
	if (why != NULL && strcmp(why, "temporary") != 0)
		log_line(LOG_WARNING, "ev=sasl-closed service=%s why=%s",
		    c->service->process->conf.service[c->service->index].name,
		    why);
}

static void
conn_close(struct mta_conn *c, const char *why)
{
	struct sasl_process *p = c->service->process;

	log_closed(c, why);
	ev_io_stop(p->loop, &c->read);
	ev_io_stop(p->loop, &c->write);
	close(c->read.fd);
	mta_end(&c->mta);
	buf_free(&c->in);
	LIST_REMOVE(c, entry);
	p->n_conns--;
	free(c);
}

/* ---- writing ---- */

/* False: the program has gone. */
static bool
write_out(struct mta_conn *c)
{
	struct buf *out = &c->mta.out;

	while (out->len != 0) {
		ssize_t n = write(c->write.fd, buf_data(out), out->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0)
			return false;
		buf_consume(out, (size_t)n);
		c->stuck = 0;
	}
	if (out->len == 0)
		c->stuck = 0;
	else if (c->stuck == 0)
		c->stuck = clock_ms();
	buf_trim(out);
	return true;
}

static void
watch(struct ev_loop *loop, ev_io *io, bool on)
{
	if (on)
		ev_io_start(loop, io);
	else
		ev_io_stop(loop, io);
}

/* What there is to say is written; what was read is taken when there is room for
 * the answers again.  It may be the end of c. */
static void
settle(struct mta_conn *c)
{
	struct ev_loop *loop = c->service->process->loop;
	size_t before;

	do {
		if (!write_out(c)) {
			conn_close(c, NULL);
			return;
		}
		before = c->in.len;
		mta_take(&c->mta, &c->in);
	} while (c->in.len != before && c->mta.out.len != 0);
	if (!write_out(c) || (c->mta.over != NULL && c->mta.out.len == 0)) {
		conn_close(c, c->mta.over);
		return;
	}
	buf_trim(&c->in);
	watch(loop, &c->write, c->mta.out.len != 0);
	watch(loop, &c->read,
	    c->mta.over == NULL && c->mta.out.len < MTA_OUT_MUCH);
}

/* ---- reading ---- */

static void
on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct mta_conn *c = io->data;
	char *room = buf_room(&c->in, READ_PIECE);
	ssize_t n = room != NULL ? read(io->fd, room, READ_PIECE) : 0;

	if (room == NULL)
		conn_close(c, "memory");
	else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_close(c, NULL);
	else if (n > 0) {
		buf_added(&c->in, (size_t)n);
		settle(c);
	}
}

static void
on_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	settle(io->data);
}

/* ---- what the protocol asks for ---- */

static uint64_t
hook_begin(void *arg, const struct mta_sign_in *s)
{
	struct mta_conn *c = arg;

	return mta_ask_begin(c->service->process, c, c->service->index, s);
}

static bool
hook_step(void *arg, uint64_t sid, struct slice response)
{
	struct mta_conn *c = arg;

	return mta_ask_step(c->service->process, sid, response) == E_OK;
}

static void
hook_in_clear(void *arg, const struct mta_sign_in *s)
{
	const struct mta_conn *c = arg;
	char method[64];

	log_line(LOG_EVENT,
	    "ev=login-failed ip=%s method=%s service=%s code=tls why=no-tls",
	    s->peer,
	    str_escape(method, sizeof(method), s->mechanism.p, s->mechanism.n),
	    c->service->process->conf.service[c->service->index].name);
}

static void
hook_end(void *arg, uint64_t sid)
{
	struct mta_conn *c = arg;

	mta_ask_end(c->service->process, sid);
}

static const struct mta_hooks hooks = { hook_begin, hook_step, hook_in_clear,
	hook_end };

/* ---- the beginning ---- */

static void
begin(struct mta_conn *c, int fd)
{
	struct sasl_process *p = c->service->process;
	struct mta_hello hello = {
		.offered = p->offered,
		.pid = (uint32_t)getpid(),
		.connection = ++p->connection,
	};

	/* No master asks for it: only that each is another one matters. */
	(void)!getrandom(hello.cookie, sizeof(hello.cookie), 0);
	buf_init(&c->in, IN_MAX, true);
	ev_io_init(&c->read, on_readable, fd, EV_READ);
	ev_io_init(&c->write, on_writable, fd, EV_WRITE);
	c->read.data = c->write.data = c;
	mta_begin(&c->mta, &c->service->policy, &hooks, c, &hello, clock_ms());
	settle(c);
}

void
mta_conn_new(struct service *service, int fd)
{
	struct sasl_process *p = service->process;
	struct mta_conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return;
	}
	c->service = service;
	LIST_INSERT_HEAD(&p->conns, c, entry);
	p->n_conns++;
	begin(c, fd);
}

/* ---- what auth says ---- */

void
mta_conn_challenge(struct sasl_process *p, uint64_t sid, struct slice challenge)
{
	struct mta_conn *c = mta_ask_whose(p, sid);

	if (c == NULL)
		return;
	mta_challenge(&c->mta, sid, challenge, clock_ms());
	settle(c);
}

void
mta_conn_accept(struct sasl_process *p, uint64_t sid, const char *user)
{
	struct mta_conn *c = mta_ask_whose(p, sid);

	if (c == NULL)
		return;
	mta_ask_over(p, sid);
	mta_accept(&c->mta, sid, user);
	settle(c);
}

void
mta_conn_refuse(struct sasl_process *p, uint64_t sid, enum sign_in_code code,
    const char *user)
{
	struct mta_conn *c = mta_ask_whose(p, sid);

	if (c == NULL)
		return;
	mta_ask_over(p, sid);
	mta_refuse(&c->mta, sid, code, user);
	settle(c);
}

/* ---- the clock ---- */

void
mta_conns_look(struct sasl_process *p)
{
	struct mta_conn *c, *next;
	uint64_t now = clock_ms();

	for (c = LIST_FIRST(&p->conns); c != NULL; c = next) {
		next = LIST_NEXT(c, entry);
		mta_look(&c->mta, now);
		if (c->stuck != 0 && now - c->stuck >= WRITE_MS)
			conn_close(c, "does-not-read");
		else
			settle(c);
	}
}
