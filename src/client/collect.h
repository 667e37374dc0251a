/*
 * collect.h - all accounts at the same time, in one loop.
 *
 * One connection to a maildrop, one run of an account (a lock that ends with the
 * process), and patience with a server that says "later".
 */
#ifndef CLIENT_COLLECT_H
#define CLIENT_COLLECT_H

#include <stdbool.h>
#include <stddef.h>

#include "client/conf/client_conf.h"
#include "client/report/report.h"

struct collect_options {
	const struct client_conf *conf;
	const bool *chosen; /* beside conf->v */
	const char *state_dir;
	struct report *report;
	bool terminal; /* a person can be asked */
	bool accept;   /* what has changed is right */
	bool trace;
	bool daemon; /* again and again, each account at its interval */
};

/* Returns when all is done, or after SIGINT or SIGTERM; *held_r (beside
 * conf->v, may be NULL) says which accounts wait for the person to accept a
 * change.  E_IO and such: nothing could be begun. */
enum err collect_run(
    const struct collect_options *o, bool *held_r, struct errbuf *eb) NODISCARD;

#endif
