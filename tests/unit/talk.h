/*
 * talk.h - the client's machine and what came of it, for tests.
 *
 * Octets of a server go in, in any portions; what the client says comes out in
 * `out`, its events in `log`, one a line, the data of a message in one piece:
 *
 *	RETR 1 ok the text
 *	RETR 1 data A: b
 *
 *	RETR 1 end 8
 *	DELE 1 err 4 the text behind the code
 *	broken why
 *
 * What must hold for every event is asserted.
 */
#ifndef TESTS_TALK_H
#define TESTS_TALK_H

#include "base/buf.h"
#include "pop3/client.h"

struct talk {
	struct pop3_client client;
	struct buf in, out, log;
	const char *response[2]; /* to challenges, in turns; NULL: cancels */
	unsigned challenges;
	bool probes;  /* UIDL n, where a message may have ended; believed if it
	               * is answered in form */
	bool in_data; /* the log ends with data */
	bool inside;  /* OK has come, END has not */
	bool broken;
};

/* in_max: octets that the input bears; 0: POP3_REPLY_MAX. */
void talk_init(struct talk *t, size_t in_max);
void talk_clear(struct talk *t);

void talk_feed(struct talk *t, const char *p, size_t n);

/* All of the log so far with a NUL; borrowed until the next feed. */
const char *talk_log(struct talk *t);

#endif
