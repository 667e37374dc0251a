/*
 * inspection.h - what a look at a maildrop has found, for the admin: messages, or
 * facts.
 *
 * It is filled on a thread and told on the loop.  There is an end to it: the list
 * of a large maildrop is asked for in pieces, and of what is wrong only the first
 * is told, with a number of all.
 */
#ifndef SERVER_STORE_INSPECTION_H
#define SERVER_STORE_INSPECTION_H

#include "base/str.h"
#include "server/ipc/control.h"

enum {
	INSPECTED_MAX = 1024,    /* messages in one piece */
	INSPECTION_ROWS = 100,   /* of what is wrong */
	INSPECTION_FACTS = 1000, /* more are dropped */
};

struct inspection_fact {
	uint16_t row;
	enum fact_kind kind;
	const char *name; /* static */
	uint32_t number;
	char text[512];
};

struct inspection {
	enum inquiry_kind what;
	uint32_t number; /* of the message, or of the first */

	struct control_message *message;
	size_t n, room;
	uint32_t next; /* where the next piece begins; 0: nowhere */

	struct inspection_fact *fact;
	size_t n_facts, facts_room;
	uint16_t rows;
	uint32_t problems; /* rows, and those beyond */
	bool no_memory;
};

void inspection_free(struct inspection *x);

/* Room for the next message, all zeroes; NULL: memory. */
struct control_message *inspection_message(struct inspection *x) NODISCARD;

/* Facts of row 0.  name: static. */
void inspection_text(struct inspection *x, const char *name, struct slice text);
void inspection_words(
    struct inspection *x, const char *name, const char *words);
void inspection_number(struct inspection *x, const char *name, uint64_t n);
void inspection_flag(struct inspection *x, const char *name, bool is_so);

/* A row of what is wrong: with what, and what it is. */
void inspection_problem(
    struct inspection *x, struct slice with, const char *problem);

#endif
