/*
 * unstuff.h - a message as POP3 sends it, made into what is stored.  No I/O.
 *
 * Lines lose a leading ".", "." alone ends the message, CRLF becomes LF.  All
 * else is kept as it came: NUL, octets over 127, a CR that no LF follows, lines
 * of any length (RFC 1939 s3).  A server that ends its first line with a bare
 * LF may end all of them so; otherwise only CRLF "." CRLF is the end.
 *
 * A line of one "." with a bare LF before or behind it may be text, or what a
 * careless server ends with.  What follows is text if anything does; while
 * nothing does, the line is left in the input, for the caller to find out.
 */
#ifndef POP3_UNSTUFF_H
#define POP3_UNSTUFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pop3_unstuff {
	uint64_t octets; /* so far as LIST counts them: no stuffing, no end */
	bool inside; /* the rest is the module's own: not at a line's start */
	bool bare_lf, first_line_seen, after_bare_lf;
	bool odd_dot; /* to be read: such a line has come, and text behind it */
};

void pop3_unstuff_init(struct pop3_unstuff *u);

struct pop3_unstuff_step {
	size_t used; /* octets taken from in */
	size_t made; /* octets written to out */
	bool ended;  /* the final "." line was among those used */
	size_t odd; /* octets of a line of one "." that may be the end, of which
	              * nothing is used: all that is left; else 0 */
};

/* Converts until the input is used, the output is full or the end has come.
 * Up to three octets at the end of the input, a CR or a line's first "." perhaps
 * with its end, are left until it is known what follows: they must come again in
 * front of the next ones.  `out` may be `in`: no octet is written before it was
 * read. */
struct pop3_unstuff_step pop3_unstuff(
    struct pop3_unstuff *u, const char *in, size_t n, char *out, size_t room);

#endif
