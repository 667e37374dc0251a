/*
 * failures.h - sign-ins that failed lately, for the admin: who was claimed, from
 * where, how often.  Of as many pairs as there is room for, those that failed
 * longest ago give way.  Nothing is decided by it: penalty.h counts for itself.
 */
#ifndef SERVER_AUTH_FAILURES_H
#define SERVER_AUTH_FAILURES_H

#include "server/auth/facts.h"
#include "server/auth/penalty.h"

struct failures;

struct failures *failures_new(void); /* NULL: memory */
void failures_free(struct failures *f);

struct failure {
	struct suspect who;
	const char *address;
	const char *user;   /* by the rule for names, or as it was given */
	const char *target; /* for whom a master signs in, or "" */
	const char *why;    /* static */
};

void failures_add(
    struct failures *f, const struct failure *what, uint64_t now_ms);

/* Tells of each: the last one is the first row. */
void failures_tell(const struct failures *f, struct facts *to, uint64_t now_ms);

#endif
