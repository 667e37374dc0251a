#include "server/auth/auth_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* The process gives up earlier, if it can. */
enum { PATIENCE = 3 };

struct auth_db {
	struct auth *auth;
	struct ipc_chan *chan;
	uint16_t index;
	uint64_t serial;
	unsigned n_waits;
	TAILQ_HEAD(, db_wait) waits; /* the oldest first */
};

/* Who waited longest is answered first, mostly. */
static struct db_wait *
find(const struct auth_db *db, uint64_t id)
{
	struct db_wait *w;

	TAILQ_FOREACH (w, &db->waits, entry)
		if (w->id == id)
			break;
	return w;
}

static void
end(struct db_wait *w, const struct db_answer *said)
{
	struct auth_db *db = w->db;

	TAILQ_REMOVE(&db->waits, w, entry);
	db->n_waits--;
	ev_timer_stop(db->auth->loop, &w->deadline);
	w->done(w, said);
}

static void
fail(struct db_wait *w, const char *why)
{
	struct db_answer said = { .result = LOOKUP_FAILED };

	snprintf(said.why, sizeof(said.why), "%s", why);
	end(w, &said);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	fail(t->data, "no answer");
}

/* ---- asking ---- */

enum err
auth_db_ask(struct auth *a, const struct known_users *known, struct db_wait *w,
    const char *name)
{
	struct auth_db *db = a->db[known->index];
	enum err e;

	if (db == NULL)
		return E_CLOSED;
	if (db->n_waits >= LOOKUPS_MAX || ipc_is_full(db->chan))
		return E_FULL;
	w->db = db;
	w->id = ++db->serial;
	ipc_begin(db->chan, IPC_LOOKUP);
	ipc_put_u64(db->chan, w->id);
	ipc_put_str(db->chan, name);
	if ((e = ipc_end(db->chan)) != E_OK)
		return e;
	TAILQ_INSERT_TAIL(&db->waits, w, entry);
	db->n_waits++;
	ev_now_update(a->loop);
	ev_timer_init(
	    &w->deadline, on_deadline, known->timeout * PATIENCE + 1, 0.);
	w->deadline.data = w;
	ev_timer_start(a->loop, &w->deadline);
	return E_OK;
}

/* ---- what it says ---- */

static void
get_columns(struct ipc_in *in, struct db_answer *said)
{
	size_t octets = 0;

	said->n = ipc_get_u8_to(in, ROW_COLUMNS_MAX);
	for (size_t i = 0; i < said->n; i++) {
		struct column *c = &said->column[i];

		c->name = ipc_get_slice(in);
		c->value = ipc_get_slice(in);
		octets += c->name.n + c->value.n;
	}
	in->bad = in->bad || octets > ROW_OCTETS_MAX;
}

/* One that was given up may have crossed it. */
static enum err
take_row(void *arg, struct ipc_in *in)
{
	struct auth_db *db = arg;
	struct db_wait *w = find(db, ipc_get_u64(in));
	struct db_answer said;

	said.result = (enum lookup_result)ipc_get_u8_to(in, LOOKUP_RESULTS - 1);
	get_columns(in, &said);
	ipc_get_str(in, said.why, sizeof(said.why));
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	if (w != NULL)
		end(w, &said);
	return E_OK;
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
	struct db_wait *w;

	db->auth->db[db->index] = NULL;
	while ((w = TAILQ_FIRST(&db->waits)) != NULL)
		fail(w, "its process has ended");
	ipc_close(db->chan);
	free(db);
}

static void
on_gone(void *arg, enum err why)
{
	struct auth_db *db = arg;

	role_link_lost(&db->auth->role, ROLE_DB, db->index, why);
	db_free(db);
}

static const struct ipc_rules rules = { rule, sizeof(rule) / sizeof(rule[0]),
	on_gone };

enum err
auth_db_attach(struct auth *a, uint16_t index, int fd)
{
	struct auth_db *db;

	if (index >= KNOWN_USERS_MAX) {
		close(fd);
		return E_FORMAT;
	}
	if (a->db[index] != NULL)
		db_free(a->db[index]);
	if ((db = calloc(1, sizeof(*db))) == NULL) {
		close(fd);
		return E_OK;
	}
	db->auth = a;
	db->index = index;
	TAILQ_INIT(&db->waits);
	if ((db->chan = ipc_open(a->loop, fd, &rules, db, true)) == NULL)
		free(db);
	else
		a->db[index] = db;
	return E_OK;
}
