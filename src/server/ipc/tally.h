/*
 * tally.h - how often what has happened, over all processes.
 *
 * A piece of shared memory that the parent makes: a page of numbers for each
 * process that counts, which alone writes to it while it runs; the one that is
 * started in its place counts on.  A process maps its own page and keeps no
 * descriptor, so whoever has broken into it can write wrong numbers there and
 * nowhere else.  Who reads adds up all pages.  They are never more than numbers:
 * the size is sealed, and nothing is a position.
 *
 * Until a process has its page, and in programs that have none, what is counted is
 * lost.  Threads may count.
 */
#ifndef SERVER_IPC_TALLY_H
#define SERVER_IPC_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/ipc/roles.h"

/* What is counted one by one. */
enum tally {
	TALLY_CONNECTIONS,
	TALLY_TURNED_AWAY,
	TALLY_ENDED, /* of the connections */
	TALLY_SIGNED_IN,
	TALLY_SIGNED_OUT,
	TALLY_OCTETS_IN,
	TALLY_OCTETS_OUT,
	TALLY_RETRIEVED,
	TALLY_LOOKED_INTO, /* by TOP */
	TALLY_REMOVED,
	TALLY_INDEX_REPAIRS,
	TALLY_SCANS, /* of a whole maildrop */
	TALLY_HASHES,
	TALLY_HASH_QUEUE, /* that wait now */
	TALLY_COUNTERS
};

/* How a sign-in ended: one of enum sign_in_code behind the first, or as the
 * password would have gone in clear. */
enum { TALLY_GOOD, TALLY_BAD, TALLY_NO_TLS = 15, TALLY_OUTCOMES };

/* By mechanism; the last one is all others. */
enum { TALLY_MECHANISMS = 16 };

/* How long something took. */
enum tally_time { TALLY_SIGN_IN, TALLY_FIRST_OCTET, TALLY_TIMES };

/* The longest time of each, in milliseconds; behind them are all that took
 * longer, and the sum. */
enum { TALLY_BUCKETS = 12 };
extern const uint32_t tally_bucket_ms[TALLY_BUCKETS];

struct tally_page {
	uint64_t counter[TALLY_COUNTERS];
	uint64_t sign_ins[TALLY_MECHANISMS][TALLY_OUTCOMES];
	uint64_t times[TALLY_TIMES][TALLY_BUCKETS + 2];
	/* The parent's, by role: how many there are now, and how many have died. */
	uint64_t processes[ROLE_END], deaths[ROLE_END];
};

/* The name of a mechanism of the table; NULL: of the last one. */
const char *tally_mechanism(unsigned i);

/* ---- counting ---- */

void tally_add(enum tally what, uint64_t n);
void tally_less(enum tally what, uint64_t n);
void tally_sign_in(const char *mechanism, unsigned outcome);
void tally_took(enum tally_time what, uint64_t ms);
/* For the parent. */
void tally_started(enum ipc_role role);
void tally_ended(enum ipc_role role, bool died);

/* ---- the memory ---- */

/* A process's page. */
enum { TALLY_PARENT, TALLY_AUTH, TALLY_WORKERS };

/* Makes it.  fd_r[0] is for reading and writing, fd_r[1] for reading only; both
 * are the caller's. */
enum err tally_create(unsigned pages, int fd_r[2], struct errbuf *eb) NODISCARD;

/* From now on this process counts there.  What is no such memory is left: nothing
 * depends on it.  fd stays the caller's. */
void tally_use(int fd, unsigned page);

/* All pages, to be read; NULL: it is no such memory of so many pages. */
const void *tally_map(int fd, unsigned pages) NODISCARD;

/* The sum of them. */
void tally_read(struct tally_page *sum, const void *all, unsigned pages);

/* A process that had sessions has died, and they with it: for its page, mapped by
 * tally_map_all(). */
enum err tally_map_all(
    void **all_r, int fd, unsigned pages, struct errbuf *eb) NODISCARD;
void tally_settle(void *all, unsigned page);

#endif
