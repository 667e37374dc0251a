/*
 * imap.h - what the kind of delivery is made of: imap.c and imap_append.c.
 */
#ifndef CLIENT_DELIVER_IMAP_H
#define CLIENT_DELIVER_IMAP_H

#include "client/deliver/imap_conn.h"

enum sent {
	SENT_NOT,
	SENT_WAITS,    /* for the answer */
	SENT_IN_DOUBT, /* the line was lost before it */
	SENT_SETTLED,
};

#define NO_GROUP SIZE_MAX

/* A message that is under way, and how far it has come. */
struct sending {
	struct parcel *p;
	enum sent how;
	size_t group; /* WAITS: the number of its command */
	bool alone;   /* it was refused together with others */
};

struct imap {
	struct imap_conn conn;
	const struct destination *at;
	char *mailbox;
	char *flags;          /* of new messages; or NULL */
	uint32_t epoch, next; /* of the mailbox, as of now; 0: not known */
	/* Of all batches that are not settled, in their order. */
	struct sending *v;
	size_t n, room;
	size_t groups;     /* so far */
	size_t writing;    /* whose command is not complete yet; or NO_GROUP */
	unsigned lost;     /* connections, since a batch was settled */
	struct errbuf why; /* the last one was */
	bool given_up;     /* another run may do better */
	struct imap_claims claims;
};

struct slice imap_mailbox(const struct imap *m);

/* Is one of those under way so far? */
bool imap_any_is(const struct imap *m, enum sent how);

/* Sends each message that is SENT_NOT; what is answered meanwhile is settled, or,
 * if it was refused together with others, to be sent again.  An error: the line is
 * no good any more. */
enum err imap_append_rest(struct delivery *d, struct errbuf *eb) NODISCARD;

/* Takes the answers that have come; waits: for one, if there is none, or until
 * conn.hurry.  *go_r is set if the server asks for the octets of a message. */
enum err imap_append_answers(
    struct delivery *d, bool waits, bool *go_r, struct errbuf *eb) NODISCARD;

#endif
