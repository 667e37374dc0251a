/*
 * stores.h - the store processes: those of mail_uid in the first mail root, 0 ..
 * n_stores - 1, and one for each owner else: of users that have a uid of their own,
 * and of mail_uid in another mail root.
 */
#ifndef SERVER_AUTH_STORES_H
#define SERVER_AUTH_STORES_H

#include <ev.h>

#include "server/auth/process.h"
#include "server/ipc/login_mark.h"
#include "server/ipc/owner.h"

/* IPC_STORE_IS, IPC_ATTACH (takes fd).  E_FORMAT: the index is not known. */
enum err store_named(
    struct auth *a, uint16_t index, struct owner owner) NODISCARD;
enum err store_attach(struct auth *a, uint16_t index, int fd) NODISCARD;

/* The store for a maildrop of those; of an owner.  NULL: it is not there. */
struct store *store_of_path(const struct auth *a, const char *path);
struct store *store_of_owner(const struct auth *a, struct owner owner);

/* The one that has the account's mail.  NULL: it is not there; one that is not
 * shared can be waited for then. */
struct account;
struct store *store_of_account(const struct auth *a, const struct account *at);
bool store_is_shared(const struct auth *a, const struct account *at);

uint16_t store_index(const struct store *st);

/* Of the caller. */
struct store_wait {
	TAILQ_ENTRY(store_wait) entry;
	ev_timer deadline;
	struct auth *auth;
	struct owner owner;
	/* NULL, and a word for the log: it cannot be had. */
	void (*done)(struct store_wait *w, struct store *st, const char *why);
};

enum { STORE_WAITS_MAX = 1024, STORE_WAIT_MS = 10 * 1000 };

/* Has the parent start the store of that owner; w->done() is called later.
 * E_FULL: too many wait. */
enum err store_wait(
    struct auth *a, struct store_wait *w, struct owner owner) NODISCARD;
void store_wait_cancel(struct store_wait *w);

/* IPC_IDLE: gives the store up, unless a session may be on its way to it.
 * Whoever comes later asks the parent for a store, who has heard of this by
 * then. */
enum err store_idle(struct auth *a, uint16_t index) NODISCARD;

/* IPC_NO_STORE. */
void store_denied(struct auth *a, struct owner owner);

/* IPC_STORES_FULL: has the store go that was given a session longest ago and has
 * none now, and the one of that owner started in its place. */
void stores_full(struct auth *a, struct owner owner);

/* IPC_EXPIRE; a->expired() is called when it has been done, or the store
 * ends. */
enum err store_expire(struct store *st, const char *user, const char *mail,
    uint32_t days) NODISCARD;

/* IPC_OPEN.  *serial_r: what this life of the store is called. */
struct store_opening {
	struct auth_worker *worker;
	uint64_t sid;
	const char *user, *mail, *peer;
	uint8_t bits;         /* SESSION_ */
	uint32_t retention;   /* RETENTION_ */
	uint32_t login_delay; /* seconds, 0: it does not count */
	struct login_mark counted;
};
enum err store_open(struct store *st, const struct store_opening *o,
    uint32_t *serial_r) NODISCARD;

#endif
