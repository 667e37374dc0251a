/*
 * smtp.h - submission of messages as a client, without I/O (RFC 5321, 6409, 2920,
 * 3207, 4954, 6152, 6531).
 *
 * A line of the server goes in, commands come out; where it offers PIPELINING, all
 * of those that hand in a message leave at once, DATA as the last.  TLS, the SASL mechanism and
 * the octets of a message are the owner's business: smtp_take() says when it is
 * their turn.
 */
#ifndef CLIENT_SEND_SMTP_H
#define CLIENT_SEND_SMTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "client/send/outgoing.h"

enum {
	SMTP_LINE = 2048, /* octets of a line of the server; 512 are legal */
	SMTP_LINES = 200, /* of a reply */
	SMTP_TEXT = 400,
	/* Recipients that are asked for before the first is answered: any server bears
	 * so many (RFC 5321 s4.5.3.1.8). */
	SMTP_AHEAD = 100,
};

struct smtp_reply {
	unsigned code;
	char status[12];      /* "5.7.8" (RFC 3463), or empty */
	char text[SMTP_TEXT]; /* all of it, in one line, safe to be seen */
};

enum smtp_event {
	SMTP_MORE,      /* the server has not said all yet */
	SMTP_START_TLS, /* begin it; then smtp_secured() */
	SMTP_SIGN_IN,   /* smtp_auth(), or go on with smtp_mail() */
	SMTP_CHALLENGE, /* `challenge` is for the mechanism; smtp_answer() */
	SMTP_SIGNED_IN, /* smtp_mail() */
	SMTP_DENIED,    /* the sign-in was refused */
	SMTP_SEND, /* the message is to be sent, and its end; smtp_sent() */
	SMTP_OVER, /* the transaction is: fates and words are set; smtp_mail()
	                   * or smtp_quit() */
	SMTP_BYE,  /* QUIT was answered */
	SMTP_NOT_NOW,  /* the server wants nothing of us for now */
	SMTP_NEVER,    /* the server refuses us */
	SMTP_NO_TLS,   /* it does not offer it, or cannot begin it now */
	SMTP_NO_SENSE, /* it does not speak SMTP, or is out of step */
	SMTP_NOMEM,
};

enum smtp_phase {
	SMTP_GREETING,
	SMTP_EHLO,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_IDLE, /* it is for us to go on */
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BODY,
	SMTP_NOTHING, /* an empty message, in place of one that nobody is to have */
	SMTP_RSET,
	SMTP_QUIT,
};

struct smtp {
	enum smtp_phase phase;
	bool starts_tls, secure;
	/* What EHLO was answered with. */
	bool has_starttls, has_eightbit, has_utf8, has_size, has_pipelining;
	char auth[256]; /* mechanisms, upper case, with spaces between */
	uint64_t size;  /* octets that it takes; 0: it does not say */

	struct smtp_reply reply; /* the last one, or what has come of it */
	unsigned lines;
	struct slice challenge; /* base64; borrowed from the line */

	struct outgoing *o;  /* of the transaction */
	size_t next;         /* its recipient that is to be asked for next */
	size_t at;           /* the one whose answer comes next */
	unsigned unanswered; /* recipients between the two */
	bool asked_data;     /* DATA was said */
	bool
	    dropped; /* MAIL was refused, and with it what was said behind it */
	bool ended;  /* the end of the message has been sent */
};

/* starts_tls: STARTTLS, without which nothing goes on. */
void smtp_init(struct smtp *s, bool starts_tls);

/* Takes a line, without its end.  Commands are appended to out. */
enum smtp_event smtp_take(struct smtp *s, struct slice line, struct buf *out);

/* After SMTP_START_TLS: what was said before it is forgotten. */
enum smtp_event smtp_secured(struct smtp *s, struct buf *out);

/* Is a mechanism offered? */
bool smtp_has_auth(const struct smtp *s, const char *name);
/* initial: the first message of the mechanism, or NULL. */
enum smtp_event smtp_auth(struct smtp *s, struct buf *out, const char *name,
    const struct slice *initial);
enum smtp_event smtp_answer(
    struct smtp *s, struct buf *out, struct slice message);
enum smtp_event smtp_cancel(struct smtp *s, struct buf *out);

/* Begins with a message, to all of its recipients that are waiting: it belongs to
 * us until SMTP_OVER.  SMTP_OVER at once: the server cannot take it at all. */
enum smtp_event smtp_mail(struct smtp *s, struct buf *out, struct outgoing *o);
/* The end of the message (".") has been put behind it. */
void smtp_sent(struct smtp *s);
enum smtp_event smtp_quit(struct smtp *s, struct buf *out);

/* What the phase is called, for people. */
const char *smtp_phase_name(const struct smtp *s);

#endif
