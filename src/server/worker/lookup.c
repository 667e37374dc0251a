/*
 * lookup.c - LIST, UIDL and sizes, from the index that a store passed.
 *
 * The lines of a listing stand in the index as they are sent; after a DELE
 * those of marked messages are left out.  What is read is checked: the owner
 * of the mail could have written it.
 */
#include "server/worker/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "base/close_later.h"
#include "base/log.h"
#include "server/ipc/index.h"
#include "server/ipc/proto.h"
#include "server/worker/io.h"
#include "server/worker/worker_tell.h"

/* What a session may look at before others have their turn: octets, and each
 * read counts as some, as how many blocks there are, and how much is in them,
 * is the choice of whoever owns the mail. */
enum { LOOK_MAX = 2 * 1024 * 1024, LOOK_EACH = 1024 };

struct lookup {
	int fd;      /* the index of the maildrop; -1: not there yet */
	bool failed; /* the store cannot give it */
	bool broken; /* which was said */
	uint64_t end;
	struct index_block block; /* the last one that was looked up */
	/* The reply that is being made: */
	bool begun;
	uint32_t next;              /* a listing: the message that comes next */
	struct index_record record; /* one line */
};

void
lookup_close(struct session *s)
{
	if (s->lookup != NULL && s->lookup->fd >= 0)
		close_later(s->lookup->fd, s->owner);
	free(s->lookup);
	s->lookup = NULL;
}

static bool
lookup_make(struct session *s)
{
	if (s->lookup == NULL &&
	    (s->lookup = calloc(1, sizeof(*s->lookup))) != NULL)
		s->lookup->fd = -1;
	return s->lookup != NULL;
}

enum err
lookup_index_is(struct session *s, struct ipc_in *in)
{
	struct lookup *l = s->lookup;

	l->failed = ipc_get_u8(in) == 0;
	l->end = ipc_get_u64(in);
	if (!l->failed)
		l->failed = (l->fd = ipc_get_fd_if_room(in)) < 0;
	return ipc_get_end(in);
}

/* GO_ON: the index can be read. */
static enum go
index_get(struct session *s)
{
	struct ipc_chan *chan = s->store->chan;

	if (s->lookup->fd >= 0)
		return GO_ON;
	if (s->lookup->failed) {
		s->lookup->failed = false;
		return GO_FAIL;
	}
	ipc_begin(chan, IPC_INDEX);
	ipc_put_u64(chan, s->sid);
	if (ipc_end(chan) != E_OK)
		return GO_FAIL;
	s->wait = WAIT_INDEX;
	return GO_WAIT;
}

/* Said once: the client may ask as often as it likes. */
static enum go
index_broken(struct session *s)
{
	char user[NAME_MAX_OCTETS + 1];

	if (s->lookup->broken)
		return GO_FAIL;
	s->lookup->broken = true;
	log_line(LOG_WARNING, "ev=index-broken sid=%u.%llx user=%s",
	    s->worker->conf.role.index, (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), s->user, strlen(s->user)));
	session_doubt(s, 0);
	return GO_FAIL;
}

static bool
has_looked_enough(const struct session *s)
{
	return s->looked >= LOOK_MAX;
}

/* Others have their turn; then it goes on where it was. */
static enum go
end_turn(struct session *s)
{
	s->wait = WAIT_ROOM;
	return GO_WAIT;
}

/* Octets of the index, all of them: see session_read(). */
static enum go
look(struct session *s, uint64_t off, size_t n, const char **p_r)
{
	size_t got;

	if (has_looked_enough(s))
		return end_turn(s);
	s->looked += LOOK_EACH + n;
	return session_read(s, s->lookup->fd, off, n, true, p_r, &got);
}

static bool
look_now(struct session *s, uint64_t off, size_t n, char *to)
{
	if (has_looked_enough(s))
		return false;
	s->looked += LOOK_EACH + n;
	return session_read_now(s->lookup->fd, off, n, to);
}

/* The block behind another. */
static enum go
block_behind(struct session *s, const struct index_block *before,
    struct index_block *b_r)
{
	struct lookup *l = s->lookup;
	const char *p;
	enum go go;

	if (before->next >= l->end)
		return index_broken(s);
	go = look(s, before->next, INDEX_HEADER, &p);
	if (go == GO_ON &&
	    index_get_block(p, before, l->end, s->count, b_r) != E_OK)
		go = GO_FAIL;
	return go == GO_FAIL ? index_broken(s) : go;
}

static bool
block_has(const struct index_block *b, uint32_t msgno)
{
	return msgno - b->first < b->n;
}

/* Makes s->lookup->block the one that has msgno. */
static enum go
find_block(struct session *s, uint32_t msgno)
{
	struct index_block *b = &s->lookup->block;
	enum go go;

	if (b->first == 0 || msgno < b->first)
		*b = index_start;
	while (!block_has(b, msgno)) {
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
	enum go go;

	if ((go = index_get(s)) != GO_ON ||
	    (go = find_block(s, msgno)) != GO_ON)
		return go;
	go = look(
	    s, index_record_place(&s->lookup->block, msgno), INDEX_RECORD, &p);
	if (go == GO_ON &&
	    index_get_record(p, &s->lookup->block, msgno, r_r) != E_OK)
		go = index_broken(s);
	return go;
}

static enum go
get_uid(struct session *s, const struct index_record *r, struct slice *uid_r)
{
	const char *p;
	enum go go;

	go = look(s, r->uid_off, r->uid_len, &p);
	if (go == GO_ON && index_check_uid(p, r) != E_OK)
		return index_broken(s);
	*uid_r = (struct slice){ p, r->uid_len };
	return go;
}

static enum go
find_entry(struct session *s, uint64_t *wire_r, struct slice *uid_r)
{
	struct lookup *l = s->lookup;
	enum go go = GO_ON;

	if (!l->begun)
		go = get_record(s, s->pop3.request.msgno, &l->record);
	if (go == GO_ON && s->pop3.request.uidl) {
		go = get_uid(s, &l->record, uid_r);
		/* One read waits at a time: the record is not read again. */
		l->begun = go == GO_WAIT;
	}
	*wire_r = l->record.wire;
	return go;
}

static void
answer_failed(struct session *s)
{
	pop3_server_failed(&s->pop3, &s->out, POP3_TEXT_DROP_UNREADABLE);
}

enum go
lookup_entry(struct session *s)
{
	struct slice uid = { "", 0 };
	uint64_t wire = s->sized.wire;
	enum go go = GO_ON;

	/* RETR, then DELE: the size is known. */
	if (s->pop3.request.uidl || s->pop3.request.msgno != s->sized.msgno)
		go = lookup_make(s) ? find_entry(s, &wire, &uid) : GO_FAIL;
	if (go == GO_WAIT)
		return go;
	if (go == GO_ON)
		pop3_server_entry(&s->pop3, &s->out, wire, uid);
	else
		answer_failed(s);
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
	struct lookup *l = s->lookup;
	const struct index_block *b = &s->lookup->block;
	const struct index_section *sec;
	const char *octets;
	enum err e;
	enum go go;

	if ((go = find_block(s, l->next)) != GO_ON)
		return go;
	sec = lines_of(s, b);
	if (sec->len != 0) {
		go = look(s, sec->off, sec->len, &octets);
		if (go == GO_ON && index_check_section(octets, sec) != E_OK)
			go = index_broken(s);
		if (go != GO_ON)
			return go;
		e = s->pop3.marked == 0 ? session_send(s, octets, sec->len)
					: send_unmarked(s, b, octets, sec->len);
		if (e != E_OK)
			return GO_FAIL;
	}
	l->next = b->first + b->n;
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

	while (!block_has(b, msgno)) {
		if (b->next >= s->lookup->end ||
		    !look_now(s, b->next, sizeof(head), head) ||
		    index_get_block(head, b, s->lookup->end, s->count, &next) !=
			E_OK)
			return false;
		*b = next;
	}
	sec = lines_of(s, b);
	if (sec->len > SCRATCH - pc->n ||
	    !look_now(s, sec->off, sec->len, to) ||
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
		s->lookup->block = pc->part[i].block;
		s->lookup->next = s->lookup->block.first + s->lookup->block.n;
		at = pc->part[i].end;
	}
	if (took < at && s->out.len == 0)
		e = buf_put(&s->out, s->worker->scratch + took, at - took);
	return e;
}

/* Sends as many blocks as fit into the scratch memory, in one call.  GO_FAIL:
 * nothing was done, send_block() will know why. */
static enum go
send_blocks(struct session *s)
{
	struct piece pc;
	struct index_block b = s->lookup->block;
	uint64_t msgno = s->lookup->next;
	size_t took;

	if (s->conn.ssl != NULL || s->pop3.marked != 0 || session_has_read(s))
		return GO_FAIL;
	s->wait = WAIT_ROOM;
	if (s->out.len != 0 && conn_is_blocked(&s->conn))
		return GO_WAIT;
	pc.n = s->out.len;
	pc.n_parts = 0;
	while (pc.n_parts < PARTS && msgno + TAIL <= s->count &&
	       gather_block(s, &pc, &b, (uint32_t)msgno))
		msgno = b.first + b.n;
	if (pc.n_parts == 0)
		return GO_FAIL;
	if (s->out.len != 0)
		memcpy(s->worker->scratch, buf_data(&s->out), s->out.len);
	if (session_offer(s, s->worker->scratch, pc.n, &took) != E_OK)
		return session_over(s, "lost");
	if (keep_rest(s, &pc, took) != E_OK)
		return session_over(s, "out-of-memory");
	return GO_WAIT;
}

/* As much of a listing as goes out at once; GO_ON: something of it. */
static enum go
send_some(struct session *s)
{
	enum go go;

	if (s->out.len >= OUT_MARK) {
		s->wait = WAIT_ROOM;
		return GO_WAIT;
	}
	if ((go = send_blocks(s)) == GO_FAIL)
		go = send_block(s);
	/* Half a listing must not look whole. */
	return go == GO_FAIL ? session_over(s, "index-unreadable") : go;
}

static enum go
begin_listing(struct session *s)
{
	struct lookup *l = s->lookup;
	enum go go;

	/* An empty maildrop needs no index. */
	if (s->count != 0 && (go = index_get(s)) != GO_ON)
		return go;
	l->begun = true;
	l->next = 1;
	l->block = index_start;
	pop3_server_listing_begin(&s->pop3, &s->out);
	if (s->pop3.why != NULL) /* its first line found no room */
		return session_over(s, s->pop3.why);
	return GO_ON;
}

enum go
lookup_listing(struct session *s)
{
	enum go go = GO_ON;

	if (!lookup_make(s))
		go = GO_FAIL;
	else if (!s->lookup->begun)
		go = begin_listing(s);
	if (go == GO_FAIL) {
		answer_failed(s);
		return GO_ON;
	}
	while (go == GO_ON && s->lookup->next <= s->count)
		go = send_some(s);
	if (go != GO_ON)
		return go;
	s->lookup->begun = false;
	pop3_server_listing_end(&s->pop3, &s->out);
	return GO_ON;
}
