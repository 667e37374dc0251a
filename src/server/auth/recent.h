/*
 * recent.h - who signed in from where, when, and with which password.
 *
 * Who did within a day, and has not tried another password since, need not pay
 * for the failures of others behind the same address, and goes first where
 * there is a queue.  Who ever did, within a month, need not pay for what others
 * try with their name elsewhere.  The table is bounded; in a set of it the
 * oldest gives way.  It holds keyed digests only; what it says opens nothing by
 * itself: the password is verified in any case.
 */
#ifndef SERVER_AUTH_RECENT_H
#define SERVER_AUTH_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { RECENT_MS = 24 * 3600 * 1000 };
#define RECENT_CAME_MS (30 * (uint64_t)RECENT_MS)

struct recent;

struct recent *recent_new(void); /* NULL: memory */
void recent_free(struct recent *r);

/* A user from an address, as a number; user: by the rule for names. */
uint64_t recent_who(const struct recent *r, uint64_t origin, const char *user);

void recent_add(
    struct recent *r, uint64_t who, struct slice secret, uint64_t now_ms);
/* Within a day, with the password that was tried last from there. */
bool recent_has(const struct recent *r, uint64_t who, uint64_t now_ms);
/* Within a month, whatever was tried from there since. */
bool recent_came(const struct recent *r, uint64_t who, uint64_t now_ms);

/* Was it with this password?  If not recent_has() is false from now on, so that
 * nobody can ask for one password after the other. */
bool recent_confirms(
    struct recent *r, uint64_t who, struct slice secret, uint64_t now_ms);
/* Another password has come from there. */
void recent_doubt(struct recent *r, uint64_t who);

#endif
