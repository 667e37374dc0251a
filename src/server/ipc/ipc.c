#include "server/ipc/ipc.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/close_later.h"

/* What may wait in a channel: beyond the first, clients are not read. */
enum { QUEUE_FULL = 256 * 1024, QUEUE_MAX = 4 * 1024 * 1024 };

struct out_msg {
	size_t len;
	unsigned nfds; /* its descriptors are the next ones in the queue */
};

/* Whose descriptors are, that nobody has taken: see close_later(). */
enum { UNWANTED = 2 };

struct out_fd {
	int fd;
	enum fd_fate fate;
	uint32_t of; /* FD_CLOSED_LATER */
};

/* A queue of small things; entries leave at the front. */
struct ipc_chan {
	struct ev_loop *loop;
	ev_io rd, wr;
	ev_prepare flush;
	const struct ipc_rules *rules;
	void *arg;
	int fd;
	uint8_t phase;
	bool blocked;  /* the kernel would not take more: wait for wr */
	bool answers;  /* reads only while there is room for answers */
	bool given_up; /* by this end */
	bool handling; /* inside rules: freeing has to wait */
	bool freed;

	struct buf data;
	struct buf msgs; /* of struct out_msg */
	struct buf fds;  /* of struct out_fd */

	/* The message between ipc_begin() and ipc_end(). */
	size_t begin_len;
	unsigned begin_fds;
	enum err begin_err;
};

/* ---- fields ---- */

static const uint8_t *
take(struct ipc_in *in, size_t n)
{
	const uint8_t *p = in->p;

	if (in->bad || in->left < n) {
		in->bad = true;
		return NULL;
	}
	in->p += n;
	in->left -= n;
	return p;
}

/* Both ends are the same machine: host byte order. */
#define GET(bits) \
	uint##bits##_t ipc_get_u##bits(struct ipc_in *in) \
	{ \
		uint##bits##_t v = 0; \
		const uint8_t *p = take(in, sizeof(v)); \
\
		if (p != NULL) \
			memcpy(&v, p, sizeof(v)); \
		return v; \
	}
GET(8)
GET(16)
GET(32)
GET(64)

uint32_t
ipc_get_u32_to(struct ipc_in *in, uint32_t max)
{
	uint32_t v = ipc_get_u32(in);

	in->bad = in->bad || v > max;
	return in->bad ? 0 : v;
}

uint8_t
ipc_get_u8_to(struct ipc_in *in, uint8_t max)
{
	uint8_t v = ipc_get_u8(in);

	in->bad = in->bad || v > max;
	return in->bad ? 0 : v;
}

struct slice
ipc_get_slice(struct ipc_in *in)
{
	uint32_t n = ipc_get_u32(in);
	const uint8_t *p = take(in, n);

	return (struct slice){ p != NULL ? (const char *)p : "",
		p != NULL ? n : 0 };
}

void
ipc_get_str(struct ipc_in *in, char *out, size_t size)
{
	struct slice s = ipc_get_slice(in);

	if (s.n >= size || memchr(s.p, '\0', s.n) != NULL) {
		in->bad = true;
		s.n = 0;
	}
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

int
ipc_get_fd(struct ipc_in *in)
{
	int fd;

	if (in->bad || in->fds_taken == in->nfds) {
		in->bad = true;
		return -1;
	}
	fd = in->fds[in->fds_taken];
	in->fds[in->fds_taken++] = -1;
	return fd;
}

int
ipc_get_fd_if_room(struct ipc_in *in)
{
	if (in->short_of_fds && in->fds_taken == in->nfds)
		return -1;
	return ipc_get_fd(in);
}

enum err
ipc_get_end(struct ipc_in *in)
{
	return in->bad || in->left != 0 || in->fds_taken != in->nfds ? E_FORMAT
								     : E_OK;
}

static void
put(struct ipc_chan *c, const void *p, size_t n)
{
	if (c->begin_err == E_OK)
		c->begin_err = buf_put(&c->data, p, n);
	if (c->begin_err == E_OK)
		c->begin_len += n;
}

void
ipc_begin(struct ipc_chan *c, uint16_t type)
{
	c->begin_len = 0;
	c->begin_fds = 0;
	c->begin_err = c->fd < 0 ? E_CLOSED : E_OK;
	ipc_put_u16(c, type);
}

void
ipc_put_u8(struct ipc_chan *c, uint8_t v)
{
	put(c, &v, sizeof(v));
}

void
ipc_put_u16(struct ipc_chan *c, uint16_t v)
{
	put(c, &v, sizeof(v));
}

void
ipc_put_u32(struct ipc_chan *c, uint32_t v)
{
	put(c, &v, sizeof(v));
}

void
ipc_put_u64(struct ipc_chan *c, uint64_t v)
{
	put(c, &v, sizeof(v));
}

void
ipc_put_bytes(struct ipc_chan *c, const void *p, size_t n)
{
	if (n > IPC_MSG_MAX) {
		c->begin_err = E_FULL;
		return;
	}
	ipc_put_u32(c, (uint32_t)n);
	put(c, p, n);
}

void
ipc_put_str(struct ipc_chan *c, const char *s)
{
	ipc_put_bytes(c, s, strlen(s));
}

static void
let_go(const struct out_fd *f)
{
	if (f->fate == FD_CLOSED)
		close(f->fd);
	else if (f->fate == FD_CLOSED_LATER)
		close_later(f->fd, f->of);
}

void
ipc_put_fd(struct ipc_chan *c, int fd, enum fd_fate fate)
{
	ipc_put_fd_of(c, fd, fate, 0);
}

void
ipc_put_fd_of(struct ipc_chan *c, int fd, enum fd_fate fate, uint32_t of)
{
	struct out_fd f = { fd, fate, of };

	if (c->begin_err == E_OK && c->begin_fds == IPC_FDS)
		c->begin_err = E_FULL;
	if (c->begin_err == E_OK && fd < 0)
		c->begin_err = E_IO;
	if (c->begin_err == E_OK)
		c->begin_err = buf_put(&c->fds, &f, sizeof(f));
	if (c->begin_err == E_OK)
		c->begin_fds++;
	else
		let_go(&f);
}

/* From the end: what is closed soon after it was put is there. */
bool
ipc_leave_fd(struct ipc_chan *c, int fd)
{
	struct out_fd *f = (void *)buf_data(&c->fds);

	for (size_t i = c->fds.len / sizeof(*f); i-- > 0;)
		if (f[i].fd == fd && f[i].fate == FD_STAYS) {
			f[i].fate = FD_CLOSED;
			return true;
		}
	return false;
}

enum err
ipc_end(struct ipc_chan *c)
{
	struct out_msg m = { c->begin_len, c->begin_fds };

	if (c->begin_err == E_OK && m.len > IPC_MSG_MAX)
		c->begin_err = E_FULL;
	if (c->begin_err == E_OK)
		c->begin_err = buf_put(&c->msgs, &m, sizeof(m));
	if (c->begin_err == E_OK)
		return E_OK;
	buf_unput(&c->data, NULL, c->begin_len);
	for (; c->begin_fds > 0; c->begin_fds--) {
		struct out_fd f;

		buf_unput(&c->fds, &f, sizeof(f));
		let_go(&f);
	}
	return c->begin_err;
}

/* ---- sending ---- */

static void
drop_fds(struct ipc_chan *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct out_fd f;

		memcpy(&f, buf_data(&c->fds), sizeof(f));
		let_go(&f);
		buf_consume(&c->fds, sizeof(f));
	}
}

union control {
	char buf[CMSG_SPACE(sizeof(int) * IPC_FDS)];
	struct cmsghdr align;
};

static void
fill_control(
    struct msghdr *h, union control *ctl, const struct out_fd *f, unsigned n)
{
	struct cmsghdr *cm;

	h->msg_control = ctl->buf;
	h->msg_controllen = CMSG_SPACE(sizeof(int) * n);
	memset(ctl, 0, sizeof(*ctl));
	cm = CMSG_FIRSTHDR(h);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int) * n);
	for (unsigned i = 0; i < n; i++)
		memcpy(CMSG_DATA(cm) + i * sizeof(int), &f[i].fd, sizeof(int));
}

/* One call of sendmmsg; E_AGAIN when the kernel takes no more. */
static enum err
send_batch(struct ipc_chan *c)
{
	struct mmsghdr v[IPC_BATCH];
	struct iovec iov[IPC_BATCH];
	union control ctl[IPC_BATCH];
	const struct out_msg *m = (const void *)buf_data(&c->msgs);
	const struct out_fd *f = (const void *)buf_data(&c->fds);
	char *data = buf_data(&c->data);
	unsigned n = (unsigned)(c->msgs.len / sizeof(*m));
	int sent;

	if (n > IPC_BATCH)
		n = IPC_BATCH;
	memset(v, 0, n * sizeof(v[0]));
	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){ data, m[i].len };
		v[i].msg_hdr.msg_iov = &iov[i];
		v[i].msg_hdr.msg_iovlen = 1;
		data += m[i].len;
		if (m[i].nfds != 0) {
			fill_control(&v[i].msg_hdr, &ctl[i], f, m[i].nfds);
			f += m[i].nfds;
		}
	}
	if ((sent = sendmmsg(c->fd, v, n, MSG_NOSIGNAL)) < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS ||
			       errno == ETOOMANYREFS
			   ? E_AGAIN
			   : E_CLOSED;
	for (int i = 0; i < sent; i++) {
		struct out_msg one;

		memcpy(&one, buf_data(&c->msgs), sizeof(one));
		drop_fds(c, one.nfds);
		buf_consume(&c->data, one.len);
		buf_consume(&c->msgs, sizeof(one));
	}
	return E_OK;
}

void
ipc_flush(struct ipc_chan *c)
{
	enum err e = E_OK;

	if (c->fd < 0)
		return;
	while (c->msgs.len != 0 && e == E_OK)
		e = send_batch(c);
	if (e == E_AGAIN && !c->blocked) {
		c->blocked = true;
		ev_io_start(c->loop, &c->wr);
	} else if (e != E_AGAIN && c->blocked) {
		c->blocked = false;
		ev_io_stop(c->loop, &c->wr);
	}
	/* E_CLOSED: the reading side learns of it, after what is still there. */
	if (!ev_is_active(&c->rd) && (e == E_CLOSED || !ipc_is_full(c)))
		ev_io_start(c->loop, &c->rd);
	if (c->msgs.len == 0) {
		buf_trim(&c->data);
		buf_trim(&c->msgs);
		buf_trim(&c->fds);
	}
}

void
ipc_give_up(struct ipc_chan *c)
{
	if (c->fd < 0)
		return;
	c->given_up = true;
	shutdown(c->fd, SHUT_RDWR);
	if (!ev_is_active(&c->rd))
		ev_io_start(c->loop, &c->rd);
}

void
ipc_flush_wait(struct ipc_chan *c, int ms)
{
	uint64_t end = clock_ms() + (uint64_t)ms, now;

	while (c->fd >= 0 && c->msgs.len != 0 && (now = clock_ms()) < end) {
		struct pollfd p = { .fd = c->fd, .events = POLLOUT };

		ipc_flush(c);
		if (c->msgs.len == 0 || poll(&p, 1, (int)(end - now)) <= 0 ||
		    (p.revents & (POLLERR | POLLHUP)) != 0)
			return;
	}
}

/* ---- receiving ---- */

/* What came with a message. */
struct came_fds {
	int fd[IPC_FDS];
	unsigned n;
	bool short_of_fds;
};

static enum err
handle(const struct ipc_rules *rules, uint8_t phase, void *arg, const void *msg,
    size_t n, const struct came_fds *came)
{
	struct ipc_in in = { .p = msg,
		.left = n,
		.nfds = came->n,
		.short_of_fds = came->short_of_fds };
	const struct ipc_rule *r = NULL;
	enum err e = E_FORMAT;

	for (unsigned i = 0; i < in.nfds; i++)
		in.fds[i] = came->fd[i];
	in.type = ipc_get_u16(&in);
	for (size_t i = 0; i < rules->n && r == NULL; i++)
		if (rules->rule[i].type == in.type)
			r = &rules->rule[i];
	if (!in.bad && r != NULL && (r->phases & phase) != 0 &&
	    in.left <= r->max && in.nfds <= r->max_fds)
		e = r->take(arg, &in);
	for (unsigned i = in.fds_taken; i < in.nfds; i++)
		close_later(in.fds[i], UNWANTED);
	return e;
}

enum err
ipc_handle(const struct ipc_rules *rules, uint8_t phase, void *arg,
    const void *msg, size_t n, const int *fds, unsigned nfds)
{
	struct came_fds came = { .n = nfds };

	for (unsigned i = 0; i < nfds; i++)
		came.fd[i] = fds[i];
	return handle(rules, phase, arg, msg, n, &came);
}

static void
close_all(struct came_fds *came)
{
	while (came->n > 0)
		close_later(came->fd[--came->n], UNWANTED);
}

/* Copies the descriptors of a received message.  False: the sender has put in
 * more than a message has. */
static bool
received_fds(struct msghdr *h, struct came_fds *came)
{
	struct cmsghdr *cm;

	came->n = 0;
	for (cm = CMSG_FIRSTHDR(h); cm != NULL; cm = CMSG_NXTHDR(h, cm)) {
		size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(
			    &fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (came->n < IPC_FDS)
				came->fd[came->n++] = fd;
			else
				close(fd);
		}
	}
	/* There was room for them in the message, so it is this process that
	 * may have no more. */
	came->short_of_fds =
	    (h->msg_flags & MSG_CTRUNC) != 0 && came->n < IPC_FDS;
	return (h->msg_flags & MSG_TRUNC) == 0 &&
	       ((h->msg_flags & MSG_CTRUNC) == 0 || came->short_of_fds);
}

/* One set for the process: handlers of one channel do not receive on another
 * while they run, except through ipc_drain(), which takes its own turn. */
struct batch {
	struct mmsghdr v[IPC_BATCH];
	struct iovec iov[IPC_BATCH];
	union control ctl[IPC_BATCH];
	uint8_t data[IPC_BATCH][IPC_MSG_MAX];
	struct batch *next;
	bool ready; /* `v` is as recvmmsg() wants it */
};

static struct batch *spare;

/* Who forks because of one message hands on none of the others: the new process
 * finds zeroes there. */
static struct batch *
batch_new(void)
{
	void *b = mmap(NULL, sizeof(struct batch), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		return NULL;
	if (madvise(b, sizeof(struct batch), MADV_WIPEONFORK) == 0)
		return b;
	munmap(b, sizeof(struct batch));
	return NULL;
}

static struct batch *
batch_get(void)
{
	struct batch *b = spare;

	if (b == NULL)
		return batch_new();
	spare = b->next;
	return b;
}

static void
batch_put(struct batch *b)
{
	b->next = spare;
	spare = b;
}

/* The first n, of which recvmmsg() has written over some fields. */
static void
batch_ready(struct batch *b, int n)
{
	for (int i = 0; i < n; i++) {
		b->iov[i] = (struct iovec){ b->data[i], sizeof(b->data[i]) };
		b->v[i] = (struct mmsghdr){ .msg_hdr = {
						.msg_iov = &b->iov[i],
						.msg_iovlen = 1,
						.msg_control = b->ctl[i].buf,
						.msg_controllen =
						    sizeof(b->ctl[i].buf),
					    } };
	}
}

static enum err
handle_batch(struct ipc_chan *c, struct batch *b, int n)
{
	enum err e = E_OK;

	for (int i = 0; i < n; i++) {
		struct came_fds came;
		bool whole = received_fds(&b->v[i].msg_hdr, &came);

		if (b->v[i].msg_len == 0 && came.n == 0 && e == E_OK)
			e = E_CLOSED; /* SOCK_SEQPACKET says end so */
		if (e == E_OK && !whole)
			e = E_FORMAT;
		if (e == E_OK && !c->freed)
			e = handle(c->rules, c->phase, c->arg, b->data[i],
				b->v[i].msg_len, &came) == E_FORMAT
				? E_FORMAT
				: E_OK;
		else
			close_all(&came);
		if (c->data.secret)
			explicit_bzero(b->data[i], b->v[i].msg_len);
	}
	return e;
}

static void chan_free(struct ipc_chan *c);

/* Takes the socket out of the loop; queued messages are lost. */
static void
chan_shut(struct ipc_chan *c)
{
	if (c->fd < 0)
		return;
	ev_io_stop(c->loop, &c->rd);
	ev_io_stop(c->loop, &c->wr);
	ev_prepare_stop(c->loop, &c->flush);
	drop_fds(c, (unsigned)(c->fds.len / sizeof(struct out_fd)));
	buf_free(&c->data);
	buf_free(&c->msgs);
	buf_free(&c->fds);
	close(c->fd);
	c->fd = -1;
}

static bool
must_answer(const struct ipc_chan *c)
{
	return c->answers && c->fd >= 0 && ipc_is_full(c);
}

/* Until nothing is there, or `patient` and there is enough to answer. */
static void
receive(struct ipc_chan *c, bool patient)
{
	struct batch *b;
	enum err e = E_OK;
	bool outer = !c->handling;
	int n = IPC_BATCH;

	if (c->fd < 0 || (b = batch_get()) == NULL)
		return;
	c->handling = true;
	if (!b->ready)
		batch_ready(b, IPC_BATCH);
	b->ready = true;
	while (e == E_OK && n == IPC_BATCH && !c->freed &&
	       !(patient && must_answer(c))) {
		n = recvmmsg(c->fd, b->v, IPC_BATCH,
		    MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
		if (n > 0) {
			e = handle_batch(c, b, n);
			batch_ready(b, n);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			e = E_CLOSED;
		}
	}
	batch_put(b);
	if (!outer)
		return;
	c->handling = false;
	if (c->freed) {
		chan_free(c);
	} else if (e != E_OK) {
		chan_shut(c);
		c->rules->gone(c->arg, c->given_up ? E_FORMAT : e);
	}
}

void
ipc_drain(struct ipc_chan *c)
{
	receive(c, false);
}

static void
on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct ipc_chan *c = w->data;

	if (must_answer(c))
		ev_io_stop(loop, w); /* until ipc_flush() */
	else
		receive(c, true);
}

static void
on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	ipc_flush(w->data);
}

static void
on_turn_end(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct ipc_chan *c = w->data;

	if (c->msgs.len != 0 && !c->blocked)
		ipc_flush(c);
}

/* ---- life ---- */

struct ipc_chan *
ipc_open(struct ev_loop *loop, int fd, const struct ipc_rules *rules, void *arg,
    bool secret)
{
	struct ipc_chan *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	c->loop = loop;
	c->fd = fd;
	c->rules = rules;
	c->arg = arg;
	c->phase = 1;
	buf_init(&c->data, QUEUE_MAX, secret);
	buf_init(&c->msgs, QUEUE_MAX, false);
	buf_init(&c->fds, QUEUE_MAX, false);
	ev_io_init(&c->rd, on_readable, fd, EV_READ);
	ev_io_init(&c->wr, on_writable, fd, EV_WRITE);
	ev_prepare_init(&c->flush, on_turn_end);
	c->rd.data = c->wr.data = c->flush.data = c;
	ev_io_start(loop, &c->rd);
	ev_prepare_start(loop, &c->flush);
	return c;
}

static void
chan_free(struct ipc_chan *c)
{
	chan_shut(c);
	free(c);
}

void
ipc_close(struct ipc_chan *c)
{
	if (c == NULL)
		return;
	c->freed = true;
	if (!c->handling)
		chan_free(c);
}

void
ipc_answer_first(struct ipc_chan *c)
{
	c->answers = true;
}

void
ipc_set_phase(struct ipc_chan *c, uint8_t phase)
{
	c->phase = phase;
}

bool
ipc_is_full(const struct ipc_chan *c)
{
	return c->data.len > QUEUE_FULL;
}

enum err
ipc_wait_one(int fd, uint16_t type, int ms,
    enum err (*take_fn)(void *, struct ipc_in *), void *arg)
{
	static const uint32_t any = IPC_MSG_MAX;
	struct ipc_rule rule = { type, 1, IPC_FDS, any, take_fn };
	struct ipc_rules rules = { &rule, 1, NULL };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	union control ctl;
	struct came_fds came;
	uint8_t *msg;
	struct iovec iov;
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ctl.buf,
		.msg_controllen = sizeof(ctl.buf) };
	enum err e;
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return E_CLOSED;
	if ((msg = malloc(IPC_MSG_MAX)) == NULL)
		return E_NOMEM;
	iov = (struct iovec){ msg, IPC_MSG_MAX };
	if ((n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC)) <= 0) {
		e = E_CLOSED;
	} else if (!received_fds(&h, &came)) {
		close_all(&came);
		e = E_FORMAT;
	} else {
		e = handle(&rules, 1, arg, msg, (size_t)n, &came);
		explicit_bzero(msg, (size_t)n);
	}
	free(msg);
	return e;
}

enum err
ipc_pair(int fds[2], struct errbuf *eb)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(eb, E_IO, "socketpair");
	return E_OK;
}
