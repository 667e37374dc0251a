/*
 * gmail.h - a mailbox behind Gmail's API: what the files gmail*.c share.
 */
#ifndef CLIENT_DELIVER_GMAIL_H
#define CLIENT_DELIVER_GMAIL_H

#include "client/deliver/api_conn.h"
#include "client/deliver/gmail_answer.h"

struct gmail {
	struct api_conn conn;
	const struct destination *at;
	char *label;             /* its name */
	char label_id[GMAIL_ID]; /* "": not known yet */
	uint64_t history;        /* of the mailbox, as of now; 0: not known */
	bool settled;            /* since something failed: see gmail_find() */
	/* Messages there of which it is known which one of ours they are: another
	 * one with the same octets is another message. */
	struct api_ids claims;
};

/* ---- gmail_ask.c ---- */

/* What is asked of the mailbox. */
struct gmail_question {
	const char *path; /* behind ".../users/USER" */
	bool uploads;     /* to the address for that */
	struct buf query; /* see gmail_question_init() */
	const char *type, *text;
	struct api_upload *upload;
	/* Octets of the answer, and E_FULL if it is longer; 0: API_ANSWER_MAX, and
	 * more is no answer. */
	size_t max;
};

enum { GMAIL_QUERY = 8 * 1024 };

void gmail_question_init(struct gmail_question *q, const char *path);
void gmail_question_free(struct gmail_question *q);

/* E_OK: status 200.  E_DENIED, without words: another one, in *r.  Else as
 * api_ask().  Always api_answer_free(). */
enum err gmail_ask(struct gmail *m, const struct gmail_question *q,
    struct api_answer *a, struct gmail_error *r, struct errbuf *eb) NODISCARD;

/* What it says, in words.  Returns E_DENIED if what was sent is refused, E_AGAIN
 * if it may be over later, else E_CONFIG. */
enum err gmail_refused(
    const struct gmail *m, const struct gmail_error *r, struct errbuf *eb);
/* It answers what is none. */
enum err gmail_not_understood(
    const struct gmail *m, enum err e, struct errbuf *eb);

/* ---- gmail_find.c ---- */

/* See remote_find; fd is of the parcel's file.  What is found is claimed. */
enum err gmail_find(struct gmail *m, const struct parcel *p, int fd,
    enum remote_answer *a_r, struct errbuf *eb) NODISCARD;

#endif
