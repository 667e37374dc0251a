/*
 * refuse.h - the life of a sign-in, and how it ends without success.
 */
#ifndef SERVER_AUTH_REFUSE_H
#define SERVER_AUTH_REFUSE_H

#include "server/auth/signin_state.h"

/* The service of a worker. */
#define POP3 "pop3"

enum { SIGNINS_MAX = 32 * 1024 }; /* at the same time */

/* NULL: too many, or memory.  peer: an address; method: static. */
struct signin *signin_begin(
    struct auth_worker *w, uint64_t sid, const char *peer, const char *method);

bool signin_is_pop3(const struct signin *s);

/* Secrets are not needed any longer than this. */
void signin_forget_secrets(struct signin *s);

/* store: the serial number of the one that has it now, or 0. */
void signin_finish(struct signin *s, uint32_t store);

/* Nobody waits for the answer any more.  A failure still counts. */
void signin_abandon(struct signin *s);

/* Each is the end, perhaps later.  why: a word for the log, static.  The
 * credentials are wrong; anything else. */
void signin_deny(struct signin *s, const char *why);
void signin_refuse(struct signin *s, enum sign_in_code code, const char *why);

/* The same as signin_deny(), but the client is told first, by then(), after which it
 * may have something to say; signin_denied() ends it. */
void signin_deny_by(
    struct signin *s, const char *why, void (*then)(struct signin *s));
void signin_denied(struct signin *s);

/* Too many wait to be verified, or to be looked up.  It is nobody's failure, but
 * it costs their address time as one would: there the crowd may come from. */
void signin_refuse_crowded(struct signin *s, const char *why);

/* A database left this one without an answer, and others not: the same, and what
 * else of the address waits to be asked there waits for a turn from now on. */
void signin_refuse_late(struct signin *s, const char *why);

#endif
