/*
 * retrieve.c - RETR and TOP: messages that a store opened, converted and sent.
 *
 * The store is asked for a window of messages at a time, ahead of a client
 * that takes them in order, as nearly every client does.  The window grows as
 * the client goes on.  Descriptors held so are counted over all sessions: when
 * they are short, sessions that have been still for longest give theirs back.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/worker/session.h"

enum { RETR_OCTETS = 10 }; /* of a command: RETR 1234 */

/* ---- what is held ahead ---- */

static void
fetched_close(struct worker *w, struct fetched *f)
{
	if (f->fd < 0)
		return;
	close(f->fd);
	f->fd = -1;
	w->fds_held--;
}

static void
unhold(struct session *s)
{
	if (!s->holds)
		return;
	TAILQ_REMOVE(&s->worker->holding, s, link);
	s->holds = false;
}

/* The sessions that were still for longest stand first. */
static void
hold(struct session *s)
{
	unhold(s);
	TAILQ_INSERT_TAIL(&s->worker->holding, s, link);
	s->holds = true;
}

void
retrieve_release(struct session *s)
{
	struct window *win = s->window;

	if (win == NULL)
		return;
	for (unsigned i = win->first; i < win->n; i++)
		fetched_close(s->worker, &win->ahead[i]);
	unhold(s);
	if (win->asked) {
		/* The answer needs a place to go to. */
		win->first = win->n = 0;
		win->size = WINDOW_MIN;
		return;
	}
	free(win);
	s->window = NULL;
}

void
retrieve_close(struct session *s)
{
	if (s->window != NULL)
		s->window->asked = false;
	retrieve_release(s);
	fetched_close(s->worker, &s->pump.msg);
}

/* Room for n more descriptors, perhaps at the cost of sessions that are still;
 * false: there is not, one at a time then. */
static bool
make_room(struct session *s, unsigned n)
{
	struct worker *w = s->worker;
	struct session *still, *next;

	for (still = TAILQ_FIRST(&w->holding);
	     still != NULL && w->fds_held + n > w->fds_max; still = next) {
		next = TAILQ_NEXT(still, link);
		if (still != s)
			retrieve_release(still);
	}
	return w->fds_held + n <= w->fds_max;
}

/* ---- asking ---- */

static struct window *
window_get(struct session *s)
{
	if (s->window == NULL &&
	    (s->window = calloc(1, sizeof(*s->window))) != NULL)
		s->window->size = WINDOW_MIN;
	return s->window;
}

/* Asks for up to win->size messages from msgno on that are not marked. */
static enum err
ask(struct session *s, uint32_t msgno)
{
	struct window *win = s->window;
	struct ipc_chan *chan = s->store->chan;
	uint32_t wanted[WINDOW_MAX];
	size_t waiting = s->in.len / RETR_OCTETS;
	uint8_t n = 0;
	enum err e;

	/* A client that pipelines has said what it wants. */
	if (waiting > WINDOW_MAX)
		waiting = WINDOW_MAX;
	if (win->size < waiting)
		win->size = (unsigned)waiting;
	if (!make_room(s, win->size))
		win->size = 1;
	for (; n < win->size && msgno <= s->count; msgno++)
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
	win->asked = true;
	win->asked_to = wanted[n - 1];
	return E_OK;
}

/* Half of what is held is used: the rest is enough until more has come. */
static void
ask_ahead(struct session *s)
{
	struct window *win = s->window;

	if (win->asked || win->n - win->first > win->size / 2 ||
	    win->asked_to >= s->count || ipc_is_full(s->store->chan))
		return;
	win->size = win->size < WINDOW_MAX / 2 ? win->size * 2 : WINDOW_MAX;
	(void)(ask(s, win->asked_to + 1) == E_OK);
}

enum err
retrieve_fetched(struct session *s, struct ipc_in *in)
{
	struct window *win = s->window;
	unsigned n = ipc_get_u8_to(in, WINDOW_MAX), held;

	if (win == NULL || !win->asked)
		return E_FORMAT;
	win->asked = false;
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
		/* Either encoding goes the same way. */
		(void)ipc_get_u8_to(in, ENC_WIRE);
		f.off = ipc_get_u64(in);
		f.stored = ipc_get_u64(in);
		f.wire = ipc_get_u64(in);
		if (f.status == FETCH_OK && (f.fd = ipc_get_fd(in)) >= 0)
			s->worker->fds_held++;
		if (win->n < 2 * WINDOW_MAX)
			win->ahead[win->n++] = f;
		else
			fetched_close(s->worker, &f);
	}
	if (win->n != 0)
		hold(s);
	return ipc_get_end(in);
}

/* The message out of what is held.  GO_WAIT: it has been asked for. */
static enum go
take(struct session *s, uint32_t msgno, struct fetched *f_r)
{
	struct window *win = window_get(s);

	if (win == NULL)
		return GO_END;
	while (win->first < win->n) {
		struct fetched *f = &win->ahead[win->first++];

		if (f->msgno == msgno) {
			*f_r = *f;
			win->expected = msgno + 1;
			ask_ahead(s);
			return GO_ON;
		}
		fetched_close(s->worker, f); /* the client goes elsewhere */
	}
	if (!win->asked) {
		if (msgno != win->expected)
			win->size = WINDOW_MIN;
		win->expected = msgno;
		if (ask(s, msgno) != E_OK)
			return GO_END;
	}
	s->wait = WAIT_MESSAGE;
	return GO_WAIT;
}

/* ---- sending ---- */

static void
message_done(struct session *s)
{
	const struct fetched *f = &s->pump.msg;
	uint64_t size = pop3_wire_size(&s->pump.wire);

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
	s->last_msgno = f->msgno;
	s->last_wire = f->wire;
	fetched_close(s->worker, &s->pump.msg);
	s->pump.begun = false;
	pop3_server_message_end(&s->pop3);
}

/* One piece of the file into the output. */
static enum go
send_piece(struct session *s, bool *enough_r)
{
	struct pump *p = &s->pump;
	uint64_t left = p->msg.stored - p->sent;
	size_t want = left < PIECE ? (size_t)left : PIECE, n, room;
	struct pop3_wire_step step;
	const char *octets;
	char *out;
	enum go go;

	go = session_read(
	    s, p->msg.fd, p->msg.off + p->sent, want, false, &octets, &n);
	if (go != GO_ON)
		return go;
	if (n > want)
		n = want;
	room = 2 * n + POP3_WIRE_ROOM; /* were it all dots */
	if ((out = buf_room(&s->out, room + POP3_WIRE_END)) == NULL)
		return GO_END;
	step = pop3_wire_encode(&p->wire, octets, n, out, room);
	buf_added(&s->out, step.made);
	p->sent += step.used;
	*enough_r = step.enough;
	return GO_ON;
}

static enum go
begin(struct session *s)
{
	const struct pop3_request *r = &s->pop3.request;
	struct fetched f;
	enum go go = take(s, r->msgno, &f);

	if (go == GO_WAIT)
		return go;
	if (go == GO_END || f.status != FETCH_OK) {
		pop3_server_failed(&s->pop3, &s->out,
		    go == GO_ON && f.status == FETCH_GONE
			? POP3_TEXT_MESSAGE_GONE
			: POP3_TEXT_MESSAGE_UNREADABLE);
		return GO_END;
	}
	s->pump = (struct pump){ .begun = true, .msg = f };
	pop3_wire_init(&s->pump.wire, r->lines);
	pop3_server_message_begin(&s->pop3, &s->out, f.wire);
	if (s->pop3.why != NULL) /* its first line found no room */
		session_end(s, s->pop3.why);
	return s->ended ? GO_END : GO_ON;
}

enum go
retrieve_go(struct session *s)
{
	struct pump *p = &s->pump;
	char end[POP3_WIRE_END];
	bool enough = false;
	enum go go;

	if (!p->begun && (go = begin(s)) != GO_ON)
		/* A failure is answered already. */
		return go == GO_END && !s->ended ? GO_ON : go;
	while (p->sent < p->msg.stored && !enough) {
		if (s->out.len >= OUT_MARK) {
			s->wait = WAIT_ROOM;
			return GO_WAIT;
		}
		if ((go = send_piece(s, &enough)) == GO_END)
			/* Half a message must not look whole. */
			session_end(s, "message-unreadable");
		if (go != GO_ON)
			return go;
	}
	if (buf_put(&s->out, end, pop3_wire_end(&p->wire, end)) != E_OK) {
		session_end(s, "out-of-memory");
		return GO_END;
	}
	message_done(s);
	return GO_ON;
}
