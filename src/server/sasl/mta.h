/*
 * mta.h - Dovecot's authentication protocol, the server's end, without I/O: one
 * connection of a program that asks who signs in to it.  That is a mail server,
 * mostly, and one such program has many clients:
 *
 *	S: VERSION	1	1			C: VERSION	1	1
 *	S: MECH	PLAIN	plaintext			C: CPID	4711
 *	S: ...
 *	S: DONE
 *	C: AUTH	1	PLAIN	service=smtp	rip=192.0.2.1	secured	resp=AGFuYQB4
 *	S: OK	1	user=ana
 *	C: AUTH	2	CRAM-MD5	service=smtp
 *	S: CONT	2	PDEyM0BleGFtcGxlLm9yZz4=
 *	C: CONT	2	YW5hIDAx
 *	S: FAIL	2	user=ana
 *
 * Only what such a program needs is here.  What it asks for beyond that, and what
 * later versions of the protocol have, is passed over, as the protocol says.  The
 * end for masters (REQUEST, USER, LIST) is not here: Dovecot's own servers ask
 * there what else is known of a user, mail servers do not.
 */
#ifndef SERVER_SASL_MTA_H
#define SERVER_SASL_MTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "server/ipc/proto.h"

enum {
	/* Octets, with its end: with a token in base64, and the rest. */
	MTA_LINE_MAX = 4 * TOKEN_MESSAGE_MAX / 3 + 4096,
	MTA_REQUESTS_MAX = 64, /* of a connection at a time */
	/* What is not taken yet, beyond which nothing more is read, and at most. */
	MTA_OUT_MUCH = 16 * 1024,
	MTA_OUT_MAX = 512 * 1024,
	MTA_HANDSHAKE_MS = 60 * 1000,
	/* For our part, as Postfix waits for ten seconds: counted from the first
	 * mta_look(), which comes within a second. */
	MTA_ANSWER_MS = 8 * 1000,
};

/* What a connection may ask for. */
struct mta_policy {
	const char *mechanisms; /* names, with spaces between them */
	bool plain_passwords;   /* though the client is not inside TLS */
	uint32_t login_ms;      /* for the client's part of an exchange */
};

/* A client that begins to sign in. */
struct mta_sign_in {
	struct slice mechanism;
	char peer[PEER_MAX]; /* its address in print; "": it is not said */
	bool tls;
	bool has_initial;
	struct slice initial;
};

/* What becomes of it. */
struct mta_hooks {
	/* Its number, for the rest; 0: nobody can say. */
	uint64_t (*begin)(void *arg, const struct mta_sign_in *s);
	/* False: nobody can say. */
	bool (*step)(void *arg, uint64_t sid, struct slice response);
	/* A password came, or was about to, where it could be read. */
	void (*in_clear)(void *arg, const struct mta_sign_in *s);
	/* It has gone, or takes too long. */
	void (*end)(void *arg, uint64_t sid);
};

struct mta_request {
	uint32_t id;    /* by the program */
	uint64_t sid;   /* by us */
	uint64_t until; /* clock_ms(); 0: it is not the client's turn */
	uint64_t seen;  /* by mta_look(), when it was not; 0: not yet */
};

struct mta {
	const struct mta_policy *policy;
	const struct mta_hooks *hooks;
	void *arg;
	struct buf out; /* to be written */
	/* Why the connection is to be closed when `out` has been written: a word
	 * for the log; NULL: it is not. */
	const char *over;

	/* The module's own. */
	bool has_version, has_cpid;
	uint64_t since; /* clock_ms() */
	unsigned n;
	struct mta_request request[MTA_REQUESTS_MAX];
};

/* How we introduce ourselves: numbers that tell connections apart, and as many
 * random octets as a cookie has. */
enum { MTA_COOKIE = 16 };
struct mta_hello {
	const char *offered; /* names of mechanisms that can be served now */
	uint32_t pid, connection;
	uint8_t cookie[MTA_COOKIE];
};

/* Borrows all but the hello.  now: clock_ms(), here and below. */
void mta_begin(struct mta *m, const struct mta_policy *policy,
    const struct mta_hooks *hooks, void *arg, const struct mta_hello *hello,
    uint64_t now);

/* Ends what it has asked for, and frees what is kept; no answer comes after. */
void mta_end(struct mta *m);

/* Takes the whole lines at the beginning of `in` as far as their answers have
 * room.  What is left has room for a line's rest, or m->over is set. */
void mta_take(struct mta *m, struct buf *in);

/* How a sign-in goes on, or what it came to.  challenge: at most SASL_MAX. */
void mta_challenge(
    struct mta *m, uint64_t sid, struct slice challenge, uint64_t now);
void mta_accept(struct mta *m, uint64_t sid, const char *user);
void mta_refuse(
    struct mta *m, uint64_t sid, enum sign_in_code code, const char *user);

/* Looks for who takes too long. */
void mta_look(struct mta *m, uint64_t now);

#endif
