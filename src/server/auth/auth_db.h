/*
 * auth_db.h - the processes that ask databases, as auth sees them: a channel to
 * each, and who waits for its answer.
 */
#ifndef SERVER_AUTH_AUTH_DB_H
#define SERVER_AUTH_AUTH_DB_H

#include <ev.h>

#include "server/auth/process.h"
#include "server/users/row.h"

/* Borrowed while done() runs. */
struct db_answer {
	enum lookup_result result;
	struct column column[ROW_COLUMNS_MAX];
	size_t n;
	char why[256];
};

/* Of the caller, who keeps it in place until done(). */
struct db_wait {
	/* That the process has died, or says nothing, is LOOKUP_FAILED. */
	void (*done)(struct db_wait *w, const struct db_answer *said);

	/* The rest is the module's own. */
	struct auth_db *db;
	uint64_t id;
	ev_timer deadline;
	TAILQ_ENTRY(db_wait) entry;
};

/* The process of that index has come; takes fd.  E_FORMAT: there can be none. */
enum err auth_db_attach(struct auth *a, uint16_t index, int fd) NODISCARD;

/* What is known of that name there?  w->done() is called once, later.  E_CLOSED:
 * the process is not there; E_FULL: too many wait for it. */
enum err auth_db_ask(struct auth *a, const struct known_users *known,
    struct db_wait *w, const char *name) NODISCARD;

#endif
