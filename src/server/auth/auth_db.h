/*
 * auth_db.h - the processes that ask databases, as auth sees them: a channel to
 * each, and who waits for its answer.
 *
 * One that verifies passwords is asked as many questions at a time as it has
 * room for, in the order of fair.h.  The others wait here, with what was typed.
 */
#ifndef SERVER_AUTH_AUTH_DB_H
#define SERVER_AUTH_AUTH_DB_H

#include <ev.h>

#include "server/auth/fair.h"
#include "server/auth/process.h"
#include "server/users/row.h"

/* Borrowed while done() runs. */
struct db_answer {
	enum lookup_result result;
	struct column column[ROW_COLUMNS_MAX];
	size_t n;
	uint32_t took; /* milliseconds since it was asked */
	/* No answer came in time, though there were some to others meanwhile. */
	bool is_load;
	char why[256];
};

/* What is asked; borrowed until done(). */
struct db_question {
	const char *name;
	/* What was typed, for one that verifies, or NULL: who is that? */
	const char *password;
	const char *peer; /* where it was */
};

/* Of the caller, who keeps it in place until done(). */
struct db_wait {
	struct db_question question;
	struct fair_entry whose;
	/* That the process has died, or says nothing, is LOOKUP_FAILED. */
	void (*done)(struct db_wait *w, const struct db_answer *said);

	/* The rest is the module's own. */
	struct auth_db *db;
	uint64_t id, asked;
	bool is_waiting; /* to be asked */
	ev_timer deadline;
	TAILQ_ENTRY(db_wait) entry;
};

/* Does it verify passwords, and give none away? */
bool auth_db_verifies(const struct known_users *known);

/* A process of that role and index has come; takes fd.  E_FORMAT: there can be
 * none. */
enum err auth_db_attach(
    struct auth *a, enum ipc_role role, uint16_t index, int fd) NODISCARD;

/* Another one will come to that place, and the one that is there still
 * answers. */
void auth_db_await(struct auth *a, enum ipc_role role, uint16_t index);

/* The settings become next: who has a place there keeps it. */
void auth_db_rearrange(struct auth *a, const struct auth_conf *next);

/* Of what a wait is an answer of; until done() has returned. */
const struct known_users *auth_db_asked(const struct db_wait *w);

/* w->done() is called once, later.  E_CLOSED: the process is not there; E_FULL:
 * too many wait for it. */
enum err auth_db_ask(struct auth *a, const struct known_users *known,
    struct db_wait *w) NODISCARD;

/* True if it was still waiting to be asked: done() is not called. */
bool auth_db_cancel(struct db_wait *w);

/* How long it takes, in milliseconds, to refuse a password: the most, of
 * lately. */
uint32_t auth_db_refusal(const struct auth *a, const struct known_users *known);

#endif
