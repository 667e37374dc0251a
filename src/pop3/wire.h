/*
 * wire.h - a stored message as POP3 sends it.  No I/O.
 *
 * Stored lines end with LF or CRLF; on the wire with CRLF, a line that begins
 * with "." gets one more, and "." ends the message (RFC 1939 s3).  One state
 * machine counts and encodes, so that the size announced and the octets sent
 * cannot differ:
 *
 *	LF without a CR before it becomes CRLF; CRLF stays as it is; a CR that
 *	no LF follows is an ordinary octet; a last line without an end gets
 *	one.  All other octets, NUL included, pass unchanged.
 *
 * A line starts after an LF only.  The size does not count stuffed dots nor
 * the final "." line (RFC 1939 s11).
 */
#ifndef POP3_WIRE_H
#define POP3_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POP3_ALL_LINES UINT64_MAX

/* How far a line has come.  A CR may turn out to belong to the line's end, so
 * that a line of nothing but one CR may still be empty. */
enum pop3_wire_at {
	POP3_WIRE_START,
	POP3_WIRE_START_CR,
	POP3_WIRE_INSIDE,
	POP3_WIRE_INSIDE_CR,
};

/* Only TOP has to know the header from the body. */
enum pop3_wire_part { POP3_WIRE_ALL, POP3_WIRE_HEADER, POP3_WIRE_BODY };

struct pop3_wire {
	uint64_t octets; /* so far, as LIST counts them */
	uint64_t lines;  /* of the body that TOP still wants */
	enum pop3_wire_part part;
	enum pop3_wire_at at;
};

/* lines: POP3_ALL_LINES for RETR and for counting, else as in TOP: all of the
 * header, the empty line, and so many lines of the body. */
void pop3_wire_init(struct pop3_wire *w, uint64_t lines);

/* Counts; pop3_wire_size() after the last octet has the size. */
void pop3_wire_count(struct pop3_wire *w, const char *in, size_t n);
uint64_t pop3_wire_size(const struct pop3_wire *w);

struct pop3_wire_step {
	size_t used; /* octets taken from in */
	size_t made; /* octets written to out */
	bool enough; /* TOP wants no more: go on with pop3_wire_end() */
};

/* Converts until the input is used, the output is full, or TOP has enough.
 * Any room from POP3_WIRE_ROOM octets on makes progress. */
enum { POP3_WIRE_ROOM = 4 };
struct pop3_wire_step pop3_wire_encode(
    struct pop3_wire *w, const char *in, size_t n, char *out, size_t room);

/* What ends the message: a missing CRLF, for TOP a missing empty line after
 * the header, and ".CRLF".  Returns how many octets were written. */
enum { POP3_WIRE_END = 7 };
size_t pop3_wire_end(struct pop3_wire *w, char out[POP3_WIRE_END]);

#endif
