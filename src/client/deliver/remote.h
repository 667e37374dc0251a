/*
 * remote.h - a destination elsewhere, which may have taken what it was given
 * although we have not heard so: we were killed, or the line was cut.
 *
 * Before a message is given away, its intent says by what it would be known
 * there:
 *
 *	length, content  its octets as they are there, with CRLF, and their digest
 *	offset           IMAP: a UID that no message of before has;
 *	                 GMAIL: what the history of the mailbox had come to
 *	file             JMAP: the state of its messages, which is a text
 *	epoch            IMAP: the UIDVALIDITY that makes that UID mean something;
 *	                 GMAIL, JMAP: 1; 0: it was not given away
 *
 * and its file stays in the spool until the destination has said yes.  A file
 * that is still there is in doubt, and the destination is asked whether it has
 * that message.  Where that cannot be told the message is given again, and the
 * person is told so: twice is better than not at all.
 *
 * The kind of destination only has to find a message.
 */
#ifndef CLIENT_DELIVER_REMOTE_H
#define CLIENT_DELIVER_REMOTE_H

#include <stdint.h>

#include "client/deliver/kind.h"

enum { REMOTE_ID = 256 };

/* What a message is looked for by, and when it came. */
struct remote_head {
	char message_id
	    [REMOTE_ID]; /* with its brackets; empty: none is usable */
	int64_t arrived; /* Unix seconds; 0: not known */
	bool is_ascii;   /* the header is */
};
void remote_head_read(int fd, struct remote_head *h);

/* Reads a parcel's file and sets length and content.  E_DENIED: it holds what
 * IMAP and its like cannot carry unchanged, in words for people; others: it cannot
 * be read. */
enum err remote_measure(
    struct delivery *d, struct parcel *p, struct errbuf *eb) NODISCARD;

enum remote_answer { REMOTE_HAS, REMOTE_HAS_NOT, REMOTE_CANNOT_TELL };

/* Asks the destination.  An error: it cannot be asked now. */
typedef enum err remote_find(struct delivery *d, const struct parcel *p,
    enum remote_answer *a_r, struct errbuf *eb);

/* One in doubt.  *stored_r: it is there; else it is to be given again, and that is
 * counted if it might be there (delivery_untold()). */
enum err remote_resolve(struct delivery *d, const struct parcel *p,
    remote_find *find, bool *stored_r, struct errbuf *eb) NODISCARD;

/* One that is there, though nobody knows which it is: of those from its offset on
 * with its octets one is its own, and is never taken for another message.
 * remote_recover() notes those of earlier runs. */
enum err remote_own(
    struct delivery *d, const struct parcel *p, struct errbuf *eb) NODISCARD;
/* Has one with these octets been noted, so that only another offset tells them
 * apart after a kill?  Also true when so many were noted that it is time for one. */
bool remote_is_owned(const struct delivery *d, const struct parcel *p);
/* All that come have another offset. */
void remote_own_no_more(struct delivery *d);

/* For a kind's recover(). */
enum err remote_recover(struct delivery *d, const struct parcel *intent,
    bool young, remote_find *find, bool *stored_r, struct errbuf *eb) NODISCARD;

/* Nobody knows whether it is there: the next run asks. */
void remote_leave_in_doubt(struct parcel *p, const char *why);

/* n octets with LF made into out, of 2 n octets, with CRLF; returns how many. */
size_t remote_crlf(char *out, const char *in, size_t n);

#endif
