/*
 * imap_client.h - the client's end of IMAP, without I/O: commands go out with a tag
 * each, and what comes is said to be the answer to which.
 *
 * It knows the commands by which mail is put into a mailbox and found there
 * again, and no others.  Commands may be sent before earlier ones are answered;
 * servers carry them out in their order (RFC 3501 s5.5), but may answer in
 * another one.
 */
#ifndef IMAP_IMAP_CLIENT_H
#define IMAP_IMAP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "imap/capability.h"
#include "imap/response.h"

enum {
	IMAP_PENDING_MAX = 256,    /* commands that are not answered yet */
	IMAP_LITERAL_MINUS = 4096, /* RFC 7888 s5 */
};

enum imap_command {
	IMAP_CAPABILITY,
	IMAP_STARTTLS,
	IMAP_AUTHENTICATE,
	IMAP_LOGIN,
	IMAP_ENABLE,
	IMAP_STATUS,
	IMAP_CREATE,
	IMAP_EXAMINE,
	IMAP_APPEND,
	IMAP_SEARCH,
	IMAP_FETCH,
	IMAP_LIST,
	IMAP_LOGOUT,
};

struct imap_pending {
	uint32_t tag;
	enum imap_command command;
	size_t item; /* the caller's */
	bool waits;  /* for a continuation */
};

struct imap_client {
	struct imap_capability capability;
	bool greeted;
	bool utf8; /* UTF8=ACCEPT is on */

	/* The rest is the module's own. */
	uint32_t tag; /* the last one */
	struct imap_pending pending[IMAP_PENDING_MAX];
	size_t n_pending;
	size_t used; /* octets of the event before */
};

enum imap_event_type {
	IMAP_EV_MORE,     /* octets are needed */
	IMAP_EV_GREETING, /* OK, PREAUTH or BYE */
	IMAP_EV_GO,       /* the rest of `command` may be sent */
	IMAP_EV_DATA,     /* untagged, not CAPABILITY */
	IMAP_EV_BYE,      /* the server ends the connection */
	IMAP_EV_DONE,     /* `command` is over */
	IMAP_EV_BROKEN,   /* it is no IMAP, or out of step; `why` */
};

struct imap_event {
	enum imap_event_type type;
	enum imap_command command;     /* GO, DONE */
	size_t item;                   /* DONE: as it was given */
	struct imap_response response; /* borrowed from `in` until the next */
	const char *why;               /* BROKEN: translated */
};

void imap_client_init(struct imap_client *c);

/* Takes the next thing that `in` holds; what it says is dropped from there by the
 * next call.  After BROKEN and BYE there is nothing more to come. */
void imap_client_run(
    struct imap_client *c, struct buf *in, struct imap_event *ev);

/* TLS begins: what was said in the clear is forgotten.  E_FORMAT: octets lie
 * behind the answer to STARTTLS, which somebody else may have put there. */
enum err imap_client_secured(struct imap_client *c, struct buf *in) NODISCARD;
/* Signed in: what the server can do is another thing now, unless the answer has
 * said it. */
void imap_client_signed_in(
    struct imap_client *c, const struct imap_response *answer);

/* ---- commands ---- */

/* All append to `out`.  E_FULL: it does not fit, or too many commands are not
 * answered yet; E_FORMAT: a text cannot be sent so. */

/* One without arguments: CAPABILITY, STARTTLS, LOGOUT. */
enum err imap_client_plain(struct imap_client *c, struct buf *out,
    enum imap_command command) NODISCARD;
/* initial: the mechanism's first message, if it has one and SASL-IR was offered;
 * else NULL. */
enum err imap_client_authenticate(struct imap_client *c, struct buf *out,
    const char *mechanism, const struct slice *initial) NODISCARD;
/* After IMAP_EV_GO of AUTHENTICATE; p NULL: it is given up. */
enum err imap_client_answer(
    struct imap_client *c, struct buf *out, struct slice answer) NODISCARD;
/* E_FORMAT also for what is not ASCII. */
enum err imap_client_login(struct imap_client *c, struct buf *out,
    struct slice user, struct slice password) NODISCARD;
enum err imap_client_enable_utf8(
    struct imap_client *c, struct buf *out) NODISCARD;
/* STATUS, CREATE or EXAMINE of a mailbox, in UTF-8. */
enum err imap_client_mailbox(struct imap_client *c, struct buf *out,
    enum imap_command command, struct slice mailbox) NODISCARD;
/* The same with a name as LIST has said it. */
enum err imap_client_examine_listed(
    struct imap_client *c, struct buf *out, struct slice name) NODISCARD;
enum err imap_client_list(struct imap_client *c, struct buf *out) NODISCARD;
/* UID SEARCH with these keys. */
enum err imap_client_search(
    struct imap_client *c, struct buf *out, const char *keys) NODISCARD;
/* UID FETCH of these UIDs. */
enum err imap_client_fetch(struct imap_client *c, struct buf *out,
    const char *uids, const char *items) NODISCARD;

struct imap_append {
	struct slice mailbox; /* UTF-8 */
	const char *flags;    /* "\Flagged $Label"; or NULL */
	int64_t date;         /* Unix seconds; 0: the server's own */
	uint64_t octets;      /* that follow */
	bool is_utf8;         /* its header is not ASCII */
};
/* Must the server ask for a message's octets before they are sent? */
bool imap_client_append_waits(
    const struct imap_client *c, const struct imap_append *a);
/* Begins APPEND with one message.  Its octets follow; if it waits, only after
 * IMAP_EV_GO, and no other command before that.  Then imap_client_append_more()
 * with others that do not wait (MULTIAPPEND: all of them are stored or none is),
 * last imap_client_append_end(). */
enum err imap_client_append(struct imap_client *c, struct buf *out,
    const struct imap_append *a, size_t item) NODISCARD;
/* after: the message whose octets were the last. */
enum err imap_client_append_more(struct imap_client *c, struct buf *out,
    const struct imap_append *after, const struct imap_append *a) NODISCARD;
enum err imap_client_append_end(struct imap_client *c, struct buf *out,
    const struct imap_append *after) NODISCARD;

#endif
