/*
 * client.h - the client's side of a POP3 session.  No I/O, no clock.
 *
 * Commands are appended to the output and remembered; what the server says is
 * taken from the input and comes out as events, matched to the commands by
 * their order (RFC 2449 s6.6).  Any number of commands may be outstanding; the
 * caller decides how many.
 *
 * Nothing that the server says is believed further than its form: every line
 * has a limit, numbers are checked, and replies that answer no command are an
 * error.  Knows: commands, replies, response codes, capabilities, listings,
 * dot-stuffing.  Does not know: sockets, TLS, mechanisms, which message is
 * wanted.  RFC 1939, 2449, 2595 s4, 3206, 5034, 6856.
 */
#ifndef POP3_CLIENT_H
#define POP3_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "pop3/code.h"
#include "pop3/unstuff.h"

enum {
	POP3_REPLY_MAX = 8 * 1024, /* octets of a line, not of a message's */
	POP3_CAPA_LINES = 200,
	POP3_ENV_LINES = 64,
	POP3_UID_MAX = 1024, /* RFC 1939 says 70: taken as it comes */
	POP3_MSGNO_MAX = 10000000,
};

enum pop3_cmd {
	POP3_CMD_GREETING, /* not a command: what is awaited at first */
	POP3_CMD_CAPA,
	POP3_CMD_STLS,
	POP3_CMD_USER,
	POP3_CMD_PASS,
	POP3_CMD_APOP,
	POP3_CMD_AUTH,
	POP3_CMD_STAT,
	POP3_CMD_LIST,
	POP3_CMD_UIDL,
	POP3_CMD_TOP, /* TOP n 0: the header */
	POP3_CMD_RETR,
	POP3_CMD_DELE,
	POP3_CMD_RSET,
	POP3_CMD_NOOP,
	POP3_CMD_QUIT,
	POP3_CMD_LIST_ONE, /* LIST n */
	POP3_CMD_UIDL_ONE, /* UIDL n */
	POP3_CMD_ENV,      /* *ENV n: the envelope, of Demon Internet's SDPS */
	POP3_CMD_UTF8,
	POP3_CMD_LANG,
};

const char *pop3_cmd_name(enum pop3_cmd cmd); /* "RETR"; "greeting" */

/* What CAPA said.  Empty after pop3_client_init() and pop3_client_tls(). */
struct pop3_capa {
	bool known; /* a list has come */
	bool top, uidl, user, stls, resp_codes, auth_resp_code, pipelining,
	    utf8, lang;
	bool login_delay, login_delay_user;
	uint32_t login_delay_s;
	bool expire, expire_user; /* EXPIRE NEVER is as if there were none */
	uint32_t expire_days;
	bool has_sasl;
	char sasl[512]; /* upper case, " PLAIN SCRAM-SHA-256 ": use _has_sasl */
};

bool pop3_capa_has_sasl(const struct pop3_capa *capa, const char *mechanism);

enum pop3_event_type {
	POP3_EV_MORE,      /* read more */
	POP3_EV_OK,        /* +OK; for CAPA, LIST, UIDL, ENV, TOP, RETR more
	                    * follows, up to POP3_EV_END */
	POP3_EV_ERR,       /* -ERR; the command is answered */
	POP3_EV_CHALLENGE, /* AUTH: data is decoded; pop3_client_answer() */
	POP3_EV_ENTRY,     /* LIST: msgno, octets.  UIDL: msgno, uid.  ENV:
	                    * data, a line, and its number */
	POP3_EV_DATA,      /* TOP, RETR: data, as it is to be stored */
	POP3_EV_END,       /* the end of what follows an OK */
	POP3_EV_PROBED,    /* see pop3_client_probe() */
	POP3_EV_BROKEN,    /* not POP3, or a limit: why says; close */
};

/* Slices are borrowed from the input, until the next run. */
struct pop3_event {
	enum pop3_event_type type;
	enum pop3_cmd cmd;   /* what is answered */
	enum pop3_code code; /* of what has text */
	uint32_t msgno;      /* that was asked for; ENTRY */
	uint32_t count;      /* STAT; ENTRY of ENV: 1 behind the first line */
	uint64_t octets; /* STAT; LIST_ONE; ENTRY of LIST; END of RETR and TOP:
	                  * how many came, as LIST counts them */
	struct slice text; /* of OK and ERR, without the code; hostile.  BROKEN:
	                    * of an -ERR that answers nothing */
	struct slice data; /* DATA, CHALLENGE; UIDL_ONE, ENTRY of UIDL: the
	                    * unique-id */
	const char *why;   /* BROKEN; static, English, translatable */
	bool odd; /* STAT: not as RFC 1939 s5 has it, count is 0.  ENTRY: not
	           * usable, msgno may be 0.  CHALLENGE: not base64.  LIST_ONE,
	           * UIDL_ONE: it does not begin with the number asked for and a
	           * value */
};

struct pop3_outstanding;

struct pop3_client {
	/* To be read by the caller. */
	struct pop3_capa capa;
	char timestamp[256]; /* of the greeting, for APOP, valid; or empty */
	bool
	    doubtful; /* RETR, TOP: a line of one "." has come that may be meant
	                * as the end (see unstuff.h), and nothing behind it */
	bool has_strayed;      /* it has said what answers nothing */
	uint32_t n_pending;    /* commands that are not answered yet */
	size_t pending_octets; /* of these commands as they were sent */
	/* Sees every line that is sent, secrets masked, and of what is
	 * received the lines that are not a message's; NULL: nobody does. */
	void (*trace)(void *arg, bool received, struct slice line);
	void *trace_arg;

	/* The rest is the module's own. */
	struct pop3_outstanding *ring;
	uint32_t ring_size, ring_head;
	size_t consume; /* octets of input that the event borrows */
	size_t seen;    /* octets searched for the end of a line */
	uint32_t lines; /* of the reply so far, and their octets */
	uint64_t octets;
	const char *why; /* it is broken */
	bool greeted;    /* the greeting has come */
	bool spoken;     /* a command was sent */
	bool inside;     /* the first line of a multi-line reply was OK */
	bool ended;      /* of a message: its end has come behind the data */
	bool sasl_asked; /* AUTH: a challenge awaits its answer */
	bool in_mail;    /* what comes may be part of a message */
	uint32_t strays; /* lines since the last reply that answer nothing */
	size_t odd;      /* octets of the line that makes it doubtful */
	bool probing;    /* the line behind that one is to be looked at */
	struct pop3_unstuff unstuff;
};

/* The greeting is awaited. */
void pop3_client_init(struct pop3_client *c);
void pop3_client_clear(struct pop3_client *c);

/* Each appends one command to `out`.  E_FORMAT: an argument holds CR, LF or
 * NUL.  E_FULL: `out` is full, or USER, PASS, APOP would be over 255 octets.
 * E_NOMEM.  Nothing is appended then. */
enum err pop3_client_send(struct pop3_client *c, struct buf *out,
    enum pop3_cmd cmd) NODISCARD; /* those without an argument */
enum err pop3_client_message(struct pop3_client *c, struct buf *out,
    enum pop3_cmd cmd, uint32_t msgno) NODISCARD; /* the others */
enum err pop3_client_user(
    struct pop3_client *c, struct buf *out, struct slice name) NODISCARD;
enum err pop3_client_pass(
    struct pop3_client *c, struct buf *out, struct slice password) NODISCARD;
/* digest: 32 lower-case hexadecimal digits. */
enum err pop3_client_apop(struct pop3_client *c, struct buf *out,
    struct slice name, const char *digest) NODISCARD;
/* tag: as in RFC 5646. */
enum err pop3_client_lang(
    struct pop3_client *c, struct buf *out, const char *tag) NODISCARD;
/* initial: raw octets or NULL; sent only if the line stays within 255 octets
 * (RFC 5034 s4), *deferred_r says that it was not: answer the first challenge
 * with it. */
enum err pop3_client_auth(struct pop3_client *c, struct buf *out,
    const char *mechanism, const struct slice *initial,
    bool *deferred_r) NODISCARD;
/* After POP3_EV_CHALLENGE: raw octets; or "*". */
enum err pop3_client_answer(
    struct pop3_client *c, struct buf *out, struct slice response) NODISCARD;
enum err pop3_client_cancel(struct pop3_client *c, struct buf *out) NODISCARD;

/* The next event.  `in` should bear POP3_REPLY_MAX octets; a shorter one
 * shortens the lines that are taken.
 *
 * The OK of STLS has no text and is gone from `in` at once; octets behind it
 * are POP3_EV_BROKEN. */
void pop3_client_run(
    struct pop3_client *c, struct buf *in, struct pop3_event *ev);

/* While `doubtful`, when one more command has been sent, the answer to which can
 * be told from text.  Once a line has come behind the doubtful one there is
 * POP3_EV_PROBED, with what that line is if it is the answer (of OK; `odd`: it
 * is none).  It is text of the message, unless pop3_client_end() is called at
 * once: then the message has ended before the doubtful line. */
void pop3_client_probe(struct pop3_client *c);
void pop3_client_end(struct pop3_client *c);

/* The caller knows that all messages have ended that have come so far.  Before
 * the first one, and from here to the next, lines that are no reply are passed
 * over where none of them can be mail: behind replies, and as far as commands
 * are outstanding that all servers know. */
void pop3_client_in_step(struct pop3_client *c);

/* After the OK of STLS and the handshake: what was learnt is forgotten.  The
 * caller must have closed instead if `in` held anything. */
void pop3_client_tls(struct pop3_client *c);

#endif
