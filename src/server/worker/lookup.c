/*
 * lookup.c - LIST, UIDL and sizes, from the index that a store passed.
 *
 * The lines of a listing stand in the index as they are sent; after a DELE
 * those of marked messages are left out.  What is read is checked: the owner
 * of the mail could have written it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/worker/session.h"

void
lookup_close(struct session *s)
{
	if (s->view != NULL && s->view->fd >= 0)
		close(s->view->fd);
	free(s->view);
	s->view = NULL;
}

/* GO_ON: s->view can be read.  GO_END: it cannot be had. */
static enum go
view_get(struct session *s)
{
	struct ipc_chan *chan = s->store->chan;

	if (s->view == NULL) {
		if ((s->view = calloc(1, sizeof(*s->view))) == NULL)
			return GO_END;
		s->view->fd = -1;
	}
	if (s->view->fd >= 0)
		return GO_ON;
	if (s->view->failed) {
		s->view->failed = false;
		return GO_END;
	}
	ipc_begin(chan, IPC_INDEX);
	ipc_put_u64(chan, s->sid);
	if (ipc_end(chan) != E_OK)
		return GO_END;
	s->wait = WAIT_INDEX;
	return GO_WAIT;
}

/* Said once: the client may ask as often as it likes. */
static enum go
broken(struct session *s)
{
	char user[NAME_MAX_OCTETS + 1];

	if (s->view->broken)
		return GO_END;
	s->view->broken = true;
	log_line(LOG_WARNING, "ev=index-broken sid=%u.%llx user=%s",
	    s->worker->conf.role.index, (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), s->user, strlen(s->user)));
	session_doubt(s, 0);
	return GO_END;
}

/* The block behind another. */
static enum go
block_behind(struct session *s, const struct index_block *before,
    struct index_block *b_r)
{
	const char *p;
	size_t n;
	enum go go;

	if (before->next >= s->view->end)
		return broken(s);
	go = session_read(
	    s, s->view->fd, before->next, INDEX_HEADER, true, &p, &n);
	if (go == GO_ON &&
	    index_get_block(p, before, s->view->end, s->count, b_r) != E_OK)
		go = GO_END;
	return go == GO_END ? broken(s) : go;
}

static bool
has(const struct index_block *b, uint32_t msgno)
{
	return msgno - b->first < b->n;
}

/* Makes s->view->block the one that has msgno. */
static enum go
block_of(struct session *s, uint32_t msgno)
{
	struct index_block *b = &s->view->block;
	enum go go;

	if (b->first == 0 || msgno < b->first)
		*b = index_start;
	while (!has(b, msgno)) {
		struct index_block next;

		go = block_behind(s, b, &next);
		if (go != GO_ON)
			return go;
		*b = next;
	}
	return GO_ON;
}

static enum go
get_record(struct session *s, uint32_t msgno, struct index_record *r_r)
{
	const char *p;
	size_t n;
	enum go go;

	if ((go = view_get(s)) != GO_ON || (go = block_of(s, msgno)) != GO_ON)
		return go;
	go = session_read(s, s->view->fd,
	    index_record_place(&s->view->block, msgno), INDEX_RECORD, true, &p,
	    &n);
	if (go == GO_ON &&
	    index_get_record(p, &s->view->block, msgno, r_r) != E_OK)
		go = broken(s);
	return go;
}

static enum go
get_uid(struct session *s, const struct index_record *r, struct slice *uid_r)
{
	const char *p;
	size_t n;
	enum go go;

	go = session_read(s, s->view->fd, r->uid_off, r->uid_len, true, &p, &n);
	if (go == GO_ON && index_check_uid(p, r) != E_OK)
		return broken(s);
	*uid_r = (struct slice){ p, r->uid_len };
	return go;
}

static enum go
entry(struct session *s, uint64_t *wire_r, struct slice *uid_r)
{
	struct pump *p = &s->pump;
	enum go go = GO_ON;

	if (!p->begun)
		go = get_record(s, s->pop3.request.msgno, &p->record);
	if (go == GO_ON && s->pop3.request.uidl) {
		go = get_uid(s, &p->record, uid_r);
		/* One read waits at a time: the record is not read again. */
		p->begun = go == GO_WAIT;
	}
	*wire_r = p->record.wire;
	return go;
}

enum go
lookup_entry(struct session *s)
{
	struct slice uid = { "", 0 };
	uint64_t wire = s->last_wire;
	enum go go = GO_ON;

	/* RETR, then DELE: the size is known. */
	if (s->pop3.request.uidl || s->pop3.request.msgno != s->last_msgno)
		go = entry(s, &wire, &uid);
	if (go == GO_WAIT)
		return go;
	if (go == GO_ON)
		pop3_server_entry(&s->pop3, &s->out, wire, uid);
	else
		pop3_server_failed(
		    &s->pop3, &s->out, POP3_TEXT_DROP_UNREADABLE);
	return GO_ON;
}

/* The lines of a block without those of marked messages. */
static enum err
send_unmarked(
    struct session *s, const struct index_block *b, const char *p, size_t n)
{
	const char *line = p, *end = p + n, *from = p;
	enum err e = E_OK;

	for (uint32_t i = 0; i < b->n && e == E_OK; i++) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));

		if (lf == NULL)
			return E_FORMAT;
		if (pop3_server_is_marked(&s->pop3, b->first + i)) {
			e = buf_put(&s->out, from, (size_t)(line - from));
			from = lf + 1;
		}
		line = lf + 1;
	}
	if (e == E_OK)
		e = buf_put(&s->out, from, (size_t)(end - from));
	return e;
}

static const struct index_section *
lines_of(const struct session *s, const struct index_block *b)
{
	return s->pop3.request.uidl ? &b->uidl : &b->list;
}

/* The lines of the next block, whatever it takes. */
static enum go
send_block(struct session *s)
{
	struct pump *p = &s->pump;
	const struct index_block *b = &s->view->block;
	const struct index_section *sec;
	const char *octets;
	size_t n;
	enum err e;
	enum go go;

	if ((go = block_of(s, p->next)) != GO_ON)
		return go;
	sec = lines_of(s, b);
	if (sec->len != 0) {
		go = session_read(
		    s, s->view->fd, sec->off, sec->len, true, &octets, &n);
		if (go == GO_ON && index_check_section(octets, sec) != E_OK)
			go = broken(s);
		if (go != GO_ON)
			return go;
		e = s->pop3.marked == 0 ? session_send(s, octets, n)
					: send_unmarked(s, b, octets, n);
		if (e != E_OK)
			return GO_END;
	}
	p->next = b->first + b->n;
	return GO_ON;
}

/* ---- many blocks at a time ---- */

enum {
	PARTS = 32,
	/* So many messages at the end go through s->out, so that what is short
	 * leaves in one write with its terminator. */
	TAIL = 4 * INDEX_BLOCK,
};

/* What stands in the scratch memory: s->out, then the lines of blocks. */
struct piece {
	size_t n;
	unsigned n_parts;
	struct part {
		struct index_block block;
		size_t end;
	} part[PARTS];
};

/* Adds the lines of the block that has msgno, which is *b or comes behind it.
 * False: not without waiting, or something is wrong with it. */
static bool
gather_block(
    struct session *s, struct piece *pc, struct index_block *b, uint32_t msgno)
{
	char *to = s->worker->scratch + pc->n, head[INDEX_HEADER];
	const struct index_section *sec;
	struct index_block next;

	while (!has(b, msgno)) {
		if (b->next >= s->view->end ||
		    !session_read_now(
			s->view->fd, b->next, sizeof(head), head) ||
		    index_get_block(head, b, s->view->end, s->count, &next) !=
			E_OK)
			return false;
		*b = next;
	}
	sec = lines_of(s, b);
	if (sec->len > SCRATCH - pc->n ||
	    !session_read_now(s->view->fd, sec->off, sec->len, to) ||
	    index_check_section(to, sec) != E_OK)
		return false;
	pc->n += sec->len;
	pc->part[pc->n_parts++] = (struct part){ *b, pc->n };
	return true;
}

/* The rest of a block that the socket has cut is kept, later ones are read
 * again when there is room. */
static enum err
keep_rest(struct session *s, const struct piece *pc, size_t took)
{
	size_t head = s->out.len < took ? s->out.len : took, at = s->out.len;
	enum err e = E_OK;

	buf_consume(&s->out, head);
	for (unsigned i = 0; i < pc->n_parts && took > at; i++) {
		s->view->block = pc->part[i].block;
		s->pump.next = s->view->block.first + s->view->block.n;
		at = pc->part[i].end;
	}
	if (took < at && s->out.len == 0)
		e = buf_put(&s->out, s->worker->scratch + took, at - took);
	return e;
}

/* Sends as many blocks as fit into the scratch memory, in one call.  False:
 * nothing was done, send_block() will know why. */
static bool
send_blocks(struct session *s)
{
	struct pump *p = &s->pump;
	struct piece pc;
	struct index_block b = s->view->block;
	uint64_t msgno = p->next;
	size_t took;

	if (s->conn.ssl != NULL || s->pop3.marked != 0 ||
	    (s->disk != NULL && s->disk_state == DISK_READY))
		return false;
	if (s->out.len != 0 && conn_is_blocked(&s->conn))
		return true;
	pc.n = s->out.len;
	pc.n_parts = 0;
	while (pc.n_parts < PARTS && msgno + TAIL <= s->count &&
	       gather_block(s, &pc, &b, (uint32_t)msgno))
		msgno = b.first + b.n;
	if (pc.n_parts == 0)
		return false;
	if (s->out.len != 0)
		memcpy(s->worker->scratch, buf_data(&s->out), s->out.len);
	if (session_offer(s, s->worker->scratch, pc.n, &took) != E_OK)
		session_end(s, "lost");
	else if (keep_rest(s, &pc, took) != E_OK)
		session_end(s, "out-of-memory");
	return true;
}

/* GO_END: no listing has begun; it is answered already, or the session has
 * ended. */
static enum go
begin(struct session *s)
{
	/* An empty maildrop needs no index. */
	enum go go = s->count == 0 ? GO_ON : view_get(s);

	if (go == GO_WAIT)
		return go;
	if (go == GO_END) {
		pop3_server_failed(
		    &s->pop3, &s->out, POP3_TEXT_DROP_UNREADABLE);
		return go;
	}
	s->pump.begun = true;
	s->pump.next = 1;
	if (s->view != NULL)
		s->view->block = index_start;
	pop3_server_listing_begin(&s->pop3, &s->out);
	if (s->pop3.why != NULL) /* its first line found no room */
		session_end(s, s->pop3.why);
	return s->ended ? GO_END : GO_ON;
}

enum go
lookup_listing(struct session *s)
{
	struct pump *p = &s->pump;
	enum go go;

	if (!p->begun && (go = begin(s)) != GO_ON)
		return go == GO_END && !s->ended ? GO_ON : go;
	while (p->next <= s->count) {
		if (s->out.len >= OUT_MARK || send_blocks(s)) {
			s->wait = WAIT_ROOM;
			return s->ended ? GO_END : GO_WAIT;
		}
		if ((go = send_block(s)) == GO_END)
			/* Half a listing must not look whole. */
			session_end(s, "index-unreadable");
		if (go != GO_ON)
			return go;
	}
	p->begun = false;
	pop3_server_listing_end(&s->pop3, &s->out);
	return GO_ON;
}
