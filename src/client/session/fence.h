/*
 * fence.h - which answer is whose.
 *
 * POP3 has nothing in an answer that says which command it is for: their order
 * does, and a server that ends a message in its own way, says something twice
 * or leaves it out shifts all that follow.  So a message or a header that has
 * come is held until a fence behind it is answered in step: a command whose
 * answer is known before, and is no other command's.  That is UIDL (else LIST)
 * of the message itself, which is to say again what the listing has said.
 *
 * What is in step at a fence may have been out of it before.  So there is one
 * behind each header, and one for many messages only if their sizes are as
 * listed and tell them apart.
 *
 *	pipelining    fences are sent along: no turn is lost
 *	one by one    a fence is a turn, and waits until it must be
 *	distrust      a server that was out of step once: one by one, a fence
 *	              before the first and behind each, so that what is out of
 *	              step is the fault of one message only
 *
 * What is held when a fence fails is dropped, for another session to ask for.
 */
#ifndef CLIENT_SESSION_FENCE_H
#define CLIENT_SESSION_FENCE_H

#include "client/session/core.h"

/* An answer that has come, but may be another message's. */
struct held {
	enum { HELD_MESSAGE, HELD_HEADER, HELD_ENVELOPE, HELD_REFUSAL } kind;
	size_t item;
	struct parcel *parcel;    /* of a message, complete; else NULL */
	struct identity identity; /* of a header */
	const char *folder;       /* of an envelope: see struct item */
	uint64_t octets;
	bool apart; /* told apart by a fence for it alone */
};

/* False: memory. */
bool fence_new(struct visit *v) NODISCARD;
void fence_free(struct visit *v);

/* ---- asking ---- */

/* Sends a command that is answered with what is known of a message: the last
 * one that was asked for since the last fence, or item i.  False, here and
 * below: the session has failed. */
bool fence_send(struct visit *v, size_t i);
/* Before item i is asked for. */
bool fence_is_due(const struct visit *v, size_t i);
/* What was asked for last is to be answered before anything else is asked
 * for. */
bool fence_is_alone(const struct visit *v);
/* RETR or TOP was sent. */
void fence_asked(struct visit *v, size_t i);
/* Nothing more can be sent now: fences what was. */
bool fence_send_last(struct visit *v);
/* It could not be sent yet. */
bool fence_is_owed(const struct visit *v);

/* ---- what comes ---- */

/* The answer to RETR or TOP begins. */
void fence_coming(struct visit *v, size_t i);
/* Keeps it until a fence is in step. */
void fence_hold(struct visit *v, const struct held *h);
/* True: it was a fence's; fence_told() gives what it told apart, if it was in
 * step. */
bool fence_take(struct visit *v, const struct pop3_event *ev);
/* The next one that was told apart.  To be called until it is false. */
bool fence_told(struct visit *v, struct held *h_r);
/* The message that is coming may have ended in the server's own way, so that
 * what was taken for text of it are the answers behind it. */
bool fence_may_be_behind(const struct visit *v);
/* Looks whether what is coming may have ended; to be called when all that has
 * come was looked at. */
void fence_watch(struct visit *v);

/* ---- the end ---- */

void fence_drop(struct visit *v);
/* How many messages are held, which have come. */
uint32_t fence_n_held(const struct visit *v);
/* The item of what was held last; SIZE_MAX: nothing is. */
size_t fence_last_held(const struct visit *v);
/* The `leave` of steps with fences. */
void fence_leave(struct visit *v, enum step next);

#endif
