/*
 * server_line.h - cuts the octets of a client into command lines.  No I/O.
 *
 * A line ends with CRLF; a bare LF is taken too, a bare CR is not
 * (RFC 1939 s3).  A line that is longer than its limit is dropped up to its
 * end and reported once, so that its tail is never taken for a command
 * (RFC 2449 s4).
 */
#ifndef POP3_SERVER_LINE_H
#define POP3_SERVER_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	POP3_LINE_COMMAND = 255, /* octets with CRLF, RFC 2449 s4 */
	/* Longer, for the names and passwords that AUTH takes. */
	POP3_LINE_USER = 255 + 7,
	POP3_LINE_PASS = 1024 + 7,
	POP3_LINE_XCLIENT = 2048,   /* what a proxy forwards has no bound */
	POP3_LINE_DROP = 64 * 1024, /* so much of a long line is read away */
};

enum pop3_line_result {
	POP3_LINE_OK,      /* len octets are the line, its end cut off */
	POP3_LINE_MORE,    /* no end yet */
	POP3_LINE_LONG,    /* its end has come: once for each line too long */
	POP3_LINE_ENDLESS, /* more than POP3_LINE_DROP: give up */
};

struct pop3_line {
	size_t dropped; /* octets of the line that is being dropped, else 0 */
	size_t seen;    /* octets already searched for an end */
};

/* Looks at in[0..n).  *used_r octets are done with once the line has been
 * looked at; with POP3_LINE_MORE they can be dropped at once (0 unless a long
 * line is being dropped).  max counts CRLF. */
enum pop3_line_result pop3_line_next(struct pop3_line *l, const char *in,
    size_t n, size_t max, size_t *len_r, size_t *used_r);

#endif
