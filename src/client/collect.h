/*
 * collect.h - all accounts at the same time, in one loop.
 *
 * One connection to a maildrop, one run of an account (a lock that ends with the
 * process), and patience with a server that says "later".  The daemon reads its
 * configuration again after SIGHUP: runs that are under way finish as they were
 * begun, and those of the new one begin.
 */
#ifndef CLIENT_COLLECT_H
#define CLIENT_COLLECT_H

#include <stdbool.h>
#include <stddef.h>

#include "client/conf/client_conf.h"
#include "client/report/report.h"

struct chosen;
struct outgoing;

/* The accounts of one reading of the configuration, and who is told of them. */
struct collect_set {
	struct client_conf conf;
	bool *chosen; /* beside conf.v: which of them are meant */
	struct report *report;
};

void collect_set_free(struct collect_set *s); /* NULL is a no-op */

struct collect_options {
	const char *state_dir;
	bool terminal; /* a person can be asked */
	bool accept;   /* what has changed is right */
	bool insist;   /* a sign-in that was refused is tried again */
	bool trace;
	/* Only these are collected, and nothing is deleted; NULL: all. */
	const struct chosen *chosen;
	size_t n_chosen;
	bool changes; /* says what is otherwise than after the last run */
	bool daemon;  /* again and again, each account at its interval */
	/* The daemon's, after SIGHUP: what is to be collected from now on.
	 * NULL: the configuration cannot be used, which has been said. */
	struct collect_set *(*reload)(void *arg);
	/* The daemon's: of a message that waited to be sent. */
	void (*told)(void *arg, const struct outgoing *o);
	void *arg; /* of both */
};

/* Returns when all is done, or after SIGINT or SIGTERM, with the accounts of
 * then in *set: those of before were freed.  *held_r (beside (*set)->conf.v;
 * NULL for a daemon) says which accounts wait for the person to accept a change.
 * E_IO and such: nothing could be begun. */
enum err collect_run(const struct collect_options *o, struct collect_set **set,
    bool *held_r, struct errbuf *eb) NODISCARD;

#endif
