/*
 * facts.h - what auth tells the admin, in answer to IPC_ASK.
 *
 * A new fact is one call: malotectl shows whatever it is told, in that order.
 */
#ifndef SERVER_AUTH_FACTS_H
#define SERVER_AUTH_FACTS_H

#include "server/auth/process.h"
#include "server/ipc/control.h"

struct facts {
	const struct auth *auth;
	uint64_t token; /* of the question */
	uint16_t row;   /* that is told about; 0: what was asked about */
};

/* name: short, static.  What is too long is cut. */
void fact_text(const struct facts *f, const char *name, const char *text);
void fact_number(const struct facts *f, const char *name, uint32_t number);
void fact_flag(const struct facts *f, const char *name, bool flag);

/* The end.  words: see struct control_done. */
void facts_end(
    const struct facts *f, enum control_outcome outcome, const char *words);

#endif
