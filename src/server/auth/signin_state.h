/*
 * signin_state.h - one sign-in, shared by its files.  Each uses those before
 * it:
 *
 *	turn.c      when it is verified: delays, and who comes before
 *	refuse.c    its life; how it ends without success
 *	found.c     whose name that is, if databases are asked
 *	place.c     how it ends with success: a store is given the session
 *	look.c      whether the users are current; what comes of a verdict
 *	password.c  a password, or APOP's digest
 *	ticket.c    a ticket of Kerberos
 *	token.c     a token of OAuth
 *	exchange.c  mechanisms that do not send a password
 *	signin.c    how each begins
 */
#ifndef SERVER_AUTH_SIGNIN_STATE_H
#define SERVER_AUTH_SIGNIN_STATE_H

#include <ev.h>

#include "server/auth/auth_kerberos.h"
#include "server/auth/auth_net.h"
#include "server/auth/hashpool.h"
#include "server/auth/penalty.h"
#include "server/auth/process.h"
#include "server/auth/stores.h"
#include "server/ipc/login_mark.h"
#include "server/users/scheme.h"

struct lookup;
struct sasl_server;

TAILQ_HEAD(signin_list, signin);

enum { BINDING_NAME = 32, BINDING_MAX = 64 };

/* Of a mechanism that does not send a password: exchange.c. */
struct exchange {
	const struct sasl_mechanism *mechanism;
	struct sasl_channel channel;
	struct sasl_binding binding[BINDINGS_MAX];
	char binding_name[BINDINGS_MAX][BINDING_NAME];
	uint8_t binding_data[BINDINGS_MAX][BINDING_MAX];
	char *certificate; /* DER */
	size_t certificate_n;
	/* SCRAM: what was said of the keys, and the rest of them if they need
	 * not be made. */
	struct sasl_keys keys;
	bool proves;      /* the next message is to prove who it is */
	bool makes_keys;  /* before that, which waits meanwhile */
	bool is_readable; /* they are made of this user's password */
	char *response;
	size_t response_n;
};

/* Of a sign-in by a ticket: ticket.c. */
struct ticket {
	struct signin *signin;
	struct ticket_wait wait;
	bool is_kpop;
	char principal[PRINCIPAL_MAX];
	char authzid[NAME_MAX_OCTETS + 1]; /* who it wants to be, or empty */
};

/* Of a sign-in by a token: token.c. */
struct token {
	struct signin *signin;
	struct token_wait wait;
	struct known_issuer issuer; /* no name: nobody's, or not known yet */
	bool is_refused, is_narrow;
};

enum signin_state {
	SASL,
	ASKED,
	DELAYED,
	CHECKING,
	LOOKING,
	HASHING,
	PLACING,
	HELD
};

/* Among those of its address: see turn.c. */
enum signin_turn { TURN_NONE, TURN_WAITS, TURN_HAS };

struct signin {
	struct auth *auth;
	struct auth_worker *worker; /* NULL: abandoned */
	uint64_t sid;
	enum signin_state state;
	uint16_t worker_index;
	const char *method;
	char service[SERVICE_MAX]; /* what it is for: POP3, or another's name */
	uint64_t begun;            /* clock_ms(), if it is another's */
	char peer[PEER_MAX];
	struct suspect suspect; /* without a user until one is named */
	uint64_t who;           /* of recent_who(), once a user is named */
	bool tls;               /* the session is inside it */
	char user[NAME_MAX_OCTETS + 1]; /* by the rule for names, or empty */
	/* Whose mail it is to be, if user is a master who signs in for somebody
	 * else; or empty. */
	char target[NAME_MAX_OCTETS + 1];
	uint32_t retention; /* RETENTION_ of that mail, in this session */
	char name[NAME_MAX_OCTETS + 1]; /* as the client gave it, cut */
	struct sasl_server *sasl;
	struct exchange *exchange; /* of exchange.c */
	struct ticket *ticket;     /* of ticket.c */
	struct token *token;       /* of token.c */
	char *krb_error;           /* for the client; or NULL */
	size_t krb_error_n;
	size_t message_max; /* octets of one message of the mechanism */

	TAILQ_ENTRY(signin) in_line;
	enum signin_turn turn;
	void (*then)(struct signin *s); /* when it has a turn */

	/* What is to be verified: a password, or for APOP a timestamp and a
	 * digest. */
	char *password;
	char *timestamp;
	uint8_t digest[APOP_DIGEST];
	/* What tells two wrong tries from the same one twice; empty: it is the
	 * password or the digest. */
	struct slice tried;

	/* How far that is. */
	void (*decide)(struct signin *s); /* by the users as they are now */
	bool checked;        /* the parent was asked about the users file */
	bool known;          /* there is such a user, and not locked out */
	uint64_t generation; /* of the users it was verified against, or 0 */
	char *stored;        /* for the job */
	uint64_t row;        /* of the user, if there is one */
	/* Who verifies it elsewhere has refused it: others of its address wait,
	 * as if that were known. */
	bool is_failing;
	bool is_cheap; /* it is known to be wrong; the job only takes time */
	struct hash_job job;
	struct userfile_wait wait;
	const char *why; /* it does not match */
	/* Of user and target, where databases are asked; else NULL. */
	struct lookup *found, *found_target;
	void (*when_found)(struct signin *s);

	/* LOGIN-DELAY. */
	bool anonymous;            /* they are many, and none of it holds */
	uint64_t program;          /* of login_delay_who(), or 0 */
	uint32_t login_delay;      /* seconds, 0: none */
	struct login_mark counted; /* until a store has it */

	/* Where the mail is. */
	char *mail;
	bool read_only;
	bool utf8; /* the client has said UTF8 */
	struct store_wait store;

	enum sign_in_code code;
	uint32_t seconds; /* of SIGN_IN_SOON: to wait */
	ev_timer delay;
};

#endif
