/*
 * look.h - when a sign-in is looked at, and what comes of a verdict.
 */
#ifndef SERVER_AUTH_LOOK_H
#define SERVER_AUTH_LOOK_H

#include "server/auth/signin_state.h"

/* Whom the client claims to be.  False: it is no name, and the sign-in is
 * over. */
bool signin_name(struct signin *s, struct slice name);

/* The same of what was typed as a name: where there may be masters it may be
 * "target*master". */
bool signin_login(struct signin *s, struct slice typed);

/* Of a mechanism that has one: whose mail the client, who claims to be s->user,
 * wants; empty: that user's.  False: nobody may sign in for another, or it is no
 * name. */
bool signin_act_for(struct signin *s, struct slice authzid);

/* It is refused without a look at the users, but in its turn (turn.h): what failed
 * at once would have all that wait there begin anew, as often as somebody likes. */
void signin_deny_unseen(struct signin *s, const char *why);

/* s->user as the file is now; s->generation, s->known and s->why say what was
 * found.  NULL: there is none, it is locked, or not allowed where the client
 * is, or who is no master wants another's mail: nothing can be right.  So who
 * guesses from elsewhere does not even learn which password is right. */
const struct user *signin_find(struct signin *s);

/* s->job, whose work and done() are set, is given to the hashing threads; or
 * the sign-in is over, as there is no room. */
void signin_hash(struct signin *s);

/* s->decide() is called when it is s's turn (turn.h) and the users are current as
 * far as we can see. */
void signin_look(struct signin *s);

/* What was found may be of users who are no more, as it took time: s->decide() is
 * called when they are current as far as we can see. */
void signin_look_again(struct signin *s);

/* The parent is asked whether the users are current; s->decide() is called only
 * if they had changed, else the credentials are refused, for s->why. */
void signin_check_users(struct signin *s);

/* What came out, for the user as the file has it now: E_OK, E_NOMEM, or that it
 * is wrong.  Before it is a refusal the parent is asked. */
void signin_judge(struct signin *s, enum err e);

#endif
