/*
 * process.h - what the files of the auth process share.  Each uses those below
 * it:
 *
 *	auth.c           the settings, the parent's messages, the loop
 *	auth_messages.c  what the workers send
 *	signin.c         one sign-in, from the request to IPC_OPEN or
 *	                 IPC_REFUSED, with the files of signin_state.h
 *	rehash.c         hashes by another scheme, after a sign-in
 *	asked.c          what the admin asks, with facts.c, failures.c and
 *	                 possible.c
 *	auth_kerberos.c  the process that looks at tickets
 *	auth_net.c       the process that looks at tokens
 *	served.c         which mechanisms can be served
 *	where.c          where a user's mail is, if the admin asks
 *	databases.c      who a user is, of all places where users are known
 *	auth_db.c        the processes that ask databases, or verify
 *	round.c          has the stores look for mail that goes by itself
 *	retained.c       how long whose mail stays
 *	stores.c         the store processes, and who waits for one
 *	userfile.c       the users file, and who waits until it is current
 *	vouch.c          from where a client comes
 *	auth_worker.c    a worker: its sessions, and what it is sent
 */
#ifndef SERVER_AUTH_PROCESS_H
#define SERVER_AUTH_PROCESS_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/burst.h"
#include "net/client_ca.h"
#include "server/auth/auth.h"
#include "server/auth/retained.h"
#include "server/auth/userfile.h"
#include "server/users/hashes_seen.h"

struct auth_db;
struct auth_worker;
struct cidr;
struct failures;
struct kerberos;
struct login_delays;
struct net;
struct round;
struct signin;
struct store;
struct store_wait;
struct turns;

LIST_HEAD(auth_worker_list, auth_worker);
LIST_HEAD(store_list, store);
TAILQ_HEAD(store_waits, store_wait);

/* LOGIN-DELAY of all users, seconds.  Of none, least is the more. */
struct login_delay_range {
	uint32_t least, most;
};

static inline void
login_delay_range_add(struct login_delay_range *r, uint32_t seconds)
{
	r->least = seconds < r->least ? seconds : r->least;
	r->most = seconds > r->most ? seconds : r->most;
}

/* What rows of databases have asked for, of all that were seen: databases do not
 * say who there is. */
struct terms_seen {
	uint32_t retention;              /* RETENTION_, the least */
	struct login_delay_range delays; /* of those with one of their own */
	uint32_t changes;                /* how often any of this has changed */
};

struct auth {
	struct role role; /* first: see role.h */
	struct auth_conf conf;
	struct auth_conf *next; /* after IPC_SETTINGS_USE; NULL: none */
	uint32_t known_changes; /* of conf.known, so far */
	uint32_t place_changes; /* of conf.place, and of which block is which */
	struct name_rule rule;
	struct ev_loop *loop;
	struct userfile userfile;
	struct hashpool *hashes;
	struct vcache *verified;
	struct penalty *penalty;
	struct recent *recent;
	struct turns *turns;
	struct timestamps *timestamps;
	struct failures *failures;
	struct login_delays *delays;
	struct auth_worker_list workers;
	struct store_list stores;
	struct store_waits store_waits;
	unsigned n_store_waits, n_signins;
	uint32_t store_serial;
	struct burst crowd;    /* sign-ins refused for want of room */
	ev_timer turn;         /* of APOP's timestamps */
	bool rehashing;        /* a hash by another scheme is being made */
	uint64_t rehash_again; /* clock_ms() from which on that is of use */
	struct cidr *proxies;  /* vouch.c */
	size_t n_proxies;
	struct client_ca *client_ca; /* NULL: no certificate is believed */
	struct kerberos *kerberos;   /* NULL: it is not there */
	struct net *net;             /* the same */
	struct auth_db
	    *db[KNOWN_USERS_MAX]; /* of conf.known; NULL: not there */
	/* Of rows that databases have given. */
	struct hashes_seen db_seen;
	struct terms_seen terms;
	char *db_costly;         /* the first hash that takes long, or NULL */
	char realms[REALMS_MAX]; /* of its keys; empty: no ticket is good */
	char served[SERVED_MAX]; /* what the workers know; see served.h */
	struct login_delay_range served_delays; /* the same */
	uint64_t served_generation;             /* of the users it is true of */
	uint32_t served_terms;                  /* terms.changes then */
	struct retained retained;               /* how long whose mail stays */
	struct round *round; /* through all maildrops; NULL: none */
	/* A store has done its part of it, or is no more. */
	void (*expired)(struct auth *a, const struct store *st);
	struct announced announced; /* what the workers know of that */
};

#endif
