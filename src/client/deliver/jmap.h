/*
 * jmap.h - a mailbox of a JMAP server: what the files jmap*.c share.
 */
#ifndef CLIENT_DELIVER_JMAP_H
#define CLIENT_DELIVER_JMAP_H

#include <jansson.h>

#include "client/deliver/api_conn.h"
#include "client/deliver/jmap_answer.h"

struct jmap {
	struct api_conn conn;
	const struct destination *at;
	char *domain;
	char *mailbox; /* its path */
	struct jmap_session session;
	bool knows_session;
	char box[JMAP_ID];      /* the mailbox's id; "": not known yet */
	char state[JMAP_STATE]; /* of the account's messages, as of now */
	bool settled;           /* since something failed: see jmap_find() */
	/* Messages there of which it is known which one of ours they are: another
	 * one with the same octets is another message. */
	struct api_ids claims;
};

/* ---- jmap_ask.c ---- */

/* How a request went that was not answered well. */
struct jmap_failure {
	struct jmap_error r;
	bool may_be_done;     /* although nobody has said so */
	bool gave_up;         /* we did not wait any longer */
	unsigned retry_after; /* seconds; 0: nothing was said */
};

/* Fetches the session, if it is not known. */
enum err jmap_open(struct jmap *m, struct errbuf *eb) NODISCARD;

/* Calls one method with these arguments, which it takes over; NULL is "out of
 * memory".  E_OK: there is an answer to be read; E_DENIED, without words: the
 * request has failed as f->r says; else as api_ask().  Always api_answer_free(). */
enum err jmap_call(struct jmap *m, const char *method, json_t *args,
    struct api_answer *a, struct jmap_failure *f, struct errbuf *eb) NODISCARD;

/* After an answer was read with e: words, if they are needed.  Returns E_OK,
 * E_DENIED if the message is refused, E_AGAIN, E_CONFIG, or E_NOENT as it is. */
enum err jmap_result(const struct jmap *m, enum err e,
    const struct jmap_error *r, struct errbuf *eb);

/* ---- jmap_find.c ---- */

/* See remote_find.  What is found is claimed. */
enum err jmap_find(struct jmap *m, const struct parcel *p, int fd,
    enum remote_answer *a_r, struct errbuf *eb) NODISCARD;

#endif
