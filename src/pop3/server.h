/*
 * server.h - the server's side of a POP3 session.  No I/O, no clock.
 *
 * Octets of the client go in, replies come out, and what needs the world is
 * asked for: pop3_server_run() takes commands until it wants something, the
 * caller provides that and answers with the function named beside it, and
 * calls run again.  Commands that a client sent ahead (PIPELINING, RFC 2449
 * s6.6) wait in the input meanwhile.
 *
 * Knows: commands, states, replies, capabilities, languages, marks.  Does not
 * know: sockets, TLS, users, files, mechanisms' insides.
 * RFC 1939, 2449, 2595 s4, 3206, 5034, 6856.
 */
#ifndef POP3_SERVER_H
#define POP3_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "pop3/retention.h"
#include "pop3/server_envelope.h"
#include "pop3/server_language.h"
#include "pop3/server_line.h"
#include "pop3/server_text.h"

enum pop3_state {
	POP3_AUTHORIZATION = 1,
	POP3_TRANSACTION = 2,
	POP3_UPDATE = 4,
};

/* A SASL mechanism as far as the protocol must know it. */
struct pop3_mechanism {
	const char *name;  /* upper case */
	bool withheld;     /* it cannot be served now; this may change */
	bool plaintext;    /* only where a plain password is allowed */
	bool server_first; /* takes no initial response */
	bool binds;        /* to the channel, which both ends must know */
	bool certificate;  /* the client's says who it is */
};

struct pop3_server;

/* Sees every line of the client, secrets masked, and of every reply the first
 * line. */
typedef void pop3_trace(
    const struct pop3_server *s, bool reply, struct slice line);

/* What a listener offers; shared by its sessions, which borrow it. */
struct pop3_policy {
	const char *host;           /* for the greeting and APOP's timestamp */
	const char *implementation; /* IMPLEMENTATION after login; NULL: none */
	const struct pop3_mechanism *mechanisms;
	size_t n_mechanisms;
	const struct pop3_languages *languages; /* NULL: English only */
	size_t sasl_max;  /* octets of one decoded response, at most */
	unsigned bad_max; /* bad commands before login, then close; 0: any */
	unsigned failures_max; /* failed sign-ins, then close; 0: any */
	/* EXPIRE before it is known who signs in (RETENTION_): the shortest of any
	 * user, and whether somebody's is longer.  These may change. */
	uint32_t retention;
	bool retention_differs;
	/* LOGIN-DELAY: the most seconds of any user, 0: there is none; and whether
	 * somebody has less.  These may change. */
	uint32_t login_delay;
	bool login_delay_differs;
	bool plain_passwords; /* without TLS, too */
	bool one_sign_in;     /* when one is refused, close */
	bool stls;            /* a certificate is there */
	bool apop;            /* may change: a session stays as it began */
	bool sdps;            /* *ENV is known */
	/* Hears of sign-ins that are refused as they are not within TLS.  name:
	 * whose, or empty; NULL: nobody does. */
	void (*needs_tls)(
	    const struct pop3_server *s, const char *method, struct slice name);
	pop3_trace *trace; /* of a session that begins; or NULL */
};

enum pop3_want {
	POP3_WANT_INPUT,   /* read more */
	POP3_WANT_FLUSH,   /* output is at its mark: send, then go on */
	POP3_WANT_TLS,     /* send the output, then the handshake, then
	                * pop3_server_tls() */
	POP3_WANT_PASS,    /* sign in with request.name and .secret */
	POP3_WANT_APOP,    /* the same; .secret is the digest (16 octets) */
	POP3_WANT_SASL,    /* begin request.mechanism, maybe with .secret */
	POP3_WANT_STEP,    /* next message of the mechanism: request.secret */
	POP3_WANT_CANCEL,  /* the client gave up; tell, nothing to answer */
	POP3_WANT_XCLIENT, /* request.secret is what a proxy says of its client:
	                    * pop3_server_proxied() */
	POP3_WANT_ENTRY,   /* look up request.msgno: pop3_server_entry() */
	POP3_WANT_LISTING, /* LIST or UIDL of everything not marked: append
	                    * pop3_server_listing_begin(), the lines, then
	                    * pop3_server_listing_end() */
	POP3_WANT_MESSAGE, /* RETR or TOP: pop3_server_message_begin(), the
	                    * encoded message, pop3_server_message_end().
	                    * *ENV: pop3_server_envelope() */
	POP3_WANT_UPDATE,  /* remove what is marked: pop3_server_updated() */
	POP3_WANT_CLOSE,   /* send the output and close */
};

/* What is wanted.  Slices are borrowed from the input until the next run. */
struct pop3_request {
	const struct pop3_mechanism *mechanism;
	struct slice name;
	struct slice secret;
	bool has_secret; /* an initial response was given (perhaps empty) */
	bool uidl;       /* LISTING: unique-ids, not sizes */
	bool top;        /* MESSAGE: by TOP */
	bool envelope;   /* MESSAGE: only its envelope, by *ENV */
	uint32_t msgno;
	uint64_t lines; /* for pop3_wire_init() */
};

struct pop3_verb; /* a row of the command table */

struct pop3_server {
	struct pop3_request request;

	/* To be read by the caller. */
	enum pop3_state state;
	const char *why; /* with POP3_WANT_CLOSE: "quit", "bad-commands" ... */
	uint32_t n_commands, n_retr, n_top;
	uint32_t count, marked; /* messages, and how many of them are marked */
	/* How many more go at QUIT because they were retrieved: EXPIRE 0. */
	uint32_t taken;

	/* To be set by the caller: after the handshake, what is known of the
	 * connection; before the greeting, that the client is a proxy, which may
	 * say XCLIENT; before pop3_server_opened(), that DELE is refused. */
	bool bindable, certified, xclient, read_only;
	uint32_t retention;   /* the same: EXPIRE of this maildrop */
	uint32_t login_delay; /* the same: LOGIN-DELAY of this user */
	pop3_trace *trace;    /* at any time; NULL: nobody looks */

	/* The rest is the module's own. */
	const struct pop3_policy *policy;
	struct pop3_line line;
	enum pop3_want wanted;
	const struct pop3_verb *verb;         /* of the last command */
	const struct pop3_language *language; /* of the replies */
	char *name;                           /* after USER */
	uint8_t *marks, *takes;
	uint64_t octets, marked_octets;
	uint64_t apop_salt[2];
	size_t consume; /* octets of input that the request borrows */
	unsigned bad, failures;
	bool tls, stls_done;
	bool utf8;  /* the client takes UTF-8 in headers, from RFC 6856 on */
	bool apop;  /* its timestamp was in the greeting */
	bool first; /* no line has come yet */
	bool in_sasl;
};

/* tls: the connection began with TLS.  salt: never the same twice, for APOP's
 * timestamp (ignored unless policy->apop is true now).  No memory is taken. */
void pop3_server_init(struct pop3_server *s, const struct pop3_policy *policy,
    bool tls, const uint64_t salt[2]);
void pop3_server_clear(struct pop3_server *s);

/* APOP's timestamp with its brackets and a NUL, and its length; 0 if APOP is
 * not offered.  The greeting shows the same. */
enum { POP3_TIMESTAMP = 300 }; /* octets that are always enough */
size_t pop3_server_timestamp(
    const struct pop3_server *s, char *out, size_t size);

/* Replies that do not fit into `out` for want of memory end in
 * POP3_WANT_CLOSE, here and below. */
void pop3_server_greet(struct pop3_server *s, struct buf *out);

/* Before the greeting: somebody else has secured the line to the client.  It is
 * as within TLS, but there is nothing that could be bound to. */
void pop3_server_secure(struct pop3_server *s);

/* One line for a client that cannot be served: no session follows. */
void pop3_server_turn_away(struct buf *out, enum pop3_text t);

/* Takes commands from `in` and appends replies to `out`, which should bear
 * at least 1 KiB beyond `mark` octets.  `in` should bear a whole line of SASL,
 * B64_ENCODED(policy->sasl_max) + 28 octets; a shorter one shortens the lines
 * that are taken.  While an answer is awaited the same want is returned. */
enum pop3_want pop3_server_run(
    struct pop3_server *s, struct buf *in, struct buf *out, size_t mark);

/* After WANT_TLS: the handshake is done.  What was said before is forgotten.
 * The caller must have closed instead if `in` held anything. */
void pop3_server_tls(struct pop3_server *s);

/* After WANT_XCLIENT: with another greeting all begins anew, and no second one is
 * taken; or it made no sense. */
void pop3_server_proxied(struct pop3_server *s, struct buf *out, bool good);

/* Answers to WANT_PASS, APOP, SASL, STEP. */
void pop3_server_challenge(
    struct pop3_server *s, struct buf *out, const void *data, size_t n);
void pop3_server_opened(
    struct pop3_server *s, struct buf *out, uint32_t count, uint64_t octets);
/* A text with POP3_CODE_AUTH counts as a failed sign-in, one without a code
 * as a bad command.  arg: as of pop3_text_write(). */
void pop3_server_refused(struct pop3_server *s, struct buf *out,
    enum pop3_text t, const struct pop3_arg *arg);

/* Answers WANT_ENTRY.  uid is looked at only if request.uidl. */
void pop3_server_entry(
    struct pop3_server *s, struct buf *out, uint64_t octets, struct slice uid);

/* Answers WANT_ENTRY, LISTING or MESSAGE when it cannot be had. */
void pop3_server_failed(
    struct pop3_server *s, struct buf *out, enum pop3_text t);

/* WANT_LISTING: the first line; and ".CRLF". */
void pop3_server_listing_begin(struct pop3_server *s, struct buf *out);
void pop3_server_listing_end(struct pop3_server *s, struct buf *out);

/* WANT_MESSAGE: "+OK n octets"; afterwards, when pop3_wire_end() was sent.
 * whole: it had as many octets as were said. */
void pop3_server_message_begin(
    struct pop3_server *s, struct buf *out, uint64_t octets);
void pop3_server_message_end(struct pop3_server *s, bool whole);

/* The same for *ENV.  octets: of the message, as LIST says them. */
void pop3_server_envelope(struct pop3_server *s, struct buf *out,
    const struct pop3_envelope *envelope, uint64_t octets);

/* WANT_UPDATE.  failed: messages that were to be removed and are still there. */
void pop3_server_updated(
    struct pop3_server *s, struct buf *out, uint32_t removed, uint32_t failed);

/* The marks of DELE: bit i of octet j is message 8j + i + 1; NULL while there
 * are none.  The bitmap has (count + 7) / 8 octets. */
static inline bool
pop3_server_is_marked(const struct pop3_server *s, uint32_t msgno)
{
	uint32_t idx = msgno - 1;

	return s->marks != NULL && (s->marks[idx / 8] >> idx % 8 & 1) != 0;
}

const uint8_t *pop3_server_marks(const struct pop3_server *s);

/* The same of those that are not marked, but were retrieved to the last octet
 * where that removes them. */
const uint8_t *pop3_server_takes(const struct pop3_server *s);

/* What the trace may show of a line of the client: secrets are masked.
 * `in_sasl`: s->in_sasl when the line was taken. */
struct slice pop3_server_mask(struct slice line, bool in_sasl);

#endif
