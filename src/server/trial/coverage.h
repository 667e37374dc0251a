/*
 * coverage.h - which users could not sign in by which of the mechanisms that the
 * settings offer, as their stored passwords do not serve for it.
 */
#ifndef SERVER_TRIAL_COVERAGE_H
#define SERVER_TRIAL_COVERAGE_H

#include "server/conf/conf.h"

enum { COVERAGE_ROWS = 4, COVERAGE_NAMES = 3 };

struct coverage {
	unsigned users;
	unsigned lacking[COVERAGE_ROWS];
	/* The first of them; borrowed from the users. */
	const char *name[COVERAGE_ROWS][COVERAGE_NAMES];
};

/* *c was all zeroes.  hash: one that somebody can sign in with. */
void coverage_add(struct coverage *c, const char *user, const char *hash);

/* One warning for each mechanism that is not for everybody, and for each that
 * upgrade_scheme takes away. */
void coverage_tell(const struct coverage *c, const struct conf *conf,
    const struct conf_text *text);

#endif
