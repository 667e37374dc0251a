/*
 * outgoing.h - a message on its way out: to whom it goes, and how far it has come
 * for each of them.
 */
#ifndef CLIENT_SEND_OUTGOING_H
#define CLIENT_SEND_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "client/message/identity.h"

/* How far a message has come for one recipient. */
#define FATES(ROW) \
	ROW(FATE_WAITING, "waiting") \
	/* The end of the message may be on its way to the server. */ \
	ROW(FATE_SENDING, "sending") \
	ROW(FATE_SENT, "sent") \
	/* For good, by the server. */ \
	ROW(FATE_REFUSED, "refused") \
	/* It was SENDING when the line broke, or we were killed: nobody knows, so \
	 * it is not sent again by itself. */ \
	ROW(FATE_PERHAPS, "perhaps-sent")

#define FATE_ENUM(constant, name) constant,
enum fate { FATES(FATE_ENUM) FATE_COUNT };
#undef FATE_ENUM

const char *fate_name(enum fate f); /* for programs */

struct recipient {
	char *address;
	enum fate fate;
	char *words; /* of the server, or why it waits; or NULL */
	/* In the transaction that is under way: it is for them, and the server has
	 * accepted them. */
	bool asked, accepted;
	bool tried; /* by this program: its fate is news */
};

/* A copy that was begun with, by which it is found again should we be killed: the
 * intent of a delivery (deliver/delivery.h). */
struct outgoing_copy {
	char *dest; /* as the setting was then; NULL: none was begun */
	char *tmp, *file;
	uint64_t octets, offset, length;
	struct digest content;
	uint32_t epoch;
	int64_t at; /* Unix seconds */
};

enum { OUTGOING_ID = 8 };

struct outgoing {
	char id[OUTGOING_ID]; /* a word that a person can type */
	char *account;        /* whose server sends it */
	char *sender;         /* of the envelope */
	char *subject;        /* or NULL */
	struct recipient *v;
	size_t n;
	bool eightbit, utf8;        /* what it needs: see letter_needs */
	bool copied;                /* to the folder of what was sent */
	struct outgoing_copy copy;  /* that is perhaps there */
	uint64_t octets;            /* on the wire */
	int64_t queued_at, next_at; /* Unix seconds */
	unsigned tries;
	bool denied; /* the sign-in was refused, and waits for a person */
	char *words; /* what has failed last; or NULL */
};

void outgoing_clear(struct outgoing *o);
void outgoing_copy_clear(struct outgoing_copy *c);
/* Replaces a text; a failure of memory leaves NULL, as words are not worth more. */
void outgoing_say(char **field, const char *words);
size_t outgoing_count(const struct outgoing *o, enum fate f);
/* Sets all of one fate to another. */
void outgoing_turn(struct outgoing *o, enum fate from, enum fate to);

/* Its file, as JSON; the caller's, NULL: memory. */
char *outgoing_print(const struct outgoing *o) NODISCARD;
/* E_FORMAT: it is none; E_NOMEM.  *o is cleared then; its id is not in there. */
enum err outgoing_parse(struct outgoing *o, struct slice text) NODISCARD;

#endif
