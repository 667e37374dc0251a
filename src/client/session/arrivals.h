/*
 * arrivals.h - who has sent what has come, for a notice on the desktop.
 */
#ifndef CLIENT_SESSION_ARRIVALS_H
#define CLIENT_SESSION_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct visit;

enum { ARRIVALS_MAX = 4 }; /* more are not told of one by one */

/* The first ones that were stored; decoded, and not safe to be shown. */
struct arrivals {
	unsigned n;
	struct {
		char from[160], subject[200];
	} v[ARRIVALS_MAX];
};

/* Adds those of another session. */
void arrivals_join(struct arrivals *to, const struct arrivals *more);

/* Does nothing where nobody is to be notified.  False: memory. */
bool arrivals_new(struct visit *v) NODISCARD;
void arrivals_free(struct visit *v);

/* A message comes. */
void arrivals_begin(struct visit *v);
void arrivals_add(struct visit *v, struct slice data);
/* It has come, as item i; one of those that have is stored. */
void arrivals_end(struct visit *v, size_t i);
void arrivals_stored(struct visit *v, size_t i);

#endif
