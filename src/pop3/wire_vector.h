/*
 * wire_vector.h - the inner loops of wire.c by vector instructions.
 *
 * They do what wire.c does octet by octet, for a whole message (RETR), where
 * the processor can.
 */
#ifndef POP3_WIRE_VECTOR_H
#define POP3_WIRE_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the processor has what the others need. */
bool pop3_wire_vector_works(void);

struct pop3_wire_run {
	size_t used, made;
	size_t dots; /* of those made: stuffed ones */
};

/* Converts from the start of a line on, and stops anywhere: when less than a
 * vector is left of the input or of the room. */
struct pop3_wire_run pop3_wire_vector_encode(
    const char *in, size_t n, char *out, size_t room);

/* How many LF have no CR before them; after_cr: before the first octet. */
size_t pop3_wire_vector_bare(const char *in, size_t n, bool after_cr);

#endif
