#include "server/store/claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "server/store/expiry.h"
#include "server/store/idle.h"
#include "server/store/made.h"
#include "server/store/op.h"

enum { PATIENCE = 5 }; /* seconds for the answer to IPC_YIELD */

static const double NOTE = 0.2; /* seconds until it is noted who has it */

static void maildrop_next(struct maildrop *md);
static void maildrop_ask(struct maildrop *md);
static void claim_on_timer(
    struct ev_loop *loop, ev_timer *watcher, int revents);

/* ---- answers ---- */

void
claim_refuse(struct store_worker *w, const struct arrival *a,
    enum sign_in_code code, const struct holder *holder)
{
	if (a->counted.who != 0)
		store_tell_unopened(w->store, a->counted);
	if (!store_answer_begin(w, IPC_NOT_OPENED, a->sid))
		return;
	ipc_put_u64(w->chan, a->token);
	ipc_put_u8(w->chan, (uint8_t)code);
	ipc_put_str(w->chan, a->user);
	ipc_put_u64(w->chan, holder != NULL ? holder->since : 0);
	ipc_put_str(w->chan, holder != NULL ? holder->peer : "");
	store_answer_end(w);
}

static void
refuse_claim(
    const struct claim *c, enum sign_in_code code, const struct holder *holder)
{
	struct arrival a = { .sid = c->sid,
		.token = c->token,
		.user = c->user,
		.counted = c->counted };

	claim_refuse(c->worker, &a, code, holder);
}

static const char *
claim_tag(const struct claim *c, char out[HOLD_TAG_MAX])
{
	char user[HOLD_TAG_MAX - 64];

	format(out, HOLD_TAG_MAX, "sid=%u.%llx user=%s", c->worker->index,
	    (unsigned long long)c->sid,
	    str_escape(user, sizeof(user), c->user, strlen(c->user)));
	return out;
}

/* ---- who has it ---- */

/* The session that has it; those that wait are behind it. */
static struct claim *
maildrop_holder(const struct maildrop *md)
{
	struct claim *c = TAILQ_FIRST(&md->sessions);

	return c != NULL && c->state != CLAIM_WAITING ? c : NULL;
}

bool
claim_is_held(const struct store *st, const struct location *where)
{
	const struct maildrop *md = maildrop_find(st, where);

	return md != NULL && maildrop_holder(md) != NULL;
}

/* ---- life of a session ---- */

struct claim *
claim_find(struct store_worker *w, uint64_t sid)
{
	struct claim *c;

	LIST_FOREACH (c, &w->by_sid[sid % SID_BUCKETS], by_sid)
		if (c->sid == sid)
			return c;
	return NULL;
}

static struct claim *
claim_new(struct store_worker *w, const struct arrival *a,
    const struct location *where)
{
	size_t user_n = strlen(a->user) + 1, peer_n = strlen(a->peer) + 1;
	struct claim *c = calloc(1, sizeof(*c) + user_n + peer_n);

	if (c == NULL ||
	    (c->maildrop = maildrop_get(w->store, where)) == NULL) {
		free(c);
		return NULL;
	}
	c->worker = w;
	c->terms = terms_get(w->store->terms);
	c->sid = a->sid;
	c->token = a->token;
	c->utf8 = a->utf8;
	c->master = a->master;
	c->retention = a->retention;
	c->login_delay = a->login_delay;
	c->counted = a->counted;
	memcpy(c->user, a->user, user_n);
	c->peer = memcpy(c->user + user_n, a->peer, peer_n);
	ev_init(&c->timer, claim_on_timer);
	c->timer.data = c;
	if ((c->read_only = a->read_only)) {
		c->maildrop->readers++;
	} else {
		c->maildrop->n_sessions++;
		c->maildrop->waiting++;
		TAILQ_INSERT_TAIL(&c->maildrop->sessions, c, in_maildrop);
	}
	LIST_INSERT_HEAD(&w->by_sid[a->sid % SID_BUCKETS], c, by_sid);
	w->n_sessions++;
	if (w->store->n_sessions++ == 0)
		idle_end(w->store);
	return c;
}

static void
leave_maildrop(struct claim *c)
{
	struct maildrop *md = c->maildrop;

	if (c->read_only) {
		md->readers--;
		return;
	}
	if (c->state == CLAIM_WAITING)
		md->waiting--;
	md->n_sessions--;
	TAILQ_REMOVE(&md->sessions, c, in_maildrop);
}

/* Its hold, if it had one, has been closed.  The next session of the maildrop
 * gets its turn, so any of them may have changed, or be gone, afterwards. */
static void
claim_free(struct claim *c)
{
	struct maildrop *md = c->maildrop;
	struct store *st = c->worker->store;

	ev_timer_stop(st->loop, &c->timer);
	leave_maildrop(c);
	LIST_REMOVE(c, by_sid);
	c->worker->n_sessions--;
	store_worker_put(c->worker);
	made_return(c->made);
	terms_put(c->terms);
	free(c->remove);
	free(c->seen);
	free(c->taken);
	if (c->told)
		expiry_begin(st, md,
		    &(struct expiry_of){ c->user, c->retention, true }, NULL);
	free(c);
	maildrop_next(md);
	if (--st->n_sessions == 0)
		idle_begin(st);
}

static void
log_not_opened(const char *tag, const char *text)
{
	log_line(LOG_EVENT, "ev=not-opened %s text=\"%s\"", tag, text);
}

/* why: words for the log; NULL: who has it. */
static void
refuse_in_use(struct claim *c, const struct claim *holder, const char *why)
{
	char tag[HOLD_TAG_MAX], text[HOLDER_TEXT_MAX];
	struct holder who;

	holder_set(&who, holder->opened, holder->peer);
	log_not_opened(
	    claim_tag(c, tag), why != NULL ? why : holder_text(&who, text));
	refuse_claim(c, SIGN_IN_IN_USE, &who);
	claim_free(c);
}

/* What is let go of where nobody waits for it.  The next session of the maildrop
 * comes behind it in the line. */
struct closing {
	struct job job; /* first */
	struct hold *hold;
	struct maildrop *maildrop;
	struct terms *terms; /* that the hold has */
};

static void
run_close(struct job *j)
{
	struct hold *h = ((struct closing *)j)->hold;

	h->kind->close(h);
}

static void
done_close(struct job *j)
{
	struct maildrop *md = ((struct closing *)j)->maildrop;

	terms_put(((struct closing *)j)->terms);
	free(j);
	maildrop_put(md);
}

static void
close_hold(struct claim *c)
{
	struct closing *k = c->hold->waits ? calloc(1, sizeof(*k)) : NULL;

	if (k == NULL) {
		c->hold->kind->close(c->hold);
		return;
	}
	k->job.run = run_close;
	k->job.done = done_close;
	k->job.of = c->maildrop->file_system;
	k->hold = c->hold;
	k->maildrop = c->maildrop;
	k->terms = terms_get(c->terms);
	job_add(c->worker->store->pool, &c->maildrop->line, &k->job);
}

void
claim_finish(struct claim *c)
{
	if (c->hold != NULL)
		close_hold(c);
	claim_free(c);
}

void
claim_op_done(struct op *op)
{
	struct claim *c = op->claim;

	if (op_free(op))
		claim_finish(c);
}

/* ---- opening ---- */

static void
run_open(struct job *j)
{
	struct op *op = (struct op *)j;

	op->e = op->claim->maildrop->kind->open(&op->open.o);
}

static bool
now_open(struct op *op)
{
	op->open.o.now = true;
	op->e = op->claim->maildrop->kind->open(&op->open.o);
	op->open.o.now = false;
	return op->e == E_OK;
}

static void
claim_timer_start(struct claim *c, double seconds)
{
	ev_timer_set(&c->timer, seconds, 0.);
	ev_timer_start(c->worker->store->loop, &c->timer);
}

static void
claim_opened(struct claim *c, const struct hold_open *o)
{
	c->state = CLAIM_OPEN;
	c->hold = o->hold;
	c->count = o->count;
	c->opened = clock_unix_ms() / 1000;
	if (c->hold->unnoted)
		claim_timer_start(c, NOTE);
	if (!store_answer_begin(c->worker, IPC_OPENED, c->sid))
		return;
	ipc_put_u64(c->worker->chan, c->token);
	ipc_put_str(c->worker->chan, c->user);
	ipc_put_u32(c->worker->chan, o->count);
	ipc_put_u64(c->worker->chan, o->octets);
	ipc_put_u32(c->worker->chan, o->left_out);
	ipc_put_u8(c->worker->chan, c->read_only);
	ipc_put_u32(c->worker->chan, c->maildrop->file_system);
	ipc_put_u32(c->worker->chan, c->retention);
	ipc_put_u32(c->worker->chan, c->login_delay);
	store_answer_end(c->worker);
}

static void
run_note(struct job *j)
{
	struct op *op = (struct op *)j;

	op->claim->hold->kind->note(op->claim->hold, op->claim->peer);
}

static void
done_note(struct job *j)
{
	claim_op_done((struct op *)j);
}

/* Writes down who has the maildrop.  Most sessions are over before it is time
 * for that. */
static void
claim_note(struct claim *c)
{
	struct op *op = op_new(c, run_note, done_note, false);

	if (op != NULL)
		op_add(op);
}

static void
done_open(struct job *j)
{
	struct op *op = (struct op *)j;
	struct claim *c = op->claim;
	struct maildrop *md = c->maildrop;

	if (c->state == CLAIM_ENDING) {
		c->hold = op->open.o.hold;
	} else if (op->e == E_AGAIN) {
		op->open.o.quick = false;
		op_again(op);
		return;
	} else if (op->e == E_OK) {
		claim_opened(c, &op->open.o);
	} else {
		const struct hold_open *o = &op->open.o;
		bool in_use = op->e == E_BUSY;
		char text[HOLDER_TEXT_MAX];

		if (in_use)
			log_not_opened(o->tag, holder_text(&o->holder, text));
		refuse_claim(c, o->code, in_use ? &o->holder : NULL);
		c->state = CLAIM_ENDING;
	}
	if (c->state == CLAIM_OPEN && !c->read_only && md->waiting != 0)
		maildrop_ask(md);
	claim_op_done(op);
}

static void
claim_start(struct claim *c)
{
	struct op *op = op_new(c, run_open, done_open, false);
	char tag[HOLD_TAG_MAX];

	if (op == NULL) {
		log_not_opened(claim_tag(c, tag), "out of memory");
		refuse_claim(c, SIGN_IN_TEMPORARY, NULL);
		claim_free(c);
		return;
	}
	if (!c->read_only)
		c->maildrop->waiting--;
	c->state = CLAIM_OPENING;
	c->opened = clock_unix_ms() / 1000;
	ev_timer_stop(c->worker->store->loop, &c->timer);
	op->open.o = (struct hold_open){ .conf = &c->terms->conf,
		.path = c->maildrop->path,
		.user = c->user,
		.peer = c->peer,
		.tag = claim_tag(c, op->open.tag),
		.quick = true,
		.read_only = c->read_only,
		.utf8 = c->utf8,
		.expires = retention_is_days(c->retention) };
	op_add_now(op, now_open);
}

void
claim_open(struct store_worker *w, const struct arrival *a,
    const struct location *where)
{
	struct claim *c, *holder;

	if (claim_find(w, a->sid) != NULL) {
		log_line(LOG_WARNING, "ev=session-twice sid=%u.%llx", w->index,
		    (unsigned long long)a->sid);
		return;
	}
	if ((c = claim_new(w, a, where)) == NULL) {
		claim_refuse(w, a, SIGN_IN_TEMPORARY, NULL);
		return;
	}
	holder = maildrop_holder(c->maildrop);
	if (holder != NULL && !c->read_only &&
	    c->maildrop->n_sessions > w->store->conf.per_user_max)
		refuse_in_use(c, holder, "max_sessions_per_user");
	else if (holder == NULL || w->store->conf.shared || c->read_only)
		claim_start(c);
	else if (holder->state == CLAIM_OPEN)
		maildrop_ask(c->maildrop);
}

/* ---- who is next ---- */

/* If no session has the maildrop, the first that waits gets it. */
static void
maildrop_next(struct maildrop *md)
{
	struct claim *c = TAILQ_FIRST(&md->sessions);

	if (c == NULL)
		maildrop_put(md);
	else if (c->state == CLAIM_WAITING)
		claim_start(c);
}

static void
refuse_all_waiting(struct maildrop *md)
{
	struct claim *holder = maildrop_holder(md), *c;

	while ((c = TAILQ_NEXT(holder, in_maildrop)) != NULL)
		refuse_in_use(c, holder, NULL);
}

/* Sessions wait for what another one has.  Its worker, which alone knows
 * whether it has fallen silent, is asked to end it then. */
static void
maildrop_ask(struct maildrop *md)
{
	struct claim *holder = maildrop_holder(md), *c;
	const struct store *st = holder->worker->store;
	uint64_t age = clock_unix_ms() / 1000 - holder->opened;

	if (!holder->yielding) {
		if (st->conf.takeover == 0 || age < st->conf.takeover ||
		    !store_answer_begin(
			holder->worker, IPC_YIELD, holder->sid)) {
			refuse_all_waiting(md);
			return;
		}
		ipc_put_u32(holder->worker->chan, st->conf.takeover);
		store_answer_end(holder->worker);
		holder->yielding = true;
	}
	TAILQ_FOREACH (c, &md->sessions, in_maildrop)
		if (c->state == CLAIM_WAITING && !ev_is_active(&c->timer))
			claim_timer_start(c, PATIENCE);
}

static void
claim_on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	struct claim *c = watcher->data, *holder = maildrop_holder(c->maildrop);

	if (c->state == CLAIM_OPEN)
		claim_note(c);
	else if (c->state == CLAIM_WAITING && holder->state == CLAIM_OPEN)
		refuse_in_use(c, holder, NULL);
}

void
claim_keep(struct claim *c)
{
	if (!c->yielding)
		return;
	c->yielding = false;
	if (c->state == CLAIM_OPEN)
		refuse_all_waiting(c->maildrop);
}
