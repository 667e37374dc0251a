/*
 * recent.h - who signed in from where lately, and with which password.
 *
 * Such a user's mail program need not pay for the failures of others behind the
 * same address, and goes first where there is a queue.  The table is bounded;
 * in a set of it the oldest gives way.  It holds keyed digests only; what it
 * says opens nothing by itself: the password is verified in any case.
 */
#ifndef SERVER_AUTH_RECENT_H
#define SERVER_AUTH_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { RECENT_MS = 24 * 3600 * 1000 };

struct recent;

struct recent *recent_new(void); /* NULL: memory */
void recent_free(struct recent *r);

/* A user from an address, as a number; user: by the rule for names. */
uint64_t recent_who(const struct recent *r, uint64_t origin, const char *user);

void recent_add(
    struct recent *r, uint64_t who, struct slice secret, uint64_t now_ms);
bool recent_has(const struct recent *r, uint64_t who, uint64_t now_ms);

/* Was it with this password?  If not they are forgotten, so that nobody can ask
 * for one password after the other. */
bool recent_confirms(
    struct recent *r, uint64_t who, struct slice secret, uint64_t now_ms);
void recent_forget(struct recent *r, uint64_t who);

#endif
