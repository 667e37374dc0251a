/*
 * budget.h - how much is asked for in one session.
 *
 * Some servers end a session after so many commands, octets or minutes, and our
 * own session_timeout does.  What was deleted counts only once QUIT is answered,
 * so such a session has deleted nothing.  Where two were cut at the same point,
 * the next ones are kept below that for a month, and end by QUIT.
 *
 * One cut may have had another reason: a bad message, a network that failed.  Only
 * where a second one had had about as much, it is the server's limit.
 *
 * However low the limit is, each session asks for one message at least.
 */
#ifndef CLIENT_SESSION_BUDGET_H
#define CLIENT_SESSION_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct visit;

struct budget {
	bool limited;
	uint64_t commands; /* that may still be sent: RETR, TOP, DELE */
	uint64_t octets;   /* of messages and headers, likewise */
	uint32_t messages; /* that something was asked for */
	bool used;         /* one of them was, or is not needed */
	uint32_t answered; /* commands, so far */
	uint64_t came;     /* octets, so far */
	uint32_t found;    /* messages that RETR has shown to be here */
	uint32_t later;    /* messages that are left to another session */
	bool met;          /* the session was cut at the server's limit */
};

void budget_begin(struct visit *v);
/* Is so much left, or is it for the first message? */
bool budget_has(const struct visit *v, uint32_t commands, uint64_t octets);
void budget_take(struct visit *v, uint32_t commands, uint64_t octets);
/* So few commands that headers would be all that a session has. */
bool budget_is_tiny(const struct visit *v);
/* The headers that tell what is new may have half of it: each session shall
 * collect something too. */
bool budget_is_half_gone(const struct visit *v);
/* The session was cut: at the same point others are to end. */
void budget_cut(struct visit *v);

#endif
