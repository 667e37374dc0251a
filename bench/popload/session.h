/*
 * session.h - a session of popload: what it says, hears, and how it ends.
 *
 * Does the steps of options.h and counts into totals.h.  A session that has
 * ended begins the next one in its place, as long as there is to be one.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn.h"

enum { CHUNK = 256 * 1024 };

enum reading { READING_GREETING, READING_FIRST_LINE, READING_DATA };

struct session {
	struct conn conn;
	unsigned slot, round; /* which user it is */
	size_t step;
	uint32_t sent;    /* commands of this step */
	uint32_t waiting; /* replies that are to come */
	uint32_t count;   /* messages, after STAT */
	enum reading reading;
	char line[512]; /* the first line so far */
	size_t line_len;
	char carry[4]; /* the last octets of data */
	size_t carry_len;
	uint64_t start; /* microseconds */
};

/* The first session of this slot; s is all zero. */
void session_start(struct session *s, unsigned slot);

/* The connection can be read or written; chunk is memory of CHUNK octets. */
void session_ready(struct session *s, char *chunk);

/* One that holds goes on. */
void session_release(struct session *s);

#endif
