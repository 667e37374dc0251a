/*
 * drive.h - a tiny session driver for tests: the protocol's machine, a
 * maildrop in memory, one user, three mechanisms.
 *
 * Octets of the client go in, in any portions; what a socket would have
 * carried comes out in `sent`, what was asked of the world in `asked`.
 */
#ifndef TESTS_DRIVE_H
#define TESTS_DRIVE_H

#include "base/buf.h"
#include "pop3/server.h"

enum { DRIVE_MESSAGES = 64, DRIVE_MARK = 256 };

struct drive_message {
	struct slice text; /* as stored; borrowed */
	uint64_t size;     /* announced; 0: what it really is */
	bool gone;         /* cannot be fetched */
	bool removed;      /* by UPDATE */
};

struct drive {
	struct pop3_policy policy;
	struct pop3_mechanism mechanisms[8];
	const char *user, *password;
	enum pop3_text trouble; /* instead of opening the maildrop */
	uint32_t login_delay;   /* of the user */
	bool stuck;             /* UPDATE removes nothing */
	bool proxy;             /* may say XCLIENT, which has to have a = */
	uint32_t retention;     /* of the maildrop */
	struct drive_message message[DRIVE_MESSAGES];
	uint32_t n_messages;

	struct pop3_server server;
	struct buf in, out;
	struct buf sent;  /* to the client */
	struct buf asked; /* one line for each want but INPUT and FLUSH */
	bool closed;

	/* The mechanism in progress. */
	const struct pop3_mechanism *mechanism;
	char login[256];
	bool has_login;
};

/* Nothing offered but PLAIN and LOGIN; user "tim", password
 * "tanstaaftanstaaf"; no messages.  Change it before drive_start(). */
void drive_init(struct drive *d);
void drive_offer(struct drive *d, const char *mechanism);
void drive_add(struct drive *d, const char *text, size_t n);
void drive_start(struct drive *d, bool tls);
void drive_clear(struct drive *d);

/* more: octets of the client that are on their way behind these; with any
 * behind STLS the connection is closed. */
void drive_feed(struct drive *d, const char *p, size_t n, size_t more);

/* Feeds a text without more behind it, and gives what was sent since then with
 * a NUL at its end; borrowed until the next call. */
const char *drive_say(struct drive *d, const char *text);

/* Unique-id of a message. */
struct slice drive_uid(uint32_t msgno);
uint64_t drive_size(const struct drive *d, uint32_t msgno);

#endif
