/*
 * visit.h - one account's way through one POP3 session: connection,
 * authentication, transaction, update.
 *
 * Everything that takes time is waited for in the loop: names, the network, the
 * disk, commands that print a password, the person.
 */
#ifndef CLIENT_SESSION_VISIT_H
#define CLIENT_SESSION_VISIT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/conf/account.h"
#include "client/plan/plan.h"
#include "client/session/arrivals.h"
#include "client/session/facts.h"
#include "client/session/hand.h"
#include "client/session/outcome.h"
#include "client/state/record.h"
#include "client/state/storer.h"
#include "net/dial.h"

struct ev_loop;
struct visit;

/* Who is told; all are called from the loop.  Words are for people, translated,
 * and whatever a server had a part in is escaped. */
struct visit_hooks {
	/* A line of the dialogue; secrets are masked; or NULL. */
	void (*trace)(void *arg, bool received, const char *line);
	/* It is over; visit_free() is permitted from here on, not within. */
	void (*over)(void *arg);
	/* Of one that only tries: this is known to be in order. */
	void (*passed)(void *arg, enum point p);
};

enum { VISIT_TYPED_MAX = 3 }; /* passwords that a person is asked for */

struct visit_result {
	enum outcome outcome;
	char words[STATE_WORDS]; /* for people; empty if OK */
	enum cause cause;
	/* By the server that has refused, and what that means without its words;
	 * or both are empty. */
	char said[256], refused[128];
	struct tally tally;
	struct arrivals arrivals; /* where they are asked for */
	unsigned retry;       /* BUSY: seconds that the server wants, 0: any */
	unsigned login_delay; /* seconds it wants between sign-ins, 0: any */
	bool again;           /* another connection may do better at once */
	bool mistyped;        /* the person may type it better */
	bool turned_away;     /* there may be too many connections */
	bool refused_token;   /* another one may do better at once */
	bool learned;         /* it leaves out what this one was lost at */
	bool cut;             /* this one was too long: it is shorter */
	uint32_t later;       /* messages that are left to another session */
	bool troubled_left;   /* messages for a session of theirs: `earlier` */
	bool unrecorded;      /* what was stored could not be put on record */
	char tls[64];         /* "TLSv1.3 TLS_AES_256_GCM_SHA384", "none" */
	char sign_in[32];     /* "SCRAM-SHA-256" */
	char notice[OUTCOME_BRAKE_WORDS]; /* for people; or empty */
};

struct visit_conf {
	struct ev_loop *loop;
	struct dialer *dialer;
	const struct account *account;
	struct delivery *delivery;
	struct storer *storer; /* of that delivery */
	/* Opens the places of rules; NULL if it has no delivery. */
	enum err (*open)(void *arg, const struct dest *dest,
	    struct delivery **d_r, struct errbuf *eb);
	const struct visit_hooks *hooks;
	void *arg;             /* of that, and of the hooks */
	const char *state_dir; /* where tokens are kept */
	bool anew;     /* the server has refused the token that is kept */
	bool terminal; /* a person can be asked for a password */
	bool accept;   /* the person accepts what has changed */
	bool insist;   /* and wants a refused sign-in to be tried again */
	/* Only messages that broke an earlier session, whose result this is; or
	 * NULL. */
	const struct visit_result *earlier;
	/* It only tries, up to this point: it needs no delivery and no storer,
	 * and what it learns is put on no record.  See attempt.h. */
	bool tries;
	enum point until;
	/* Or it is for the person's own hand, likewise: see hand.h. */
	enum hand hand;
	/* HAND_DELETE: what is deleted.  HAND_NONE: if it is not NULL, only
	 * these are collected, and nothing is deleted.  See choice.h. */
	const struct chosen *chosen;
	size_t n_chosen;
};

/* Borrows all of it, and the record, until it is freed. */
enum err visit_new(struct visit **s_r, const struct visit_conf *conf,
    struct record *record, struct errbuf *eb) NODISCARD;
void visit_start(struct visit *v);
/* Ends it well: what is under way is stored, then QUIT; soon. */
void visit_stop(struct visit *v);
const struct visit_result *visit_result(const struct visit *v);
/* Of one that only tries. */
const struct facts *visit_facts(const struct visit *v);
/* Of one for the person's hand. */
const struct hand_items *visit_items(const struct visit *v);
/* Of one that has been over, or that only tries; not within a hook. */
void visit_free(struct visit *v);

#endif
