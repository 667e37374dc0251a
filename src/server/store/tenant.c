#include "server/store/tenant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "server/store/idle.h"
#include "server/store/op.h"

enum {
	WAITING_MAX = 16,
	PATIENCE = 5, /* seconds for the answer to IPC_YIELD */
};

static const double NOTE = 0.2; /* seconds until it is noted who has it */

static void maildrop_next(struct maildrop *md);
static void maildrop_ask(struct maildrop *md);
static void on_timer(struct ev_loop *loop, ev_timer *w, int revents);

/* ---- answers ---- */

void
tenant_refuse(struct peer *p, uint64_t sid, enum sign_in_code code,
    const struct drop_holder *holder)
{
	if (!peer_answer_begin(p, IPC_NOT_OPENED, sid))
		return;
	ipc_put_u8(p->chan, (uint8_t)code);
	ipc_put_u64(p->chan, holder != NULL ? holder->since : 0);
	ipc_put_str(p->chan, holder != NULL ? holder->from : "");
	peer_answer_end(p);
}

static const char *
tenant_tag(const struct tenant *s, char out[DROP_TAG_MAX])
{
	char user[DROP_TAG_MAX - 64];

	format(out, DROP_TAG_MAX, "sid=%u.%llx user=%s", s->peer->index,
	    (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), s->user, strlen(s->user)));
	return out;
}

/* ---- who has it ---- */

/* The session that has it; those that wait are behind it. */
static struct tenant *
maildrop_holder(const struct maildrop *md)
{
	struct tenant *s = TAILQ_FIRST(&md->sessions);

	return s != NULL && s->state != TENANT_WAITING ? s : NULL;
}

bool
tenant_is_held(const struct store *st, const struct location *where)
{
	const struct maildrop *md = maildrop_find(st, where);

	return md != NULL && maildrop_holder(md) != NULL;
}

/* ---- life of a session ---- */

struct tenant *
tenant_find(struct peer *p, uint64_t sid)
{
	struct tenant *s;

	LIST_FOREACH (s, &p->by_sid[sid % PEER_BUCKETS], by_sid)
		if (s->sid == sid)
			return s;
	return NULL;
}

static struct tenant *
tenant_new(struct peer *p, uint64_t sid, const char *user,
    const struct location *where, const char *from)
{
	size_t user_n = strlen(user) + 1, from_n = strlen(from) + 1;
	struct tenant *s = calloc(1, sizeof(*s) + user_n + from_n);

	if (s == NULL ||
	    (s->maildrop = maildrop_get(p->store, where)) == NULL) {
		free(s);
		return NULL;
	}
	s->peer = p;
	s->sid = sid;
	memcpy(s->user, user, user_n);
	s->from = memcpy(s->user + user_n, from, from_n);
	ev_init(&s->timer, on_timer);
	s->timer.data = s;
	s->maildrop->waiting++;
	TAILQ_INSERT_TAIL(&s->maildrop->sessions, s, in_drop);
	LIST_INSERT_HEAD(&p->by_sid[sid % PEER_BUCKETS], s, by_sid);
	p->n_sessions++;
	if (p->store->n_sessions++ == 0)
		idle_end(p->store);
	return s;
}

/* What it held has been let go.  Others get their turn, so afterwards any
 * session of the maildrop may have changed. */
static void
tenant_free(struct tenant *s)
{
	struct maildrop *md = s->maildrop;
	struct store *st = s->peer->store;

	ev_timer_stop(st->loop, &s->timer);
	if (s->state == TENANT_WAITING)
		md->waiting--;
	TAILQ_REMOVE(&md->sessions, s, in_drop);
	LIST_REMOVE(s, by_sid);
	s->peer->n_sessions--;
	peer_put(s->peer);
	free(s->remove);
	free(s->seen);
	free(s);
	maildrop_next(md);
	if (--st->n_sessions == 0)
		idle_begin(st);
}

static void
log_not_opened(const char *tag, const char *text)
{
	log_line(LOG_EVENT, "ev=not-opened %s text=\"%s\"", tag, text);
}

static void
refuse_in_use(struct tenant *s, const struct tenant *holder)
{
	char tag[DROP_TAG_MAX], text[DROP_TEXT_MAX];
	struct drop_holder who;

	drop_holder_set(&who, holder->opened, holder->from);
	log_not_opened(tenant_tag(s, tag), drop_holder_text(&who, text));
	tenant_refuse(s->peer, s->sid, SIGN_IN_IN_USE, &who);
	tenant_free(s);
}

/* Nothing runs for it any more. */
void
tenant_finish(struct tenant *s)
{
	if (s->drop != NULL)
		s->drop->kind->close(s->drop);
	tenant_free(s);
}

void
tenant_op_done(struct op *op)
{
	struct tenant *s = op->s;

	if (op_free(op))
		tenant_finish(s);
}

/* ---- opening ---- */

static void
run_open(struct job *j)
{
	struct op *op = (struct op *)j;

	op->e = op->s->maildrop->kind->open(&op->open.o);
}

static bool
now_open(struct op *op)
{
	op->open.o.now = true;
	op->e = op->s->maildrop->kind->open(&op->open.o);
	op->open.o.now = false;
	return op->e == E_OK;
}

static void
timer_start(struct tenant *s, double seconds)
{
	ev_timer_set(&s->timer, seconds, 0.);
	ev_timer_start(s->peer->store->loop, &s->timer);
}

static void
opened(struct tenant *s, const struct drop_open *o)
{
	s->state = TENANT_OPEN;
	s->drop = o->drop;
	s->count = o->count;
	s->opened = clock_unix_ms() / 1000;
	if (s->drop->unnoted)
		timer_start(s, NOTE);
	if (!peer_answer_begin(s->peer, IPC_OPENED, s->sid))
		return;
	ipc_put_str(s->peer->chan, s->user);
	ipc_put_u32(s->peer->chan, o->count);
	ipc_put_u64(s->peer->chan, o->octets);
	peer_answer_end(s->peer);
}

static void
run_note(struct job *j)
{
	struct op *op = (struct op *)j;

	op->s->drop->kind->note(op->s->drop, op->s->from);
}

static void
done_note(struct job *j)
{
	tenant_op_done((struct op *)j);
}

/* Most sessions are over before this. */
static void
note(struct tenant *s)
{
	struct op *op = op_new(s, run_note, done_note, false);

	if (op != NULL)
		op_add(op);
}

static void
done_open(struct job *j)
{
	struct op *op = (struct op *)j;
	struct tenant *s = op->s;
	struct maildrop *md = s->maildrop;

	if (s->state == TENANT_ENDING) {
		s->drop = op->open.o.drop;
	} else if (op->e == E_AGAIN) {
		op->open.o.quick = false;
		op_again(op);
		return;
	} else if (op->e == E_OK) {
		opened(s, &op->open.o);
	} else {
		const struct drop_open *o = &op->open.o;
		bool in_use = op->e == E_BUSY;
		char text[DROP_TEXT_MAX];

		if (in_use)
			log_not_opened(
			    o->tag, drop_holder_text(&o->holder, text));
		tenant_refuse(
		    s->peer, s->sid, o->code, in_use ? &o->holder : NULL);
		s->state = TENANT_ENDING;
	}
	if (s->state == TENANT_OPEN && md->waiting != 0)
		maildrop_ask(md);
	tenant_op_done(op);
}

static void
tenant_start(struct tenant *s)
{
	struct op *op = op_new(s, run_open, done_open, false);
	char tag[DROP_TAG_MAX];

	if (op == NULL) {
		log_not_opened(tenant_tag(s, tag), "out of memory");
		tenant_refuse(s->peer, s->sid, SIGN_IN_TEMPORARY, NULL);
		tenant_free(s);
		return;
	}
	s->maildrop->waiting--;
	s->state = TENANT_OPENING;
	ev_timer_stop(s->peer->store->loop, &s->timer);
	op->open.o = (struct drop_open){ .conf = &s->peer->store->conf,
		.path = s->maildrop->path,
		.peer = s->from,
		.tag = tenant_tag(s, op->open.tag),
		.quick = true };
	op_add_now(op, now_open);
}

void
tenant_open(struct peer *p, uint64_t sid, const char *user,
    const struct location *where, const char *from)
{
	struct tenant *s, *holder;

	if (tenant_find(p, sid) != NULL) {
		log_line(LOG_WARNING, "ev=session-twice sid=%u.%llx", p->index,
		    (unsigned long long)sid);
		return;
	}
	if ((s = tenant_new(p, sid, user, where, from)) == NULL) {
		tenant_refuse(p, sid, SIGN_IN_TEMPORARY, NULL);
		return;
	}
	holder = maildrop_holder(s->maildrop);
	if (holder == NULL || p->store->conf.shared)
		tenant_start(s);
	else if (s->maildrop->waiting > WAITING_MAX)
		refuse_in_use(s, holder);
	else if (holder->state == TENANT_OPEN)
		maildrop_ask(s->maildrop);
}

/* ---- who is next ---- */

/* The first that waits gets what nobody has. */
static void
maildrop_next(struct maildrop *md)
{
	struct tenant *s = TAILQ_FIRST(&md->sessions);

	if (s == NULL) {
		maildrop_free(md);
	} else if (s->state == TENANT_WAITING) {
		tenant_start(s);
	}
}

static void
refuse_all_waiting(struct maildrop *md)
{
	struct tenant *holder = maildrop_holder(md), *s;

	while ((s = TAILQ_NEXT(holder, in_drop)) != NULL)
		refuse_in_use(s, holder);
}

/* Some wait and somebody has it: is that a session that has fallen silent?
 * Only its worker knows. */
static void
maildrop_ask(struct maildrop *md)
{
	struct tenant *holder = maildrop_holder(md), *s;
	const struct store *st = holder->peer->store;
	uint64_t age = clock_unix_ms() / 1000 - holder->opened;

	if (!holder->yielding) {
		if (st->conf.takeover == 0 || age < st->conf.takeover ||
		    !peer_answer_begin(holder->peer, IPC_YIELD, holder->sid)) {
			refuse_all_waiting(md);
			return;
		}
		ipc_put_u32(holder->peer->chan, st->conf.takeover);
		peer_answer_end(holder->peer);
		holder->yielding = true;
	}
	TAILQ_FOREACH (s, &md->sessions, in_drop)
		if (s->state == TENANT_WAITING && !ev_is_active(&s->timer))
			timer_start(s, PATIENCE);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct tenant *s = w->data, *holder = maildrop_holder(s->maildrop);

	if (s->state == TENANT_OPEN)
		note(s);
	else if (s->state == TENANT_WAITING && holder->state == TENANT_OPEN)
		refuse_in_use(s, holder);
}

void
tenant_keep(struct tenant *s)
{
	if (!s->yielding)
		return;
	s->yielding = false;
	if (s->state == TENANT_OPEN)
		refuse_all_waiting(s->maildrop);
}
