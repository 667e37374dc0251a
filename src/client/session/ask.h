/*
 * ask.h - RETR: what is asked for, as the plan has it.
 */
#ifndef CLIENT_SESSION_ASK_H
#define CLIENT_SESSION_ASK_H

#include "client/session/core.h"

/* What is wanted, by the plan: to be called once. */
void ask_decide(struct visit *v);
/* Is what is collected now deleted in this session? */
bool ask_deletes_now(const struct visit *v);
/* May one more command be sent that asks for so many octets? */
bool ask_has_room(const struct visit *v, uint64_t octets);
/* Is there space for so many octets more?  False: that has failed the session,
 * which may go on with others. */
bool ask_has_space(struct visit *v, uint64_t octets);
/* QUIT was sent behind the last RETR: goes on as soon as nothing but its answer
 * is awaited.  To be called whenever something was answered. */
void ask_quits(struct visit *v);

/* Octets that are to be expected of what is asked for of a message. */
uint64_t ask_size(const struct visit *v, size_t i);

#endif
