/*
 * state.h - what was collected: a SQLite database (WAL, synchronous = FULL).
 *
 * A message that is here has a row until long after it has gone from the server;
 * a message under way has an intent.  Each function that changes something is
 * one transaction, on the disk when it returns.  A connection belongs to one
 * thread; several threads and processes may each have one.  Nothing in it is
 * secret: unique-ids and headers are only there as digests.
 */
#ifndef CLIENT_STATE_STATE_H
#define CLIENT_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/message/message.h"
#include "client/message/parcel.h"

struct state;

enum { STATE_WORDS = 768 };

/* With those above it, where they are not there. */
enum err state_make_folder(const char *dir, struct errbuf *eb) NODISCARD;

/* dir: made (0700) if it is not there; the database in it is state.db.  One that
 * is damaged is put aside (its name with ".damaged-TIME") and begun anew:
 * *put_aside_r.  E_CONFIG: made by a newer version, or by another program.
 * E_BUSY: another process has the damaged one open.  Everything below gives
 * E_FORMAT where it meets damage; the next state_open() puts that aside. */
enum err state_open(struct state **s_r, const char *dir, bool *put_aside_r,
    struct errbuf *eb) NODISCARD;
void state_close(struct state *s);

/* ---- accounts ---- */

struct state_account {
	int64_t id;
	bool moved; /* found by its name alone: see state_account_settle() */
	bool fresh; /* nothing is known of it, until the first
	             * state_messages_save() (also of none) or state_stored() */
	int64_t braked; /* the id of a message: see struct plan */

	int64_t serial_until;  /* pipelining went wrong: not before this time */
	int64_t no_capa_until; /* it hung up on CAPA, or never answered */
	int64_t no_top_until;  /* the same of TOP, which it did not announce */
	int64_t no_recapa_until; /* of CAPA behind the sign-in */
	int64_t no_list_until, no_uidl_until;
	int64_t no_utf8_until; /* of UTF8 and LANG; or UTF8 was refused */
	bool sizes_lie;        /* LIST counts otherwise than RETR sends */
	int auth_rank;         /* of the strongest sign-in it has offered */
	/* It refused a mechanism that it offers as unknown: until when only
	 * those below that rank are used (sasl.h). */
	int64_t auth_below_until;
	int auth_below;
	/* It turned one more away: until when no more sessions are begun than
	 * so many, of all accounts at its server. */
	int64_t crowd_until;
	unsigned crowd;
	/* It has cut a session: until when that is remembered, what that one had
	 * had, and whether another one was cut at the same point.  See
	 * budget.h. */
	int64_t cut_until;
	uint32_t cut_commands;
	uint64_t cut_octets;
	bool cut_met;
	int64_t not_before; /* LOGIN-DELAY */
	/* A sign-in that the server refused: when (0: none), a mark to know it
	 * by (session/refusal.c), and what was said; empty if that was said in
	 * another language than that of now. */
	int64_t refused_at;
	unsigned refused_mark;
	char refused_why[STATE_WORDS];
	int64_t tried_at, collected_at; /* Unix seconds; 0: never */
	int exit_code;                  /* of the last run */
	char error[STATE_WORDS];        /* of the last run; empty: none */
	char notice[STATE_WORDS]; /* what the person should know: EXPIRE ... */
	bool foreign; /* both are in another language than that of now */
	uint64_t collected, collected_octets; /* since ever */
	uint64_t deleted, freed_octets;
	uint32_t left; /* on the server after the last run */
	uint64_t left_octets;
};

/* An account is its maildrop: a person may call it otherwise tomorrow.  Two may
 * have the same maildrop, and each its name. */
struct state_key {
	const char *name;
	const char *maildrop;
	/* Does the configuration have an account with this maildrop, and, if
	 * name is not NULL, this name? */
	bool (*configured)(
	    const void *arg, const char *name, const char *maildrop);
	const void *arg;
};

/* Finds it or makes it.  That is the record with its name and maildrop; else one
 * of its maildrop whose name is configured no more, which gets the new name; else
 * one of its name whose maildrop is configured no more: the server or the user is
 * called otherwise now, and the record is `moved`. */
enum err state_account(struct state *s, const struct state_key *key,
    struct state_account *a_r, struct errbuf *eb) NODISCARD;

/* The same, changing nothing.  id is 0: there is no record of it yet. */
enum err state_account_look(struct state *s, const struct state_key *key,
    struct state_account *a_r, struct errbuf *eb) NODISCARD;

/* The maildrop of a record that is `moved` has been seen: the record is that
 * maildrop's from now on.  Until then it keeps the old one, so that a mistake in
 * the configuration, and another name after that, do not part it from its mail. */
enum err state_account_settle(struct state *s, int64_t account,
    const struct state_key *key, struct errbuf *eb) NODISCARD;

/* The record of that name.  E_NOENT, without words: there is none. */
enum err state_account_find(struct state *s, const char *name, int64_t *id_r,
    char maildrop_r[DIGEST_TEXT], struct errbuf *eb) NODISCARD;

/* Another name for it, whatever record had that before. */
enum err state_account_rename(struct state *s, int64_t account,
    const char *name, struct errbuf *eb) NODISCARD;

/* Removes the record, with all messages, intents and troubles in it. */
enum err state_account_forget(
    struct state *s, int64_t account, struct errbuf *eb) NODISCARD;

/* How many messages are here and on the server. */
enum err state_account_there(struct state *s, int64_t account, uint64_t *n_r,
    struct errbuf *eb) NODISCARD;

/* Calls for the name of each account that there is a record of. */
enum err state_account_names(struct state *s,
    enum err (*each)(void *arg, const char *name), void *arg,
    struct errbuf *eb) NODISCARD;
enum err state_account_save(struct state *s, const struct state_account *a,
    struct errbuf *eb) NODISCARD;

/* ---- messages ---- */

/* *v_r is the caller's (free). */
enum err state_messages(struct state *s, int64_t account, struct message **v_r,
    size_t *n_r, struct errbuf *eb) NODISCARD;
/* Writes them; those with id 0 get one.  They need not be all. */
enum err state_messages_save(struct state *s, int64_t account,
    struct message *v, size_t n, struct errbuf *eb) NODISCARD;
/* Forgets those that have been gone since before `time`, but never the one with
 * the highest id: so no id is given twice. */
enum err state_messages_forget(struct state *s, int64_t account, int64_t time,
    struct errbuf *eb) NODISCARD;

/* ---- intents ---- */

enum err state_intend(struct state *s, int64_t account, const char *dest,
    struct parcel **v, size_t n, int64_t now, struct errbuf *eb) NODISCARD;
/* Their intents go; those with result E_OK become messages (DELETING if
 * to_delete) and get `message`.  Of the others nothing is left, but of those in
 * doubt the intent. */
enum err state_stored(struct state *s, int64_t account, struct parcel **v,
    size_t n, int64_t now, struct errbuf *eb) NODISCARD;
struct state_intent {
	struct parcel parcel; /* what state_intend() was given */
	int64_t at;
	char *dest, *folder;
};
enum err state_intents(struct state *s, int64_t account,
    struct state_intent **v_r, size_t *n_r, struct errbuf *eb) NODISCARD;
void state_intents_free(struct state_intent *v, size_t n);

/* ---- messages that could not be collected ---- */

struct trouble {
	bool has_uid;
	struct digest uid;
	uint64_t size;
	unsigned tries; /* runs that failed */
	bool breaks;    /* it may have broken the connection */
	bool counted;   /* the run's own: this run is one of the tries */
	uint32_t msgno; /* of the last session; 0: not known */
	bool listed;    /* the session's own */
	int64_t first_at, last_at;
	char why[STATE_WORDS];
};
enum err state_troubles(struct state *s, int64_t account, struct trouble **v_r,
    size_t *n_r, struct errbuf *eb) NODISCARD;
/* Replaces all of them. */
enum err state_troubles_save(struct state *s, int64_t account,
    const struct trouble *v, size_t n, struct errbuf *eb) NODISCARD;

/* ---- numbers by which a person calls messages on the server ---- */

/* A number is given to a message when it is first shown, and never to another
 * one: it stays when others go away, and nobody gets the number of one that has
 * gone. */
struct numbered {
	uint32_t number;
	/* The digest of its unique-id; without one, that of its header. */
	struct digest key;
	uint64_t size;
	bool has_header;
	struct digest header; /* see struct identity */
	int64_t seen_at;      /* on the server, Unix seconds */
	int64_t stub_at;      /* its stub was stored; 0: it was not */
};
/* In the order of the numbers.  *v_r is the caller's (free). */
enum err state_numbers(struct state *s, int64_t account, struct numbered **v_r,
    size_t *n_r, struct errbuf *eb) NODISCARD;
/* Writes these, and forgets those that were last seen before `time`, but never the
 * highest one. */
enum err state_numbers_save(struct state *s, int64_t account,
    const struct numbered *v, size_t n, int64_t time,
    struct errbuf *eb) NODISCARD;

#endif
