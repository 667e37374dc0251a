/*
 * found.h - the users of a sign-in, wherever users are known.
 */
#ifndef SERVER_AUTH_FOUND_H
#define SERVER_AUTH_FOUND_H

#include "server/auth/signin_state.h"

/* Databases are asked for s->user, if there are any.  then() is called when it is
 * known who that is, perhaps before this returns; or the sign-in is over, as
 * nobody can say. */
void signin_look_up(struct signin *s, void (*then)(struct signin *s));

/* Those that need not be asked for that are asked all the same, so that a
 * refusal takes as long as if they had to be. */
void signin_look_up_rest(struct signin *s, void (*then)(struct signin *s));

/* s->user, as the users are now; NULL: there is none. */
const struct user *signin_user(const struct signin *s);

/* Of a user who is_verified_there: is what was typed the password? */
bool signin_is_right(const struct signin *s);

/* Has everybody to whom it was told refused it, and can nobody else accept it? */
bool signin_is_refused(const struct signin *s);

/* Whose mail it is to be was said by a block of settings that hold no more. */
bool signin_is_outdated(const struct signin *s);

/* The name of the database that has s->user; NULL: it is the users file. */
const char *signin_database(const struct signin *s);

/* The same of s->target. */
void signin_look_up_target(struct signin *s, void (*then)(struct signin *s));
const struct user *signin_target(const struct signin *s);

#endif
