#include "server/auth/auth_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	/* Who waits for so many times the time for an answer is told to come
	 * later.  The process gives up earlier, if it can. */
	PATIENCE = 3,
	DECAY = 16,
	KEPT = 4,       /* one part of so many is for who has none yet */
	SLACK_MS = 100, /* the process's clock does not begin with ours */
};

struct auth_db {
	struct auth *auth;
	const struct known_users *known; /* its own: */
	struct known_users is;
	bool has_successor; /* that has not come yet */
	/* Another process has its place, or none has: it is let go of as soon as
	 * nobody waits for an answer. */
	bool leaving;
	ev_timer gone;
	struct ipc_chan *chan; /* NULL: it has gone */
	uint64_t serial;
	uint64_t
	    answered; /* clock_ms(), the last time that it knew something */
	unsigned n_waits;
	TAILQ_HEAD(, db_wait) waits; /* the oldest first */
	/* Of one that verifies. */
	struct fair fair;
	uint32_t refusal; /* milliseconds */
};

static enum ipc_role
role_of(const struct known_users *known)
{
	switch (user_drivers[known->driver].asker) {
	case DRIVER_ASKS_DB: return ROLE_DB;
	case DRIVER_ASKS_PAM: return ROLE_PAM;
	default: return ROLE_AUTH; /* we have it ourselves */
	}
}

static struct auth_db *
db_of(const struct auth *a, const struct known_users *known)
{
	return a->db[known - a->conf.known];
}

const struct known_users *
auth_db_asked(const struct db_wait *w)
{
	return w->db->known;
}

bool
auth_db_verifies(const struct known_users *known)
{
	return (user_drivers[known->driver].can & DRIVER_VERIFIES) != 0;
}

/* Who waited longest is answered first, mostly. */
static struct db_wait *
find(const struct auth_db *db, uint64_t id)
{
	struct db_wait *w;

	TAILQ_FOREACH (w, &db->waits, entry)
		if (w->id == id && !w->is_waiting)
			break;
	return w;
}

static void begin_next(struct auth_db *db);

static void
leave(struct db_wait *w)
{
	struct auth_db *db = w->db;

	TAILQ_REMOVE(&db->waits, w, entry);
	db->n_waits--;
	ev_timer_stop(db->auth->loop, &w->deadline);
}

static void
end(struct db_wait *w, const struct db_answer *said)
{
	struct auth_db *db = w->db;

	leave(w);
	if (w->is_waiting)
		fair_leave(&db->fair, &w->whose);
	else if (auth_db_verifies(db->known))
		fair_end(&db->fair, &w->whose);
	w->is_waiting = false;
	/* Before: it may say that others are not to be asked. */
	w->done(w, said);
	begin_next(db);
	if (db->leaving && db->chan != NULL && TAILQ_EMPTY(&db->waits))
		ev_feed_event(db->auth->loop, &db->gone, EV_TIMER);
}

static void
fail(struct db_wait *w, const char *why, bool is_load)
{
	struct db_answer said = { .result = LOOKUP_FAILED, .is_load = is_load };

	snprintf(said.why, sizeof(said.why), "%s", why);
	end(w, &said);
}

/* Of one that had no answer in time.  While nobody has one it is the database that
 * does not answer, and no fault of who asks. */
static bool
is_load(const struct db_wait *w)
{
	return w->db->answered >= w->asked;
}

static void
on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct db_wait *w = t->data;

	fail(w, w->is_waiting ? "too many wait for it" : "no answer",
	    is_load(w));
}

/* ---- asking ---- */

static void
set_deadline(struct db_wait *w, double seconds)
{
	struct ev_loop *loop = w->db->auth->loop;

	ev_now_update(loop);
	ev_timer_stop(loop, &w->deadline);
	ev_timer_init(&w->deadline, on_deadline, seconds, 0.);
	w->deadline.data = w;
	ev_timer_start(loop, &w->deadline);
}

static enum err
send(struct db_wait *w)
{
	struct ipc_chan *c = w->db->chan;
	const struct db_question *q = &w->question;

	w->asked = clock_ms();
	ipc_begin(c, q->password != NULL ? IPC_VERIFY : IPC_LOOKUP);
	ipc_put_u64(c, w->id);
	ipc_put_str(c, q->name);
	if (q->password != NULL) {
		ipc_put_str(c, q->password);
		ipc_put_str(c, q->peer);
	}
	return ipc_end(c);
}

/* Where each answer takes seconds, one address could have all that can be asked at
 * a time before it is known to fail: some are kept for the others. */
static struct db_wait *
next_waiting(const struct auth_db *db)
{
	unsigned room = db->known->connections, n = db->fair.n_running;
	struct fair_entry *e = NULL;

	if (n < room - room / KEPT)
		e = fair_first(&db->fair);
	else if (n < room)
		e = fair_first_elsewhere(&db->fair);
	return e != NULL ? (void *)((char *)e - offsetof(struct db_wait, whose))
			 : NULL;
}

/* As many as it has room for. */
static void
begin_next(struct auth_db *db)
{
	struct db_wait *w;

	while (db->chan != NULL && (w = next_waiting(db)) != NULL) {
		w->is_waiting = false;
		fair_begin(&db->fair, &w->whose);
		set_deadline(w, db->known->timeout + 1);
		if (send(w) != E_OK) /* then the deadline says so */
			log_line(LOG_FAULT, "ev=unasked users=\"%s\"",
			    db->known->name);
	}
}

static enum err
ask_now(struct db_wait *w)
{
	enum err e = send(w);

	if (e == E_OK)
		set_deadline(w, w->db->known->timeout * PATIENCE + 1);
	return e;
}

static void
ask_in_turn(struct db_wait *w)
{
	struct auth_db *db = w->db;

	w->is_waiting = true;
	w->asked = clock_ms();
	set_deadline(w, db->known->timeout * (PATIENCE - 1));
	fair_place(&db->fair, &w->whose);
	fair_wait(&db->fair, &w->whose);
	begin_next(db);
}

enum err
auth_db_ask(struct auth *a, const struct known_users *known, struct db_wait *w)
{
	struct auth_db *db = db_of(a, known);
	enum err e;

	if (db == NULL)
		return E_CLOSED;
	if (db->n_waits >= LOOKUPS_MAX || ipc_is_full(db->chan))
		return E_FULL;
	w->db = db;
	w->id = ++db->serial;
	w->is_waiting = false;
	if (auth_db_verifies(known))
		ask_in_turn(w);
	else if ((e = ask_now(w)) != E_OK)
		return e;
	TAILQ_INSERT_TAIL(&db->waits, w, entry);
	db->n_waits++;
	return E_OK;
}

bool
auth_db_cancel(struct db_wait *w)
{
	if (!w->is_waiting)
		return false;
	leave(w);
	fair_leave(&w->db->fair, &w->whose);
	w->is_waiting = false;
	return true;
}

/* ---- what it says ---- */

/* The most counts at once, and is forgotten little by little. */
static void
note_refusal(struct auth_db *db, uint32_t took)
{
	db->refusal = took >= db->refusal
			  ? took
			  : db->refusal - (db->refusal - took) / DECAY;
}

uint32_t
auth_db_refusal(const struct auth *a, const struct known_users *known)
{
	const struct auth_db *db = db_of(a, known);

	return db != NULL ? db->refusal : 0;
}

/* It gave up by itself, as its time was over. */
static bool
is_late(const struct db_wait *w, const struct db_answer *said)
{
	return said->took + SLACK_MS >= w->db->known->timeout * 1000u;
}

/* Only who was given a password may call it wrong. */
static enum err
take_answer(struct auth_db *db, struct db_wait *w, struct db_answer *said)
{
	bool has_password = w->question.password != NULL;

	if (said->result == LOOKUP_WRONG && !has_password)
		return E_FORMAT;
	said->took = (uint32_t)(clock_ms() - w->asked);
	if (has_password &&
	    (said->result == LOOKUP_WRONG || said->result == LOOKUP_NOBODY))
		note_refusal(db, said->took);
	if (said->result != LOOKUP_FAILED)
		db->answered = clock_ms();
	said->is_load =
	    said->result == LOOKUP_FAILED && is_late(w, said) && is_load(w);
	end(w, said);
	return E_OK;
}

/* One that was given up may have crossed it. */
static enum err
take_row(void *arg, struct ipc_in *in)
{
	struct auth_db *db = arg;
	struct db_wait *w = find(db, ipc_get_u64(in));
	struct db_answer said;

	said.result = (enum lookup_result)ipc_get_u8_to(in, LOOKUP_RESULTS - 1);
	said.n = row_get(in, said.column);
	ipc_get_str(in, said.why, sizeof(said.why));
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	return w != NULL ? take_answer(db, w, &said) : E_OK;
}

static const struct ipc_rule rule[] = {
	{ IPC_ROW, 1, 0,
	    8 + 1 + 1 + ROW_COLUMNS_MAX * 8 + ROW_OCTETS_MAX + 4 + 256,
	    take_row },
};

/* ---- coming and going ---- */

static void
db_free(struct auth_db *db)
{
	struct ipc_chan *chan = db->chan;
	struct db_wait *w;

	for (size_t i = 0; i < KNOWN_USERS_MAX; i++)
		if (db->auth->db[i] == db)
			db->auth->db[i] = NULL;
	ev_timer_stop(db->auth->loop, &db->gone);
	db->chan = NULL;
	while ((w = TAILQ_FIRST(&db->waits)) != NULL)
		fail(w, "its process has ended", false);
	ipc_close(chan);
	free(db);
}

static void
on_gone(void *arg, enum err why)
{
	struct auth_db *db = arg;

	role_link_lost(
	    &db->auth->role, role_of(db->known), db->known->index, why);
	db_free(db);
}

static const struct ipc_rules rules = { rule, sizeof(rule) / sizeof(rule[0]),
	on_gone };

static void
on_let_go(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct auth_db *db = t->data;

	if (TAILQ_EMPTY(&db->waits))
		db_free(db);
}

/* Whom it was asked about may still be answered. */
static void
leave_it(struct auth_db *db)
{
	for (size_t i = 0; i < KNOWN_USERS_MAX; i++)
		if (db->auth->db[i] == db)
			db->auth->db[i] = NULL;
	db->leaving = true;
	if (TAILQ_EMPTY(&db->waits))
		db_free(db);
}

/* The process of a place among `known`, of those that there are. */
static struct auth_db *
take_from(struct auth_db **there, const struct known_users *known)
{
	struct auth_db *db;

	for (size_t i = 0; i < KNOWN_USERS_MAX; i++) {
		db = there[i];
		if (db == NULL || role_of(db->known) != role_of(known) ||
		    db->known->index != known->index ||
		    db->known->driver != known->driver ||
		    strcmp(db->known->name, known->name) != 0)
			continue;
		there[i] = NULL;
		return db;
	}
	return NULL;
}

void
auth_db_rearrange(struct auth *a, const struct auth_conf *next)
{
	struct auth_db *there[KNOWN_USERS_MAX], *db;

	memcpy(there, a->db, sizeof(there));
	memset(a->db, 0, sizeof(a->db));
	for (size_t i = 0; i < next->n_known; i++) {
		db = take_from(there, &next->known[i]);
		if (db != NULL)
			db->is = next->known[i];
		a->db[i] = db;
	}
	for (size_t i = 0; i < KNOWN_USERS_MAX; i++)
		if (there[i] != NULL)
			leave_it(there[i]);
}

static const struct known_users *
find_known(const struct auth *a, enum ipc_role role, uint16_t index)
{
	for (size_t i = 0; i < a->conf.n_known; i++)
		if (role_of(&a->conf.known[i]) == role &&
		    a->conf.known[i].index == index)
			return &a->conf.known[i];
	return NULL;
}

void
auth_db_await(struct auth *a, enum ipc_role role, uint16_t index)
{
	const struct known_users *known = find_known(a, role, index);

	if (known != NULL && db_of(a, known) != NULL)
		db_of(a, known)->has_successor = true;
}

enum err
auth_db_attach(struct auth *a, enum ipc_role role, uint16_t index, int fd)
{
	const struct known_users *known = find_known(a, role, index);
	struct auth_db *db;

	if (known == NULL) {
		close(fd);
		return E_FORMAT;
	}
	if ((db = db_of(a, known)) != NULL && db->has_successor)
		leave_it(db);
	else if (db != NULL) /* it has died, unnoticed */
		db_free(db);
	if ((db = calloc(1, sizeof(*db))) == NULL) {
		close(fd);
		return E_OK;
	}
	db->auth = a;
	db->is = *known;
	db->known = &db->is;
	ev_timer_init(&db->gone, on_let_go, 0., 0.);
	db->gone.data = db;
	TAILQ_INIT(&db->waits);
	fair_init(&db->fair);
	if ((db->chan = ipc_open(a->loop, fd, &rules, db, true)) == NULL)
		free(db);
	else
		a->db[known - a->conf.known] = db;
	return E_OK;
}
