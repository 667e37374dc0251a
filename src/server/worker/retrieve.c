/*
 * retrieve.c - RETR, TOP and *ENV: messages that a store opened, converted and
 * sent.
 *
 * The store is asked for a window of messages at a time, ahead of a client
 * that takes them in order, as nearly every client does.  The window grows as
 * the client goes on.  Descriptors held so are counted over all sessions: when
 * they are short, sessions that have been still for longest give theirs back.
 */
#include "server/worker/retrieve.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/close_later.h"
#include "base/log.h"
#include "pop3/wire.h"
#include "server/ipc/proto.h"
#include "server/ipc/tally.h"
#include "server/worker/io.h"
#include "server/worker/worker_tell.h"

enum {
	RETR_OCTETS = 10, /* of a command: RETR 1234 */
	SKIP_MAX = 4096,  /* messages looked at for those that are not marked */
};

/* A message that the store opened for us. */
struct fetched {
	uint32_t msgno;
	enum fetch_status status;
	int fd;    /* FETCH_OK; ours */
	bool made; /* in memory of which the store keeps count */
	uint64_t off, stored, wire;
};

/* Messages ahead of the client, in order. */
struct window {
	struct fetched ahead[2 * WINDOW_MAX];
	unsigned n, first; /* ahead[first..n) are unused yet */
	unsigned size;     /* how many are asked for at a time */
	uint32_t expected; /* message after the last one that was taken */
	uint32_t asked_to; /* the last one that was asked for */
	uint8_t due;       /* so many; an answer is due if not 0 */
};

struct retrieval {
	struct session *session;
	TAILQ_ENTRY(retrieval) link; /* among those that hold descriptors */
	bool holds;                  /* is among them */
	struct window *window;       /* NULL: nothing is held or asked for */
	/* The message that is being sent: */
	bool begun;
	struct fetched msg;
	struct pop3_wire wire;
	uint64_t sent; /* octets of the file that were read */
	/* *ENV: read out of it instead.  NULL: it was not asked for yet. */
	struct pop3_envelope *envelope;
};

/* ---- what is held ahead ---- */

static void
fetched_close(struct session *s, struct fetched *f)
{
	if (f->fd < 0)
		return;
	if (f->made) {
		close(f->fd); /* first: the store counts on it */
		session_closed(s, f->stored);
	} else if (close_is_quick(s->owner, f->stored)) {
		close(f->fd);
	} else {
		close_later(f->fd, s->owner);
	}
	f->fd = -1;
	s->worker->fds_held--;
}

static void
stop_holding(struct retrieval *r)
{
	if (!r->holds)
		return;
	TAILQ_REMOVE(&r->session->worker->holding, r, link);
	r->holds = false;
}

/* Those that were still for longest stand first. */
static void
start_holding(struct retrieval *r)
{
	stop_holding(r);
	TAILQ_INSERT_TAIL(&r->session->worker->holding, r, link);
	r->holds = true;
}

static void
window_release(struct retrieval *r)
{
	struct window *win = r->window;

	if (win == NULL)
		return;
	for (unsigned i = win->first; i < win->n; i++)
		fetched_close(r->session, &win->ahead[i]);
	stop_holding(r);
	if (win->due != 0) {
		/* The answer needs a place to go to. */
		win->first = win->n = 0;
		win->size = WINDOW_MIN;
		return;
	}
	free(win);
	r->window = NULL;
}

void
retrieve_release(struct session *s)
{
	if (s->retrieval != NULL)
		window_release(s->retrieval);
}

void
retrieve_close(struct session *s)
{
	struct retrieval *r = s->retrieval;

	if (r == NULL)
		return;
	if (r->window != NULL)
		r->window->due = 0;
	window_release(r);
	fetched_close(s, &r->msg);
	free(r->envelope);
	free(r);
	s->retrieval = NULL;
}

/* Room for n more descriptors, perhaps at the cost of sessions that are still;
 * false: there is not, one at a time then. */
static bool
make_room(struct session *s, unsigned n)
{
	struct worker *w = s->worker;
	struct retrieval *still, *next;

	for (still = TAILQ_FIRST(&w->holding);
	     still != NULL && w->fds_held + n > w->fds_max; still = next) {
		next = TAILQ_NEXT(still, link);
		if (still != s->retrieval)
			window_release(still);
	}
	return w->fds_held + close_later_waiting() + n <= w->fds_max;
}

/* ---- asking ---- */

/* True if there is a place for what is asked for. */
static bool
retrieval_make(struct session *s)
{
	struct retrieval *r = s->retrieval;

	if (r == NULL) {
		if ((r = s->retrieval = calloc(1, sizeof(*r))) == NULL)
			return false;
		r->session = s;
		r->msg.fd = -1;
	}
	if (r->window == NULL &&
	    (r->window = calloc(1, sizeof(*r->window))) != NULL)
		r->window->size = WINDOW_MIN;
	return r->window != NULL;
}

/* Asks for up to win->size messages from msgno on that are not marked.  E_NOENT:
 * there is none, or not near.  E_BUSY: files are being closed, later then. */
static enum err
ask_messages(struct session *s, uint32_t msgno)
{
	struct window *win = s->retrieval->window;
	struct ipc_chan *chan = s->store->chan;
	uint32_t wanted[WINDOW_MAX], end = msgno + SKIP_MAX;
	size_t waiting = s->in.len / RETR_OCTETS;
	enum close_room room;
	uint8_t n = 0;
	enum err e;

	room = close_later_room(
	    s->owner, s->worker->fds_max + 2 * CLOSE_LATER_MANY);
	if (room != CLOSE_ROOM)
		return room == CLOSE_WAIT ? E_BUSY : E_FULL;
	/* A client that pipelines has said what it wants. */
	if (waiting > WINDOW_MAX)
		waiting = WINDOW_MAX;
	if (win->size < waiting)
		win->size = (unsigned)waiting;
	if (!make_room(s, win->size))
		win->size = 1;
	for (; n < win->size && msgno <= s->count && msgno != end; msgno++)
		if (!pop3_server_is_marked(&s->pop3, msgno))
			wanted[n++] = msgno;
	if (n == 0)
		return E_NOENT;
	ipc_begin(chan, IPC_FETCH);
	ipc_put_u64(chan, s->sid);
	ipc_put_u8(chan, n);
	for (uint8_t i = 0; i < n; i++)
		ipc_put_u32(chan, wanted[i]);
	if ((e = ipc_end(chan)) != E_OK)
		return e;
	win->due = n;
	win->asked_to = wanted[n - 1];
	return E_OK;
}

/* Half of what is held is used: the rest is enough until more has come. */
static void
ask_ahead(struct session *s)
{
	struct window *win = s->retrieval->window;

	if (win->due != 0 || win->n - win->first > win->size / 2 ||
	    win->asked_to >= s->count || ipc_is_full(s->store->chan))
		return;
	win->size = win->size < WINDOW_MAX / 2 ? win->size * 2 : WINDOW_MAX;
	(void)(ask_messages(s, win->asked_to + 1) == E_OK);
}

/* A message that could not be had ahead of the client is asked for again when
 * the client wants it. */
static bool
is_of_use(const struct session *s, const struct fetched *f)
{
	return f->status != FETCH_FAILED ||
	       (s->wait == WAIT_MESSAGE && s->pop3.request.msgno == f->msgno);
}

/* Without room for the descriptor the message cannot be had now. */
static void
take_fd(struct session *s, struct ipc_in *in, struct fetched *f)
{
	if ((f->fd = ipc_get_fd_if_room(in)) >= 0) {
		s->worker->fds_held++;
		return;
	}
	f->status = FETCH_FAILED;
	if (f->made)
		session_closed(s, f->stored);
}

enum err
retrieve_fetched(struct session *s, struct ipc_in *in)
{
	struct window *win = s->retrieval != NULL ? s->retrieval->window : NULL;
	unsigned n = ipc_get_u8(in), held;

	if (win == NULL || n == 0 || n > win->due)
		return E_FORMAT;
	win->due = 0;
	held = win->n - win->first;
	memmove(
	    win->ahead, win->ahead + win->first, held * sizeof(*win->ahead));
	win->first = 0;
	win->n = held;
	while (n-- > 0) {
		struct fetched f = {
			.msgno = ipc_get_u32_to(in, s->count),
			.fd = -1,
		};

		f.status = ipc_get_u8_to(in, FETCH_FAILED);
		f.made = ipc_get_u8_to(in, true);
		f.off = ipc_get_u64(in);
		f.stored = ipc_get_u64(in);
		f.wire = ipc_get_u64(in);
		if (f.status == FETCH_OK)
			take_fd(s, in, &f);
		win->asked_to = f.msgno;
		if (win->n < 2 * WINDOW_MAX && is_of_use(s, &f))
			win->ahead[win->n++] = f;
		else
			fetched_close(s, &f);
	}
	if (win->n != 0)
		start_holding(s->retrieval);
	return ipc_get_end(in);
}

/* The message out of what is held.  GO_WAIT: it has been asked for. */
static enum go
take_message(struct session *s, uint32_t msgno, struct fetched *f_r)
{
	struct window *win;
	enum err e;

	if (!retrieval_make(s))
		return GO_FAIL;
	win = s->retrieval->window;
	while (win->first < win->n) {
		struct fetched *f = &win->ahead[win->first++];

		if (f->msgno == msgno) {
			*f_r = *f;
			win->expected = msgno + 1;
			ask_ahead(s);
			return GO_ON;
		}
		fetched_close(s, f); /* the client goes elsewhere */
	}
	if (win->due == 0) {
		if (msgno != win->expected)
			win->size = WINDOW_MIN;
		win->expected = msgno;
		e = ask_messages(s, msgno);
		if (e == E_BUSY)
			return session_again(s, WAIT_CLOSES);
		if (e != E_OK)
			return GO_FAIL;
	}
	s->wait = WAIT_MESSAGE;
	return GO_WAIT;
}

/* ---- sending ---- */

static void
message_done(struct session *s)
{
	struct retrieval *r = s->retrieval;
	const struct fetched *f = &r->msg;
	uint64_t size = pop3_wire_size(&r->wire);

	if (!s->pop3.request.top) {
		if (s->seen != NULL)
			s->seen[(f->msgno - 1) / 8] |=
			    (uint8_t)(1u << (f->msgno - 1) % 8);
		if (size != f->wire) {
			log_line(LOG_WARNING,
			    "ev=size-wrong sid=%u.%llx message=%u said=%llu "
			    "sent=%llu",
			    s->worker->conf.role.index,
			    (unsigned long long)s->sid, f->msgno,
			    (unsigned long long)f->wire,
			    (unsigned long long)size);
			session_doubt(s, f->msgno);
		}
	}
	s->sized.msgno = f->msgno;
	s->sized.wire = f->wire;
	fetched_close(s, &r->msg);
	r->begun = false;
	pop3_server_message_end(&s->pop3, size == f->wire);
}

/* One piece of the file into the output. */
static enum go
send_piece(struct session *s, bool *enough_r)
{
	struct retrieval *r = s->retrieval;
	uint64_t left = r->msg.stored - r->sent;
	size_t want = left < PIECE ? (size_t)left : PIECE, n, room;
	struct pop3_wire_step step;
	const char *octets;
	char *out;
	enum go go;

	go = session_read(
	    s, r->msg.fd, r->msg.off + r->sent, want, false, &octets, &n);
	if (go != GO_ON)
		return go;
	if (n > want)
		n = want;
	room = 2 * n + POP3_WIRE_ROOM; /* were it all dots */
	if ((out = buf_room(&s->out, room + POP3_WIRE_END)) == NULL)
		return GO_FAIL;
	step = pop3_wire_encode(&r->wire, octets, n, out, room);
	buf_added(&s->out, step.made);
	r->sent += step.used;
	*enough_r = step.enough;
	return GO_ON;
}

/* ---- the envelope alone ---- */

/* It is answered, as it cannot be read. */
static enum go
envelope_failed(struct session *s, enum pop3_text t)
{
	struct retrieval *r = s->retrieval;

	fetched_close(s, &r->msg);
	r->begun = false;
	pop3_server_failed(&s->pop3, &s->out, t);
	return GO_FAIL;
}

static enum go
begin_envelope(struct session *s)
{
	struct retrieval *r = s->retrieval;

	if (r->envelope == NULL &&
	    (r->envelope = malloc(sizeof(*r->envelope))) == NULL)
		return envelope_failed(s, POP3_TEXT_MEMORY);
	pop3_envelope_init(r->envelope);
	return GO_ON;
}

/* The client is likely to want the message next. */
static void
put_back(struct retrieval *r)
{
	struct window *win = r->window;

	if (win == NULL || win->first == 0) {
		fetched_close(r->session, &r->msg);
		return;
	}
	win->ahead[--win->first] = r->msg;
	win->expected = r->msg.msgno;
	r->msg.fd = -1;
	start_holding(r);
}

static enum go
send_envelope(struct session *s)
{
	struct retrieval *r = s->retrieval;
	struct fetched *f = &r->msg;
	bool enough = false;
	const char *octets;
	enum go go;
	size_t n;

	while (r->sent < f->stored && !enough) {
		uint64_t left = f->stored - r->sent;

		go = session_read(s, f->fd, f->off + r->sent,
		    left < PIECE ? (size_t)left : PIECE, false, &octets, &n);
		if (go == GO_FAIL)
			return envelope_failed(s, POP3_TEXT_MESSAGE_UNREADABLE);
		if (go != GO_ON)
			return go;
		enough = pop3_envelope_add(r->envelope, octets, n);
		r->sent += n;
	}
	pop3_envelope_end(r->envelope);
	pop3_server_envelope(&s->pop3, &s->out, r->envelope, f->wire);
	r->begun = false;
	put_back(r);
	return GO_ON;
}

/* ---- a message ---- */

static enum go
begin_message(struct session *s)
{
	static const enum pop3_text says[] = {
		[FETCH_GONE] = POP3_TEXT_MESSAGE_GONE,
		[FETCH_UTF8] = POP3_TEXT_MESSAGE_UTF8,
		[FETCH_FAILED] = POP3_TEXT_MESSAGE_UNREADABLE,
	};
	const struct pop3_request *request = &s->pop3.request;
	struct fetched f = { .fd = -1 };
	enum go go = take_message(s, request->msgno, &f);
	struct retrieval *r = s->retrieval;

	if (go == GO_WAIT)
		return go;
	if (go == GO_FAIL || f.status != FETCH_OK) {
		pop3_server_failed(&s->pop3, &s->out,
		    says[go == GO_FAIL ? FETCH_FAILED : f.status]);
		return GO_FAIL;
	}
	r->begun = true;
	r->msg = f;
	r->sent = 0;
	if (request->envelope)
		return begin_envelope(s);
	if (!request->top)
		tally_took(TALLY_FIRST_OCTET, clock_ms() - s->active);
	pop3_wire_init(&r->wire, request->lines);
	pop3_server_message_begin(&s->pop3, &s->out, f.wire);
	if (s->pop3.why != NULL) /* its first line found no room */
		return session_over(s, s->pop3.why);
	return GO_ON;
}

/* GO_ON: the last of the message is in the output. */
static enum go
send_message(struct session *s)
{
	struct retrieval *r = s->retrieval;
	char end[POP3_WIRE_END];
	bool enough = false;
	enum go go;

	while (r->sent < r->msg.stored && !enough) {
		if (s->out.len >= OUT_MARK) {
			s->wait = WAIT_ROOM;
			return GO_WAIT;
		}
		if ((go = send_piece(s, &enough)) == GO_FAIL)
			/* Half a message must not look whole. */
			return session_over(s, "message-unreadable");
		if (go != GO_ON)
			return go;
	}
	if (buf_put(&s->out, end, pop3_wire_end(&r->wire, end)) != E_OK)
		return session_over(s, "out-of-memory");
	return GO_ON;
}

enum go
retrieve_go(struct session *s)
{
	enum go go = GO_ON;

	if (s->retrieval == NULL || !s->retrieval->begun)
		go = begin_message(s);
	if (go == GO_ON)
		go = s->pop3.request.envelope ? send_envelope(s)
					      : send_message(s);
	if (go == GO_ON && !s->pop3.request.envelope)
		message_done(s);
	return go == GO_FAIL ? GO_ON : go; /* it is answered */
}
