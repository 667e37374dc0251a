/*
 * proto.h - every message that our processes exchange.
 *
 * `sid` is a session of a worker, a number that the process chose and
 * that means something only together with the channel it came by: so a
 * worker can name no session but its own, and it never names a path.
 *
 * `token` is a random number of each sign-in.  It goes from the worker to auth
 * and from there to one store only, so a store can answer no sign-in but those
 * that auth gave to it.
 *
 * Fields are listed in order: uN is ipc_put_uN, str and bytes are
 * ipc_put_str/bytes, fd is a descriptor, owner is u32 uid, u32 gid, u32 root (owner.h),
 * login_mark is u64 who, u64 when (login_mark.h).
 */
#ifndef SERVER_IPC_PROTO_H
#define SERVER_IPC_PROTO_H

#include "pop3/retention.h"
#include "server/ipc/roles.h"

enum ipc_type {
	/* parent -> role: the role's settings, once, first (its own encoding) */
	IPC_CONF = 1,
	/* parent -> role: u8 role, u16 index, u32 pid, fd: a channel to that
	 * process */
	IPC_ATTACH,
	/* parent -> role: finish within u32 milliseconds */
	IPC_STOP,
	/* role -> parent: serves from now on */
	IPC_READY,
	/* role -> parent: u8 role, u16 index: it sent what it may not send, and
	 * the channel to it is closed */
	IPC_MISBEHAVED,
	/* parent -> role: u32 number: does your loop turn?  The answer says that
	 * all that was said before has been done, too */
	IPC_PING,
	IPC_PONG, /* u32 the number, u32 sessions that it has */
	/* parent -> worker, auth, store: u32 number, the role's settings as they
	 * may be soon.  Answer: u32 the number, u8 can they be used, str why not */
	IPC_SETTINGS,
	IPC_SETTINGS_ARE,
	/* parent -> the same: u8: those settings hold from now on; or (0) they are to
	 * be forgotten */
	IPC_SETTINGS_USE,
	/* parent -> worker, sasl: connections are accepted from now on; said only
	 * if the settings are `held` */
	IPC_ACCEPT,
	/* parent -> worker: bytes: ticket keys, newest first */
	IPC_TICKETS,
	/* parent -> worker: u16 which of the certificates, u16 how many, str chain,
	 * str key (PEM), bytes answer of OCSP or empty, u64 until when it is shown,
	 * u8 later: each in order; they hold when the last one has come, or with the
	 * IPC_SETTINGS that follow */
	IPC_CERTIFICATE,
	/* parent -> worker, auth: who signs certificates of clients: fd of a PEM
	 * file, and if there is a list of revoked ones its fd; before sessions, and
	 * after a reload */
	IPC_CLIENT_CA,
	/* parent -> auth: u8 enum users_news of the users file, and u8 that of the
	 * app passwords; fd of each that is USERS_NEW */
	IPC_USERS,
	/* auth -> parent: are these still the ones I have?  The answer: IPC_USERS */
	IPC_USERS_CHECK,
	/* auth -> parent: owner: a store for that user is needed.
	 * Answer: IPC_ATTACH to auth (index of that store), IPC_NO_STORE, or
	 * IPC_STORES_FULL */
	IPC_STORE_WANTED,
	/* parent -> auth: owner, str why */
	IPC_NO_STORE,
	/* parent -> auth: owner: there are as many stores as there may be: one
	 * that is idle must go first (IPC_REPLACE) */
	IPC_STORES_FULL,
	/* parent -> auth: u16 index, owner: said before its IPC_ATTACH */
	IPC_STORE_IS,
	/* store -> parent: nothing to do for long: end me when nobody wants me;
	 * parent -> auth: u16 index: such a store has said so;
	 * auth -> parent: u16 index: it has been given up, and may end */
	IPC_IDLE,
	/* auth -> parent: u16 index, owner: it has been given up; when
	 * it has ended, a store for that user is started in its place */
	IPC_REPLACE,
	/* parent -> auth: u64 token, str user: where is the user's mail?  Answer: */
	IPC_WHERE,
	/* auth -> parent: u64 token, u8 enum control_outcome, u16 index of the
	 * store that has it, str mail, or why there is none */
	IPC_WHERE_IS,
	/* parent -> store: u64 token, u8 enum inquiry_kind, str mail, u32 number of
	 * a message, or the first of some: what the admin asks of a maildrop.
	 * Answer, by what it is about (IPC_ASKED: of its messages): */
	IPC_INQUIRY,
	/* store -> parent: u64 token, struct control_uidl, struct control_done */
	IPC_UIDL_IS,
	/* store -> parent: u64 token, struct control_expire, struct control_done */
	IPC_EXPIRY_IS,
	/* auth -> parent: a struct upgrade_row: this user has just signed in with
	 * the password that `was` is of, and `hash` is one of it by the scheme that
	 * is wished for; if upgrade_scheme says so */
	IPC_UPGRADE,
	/* parent -> auth: the users file cannot be written; leave it for a while */
	IPC_NO_UPGRADE,
	/* parent -> auth: u64 token, u8 enum ask_kind, str user, str password: tell
	 * the admin.  Answer: any number of IPC_FACT, then IPC_ASKED */
	IPC_ASK,
	IPC_FACT,  /* auth, store -> parent: u64 token, struct control_fact */
	IPC_ASKED, /* auth, store -> parent: u64 token, struct control_done */
	/* parent -> auth: have all maildrops looked at from which mail goes by
	 * itself, where nobody signs in (IPC_EXPIRE) */
	IPC_ROUND,
	/* parent -> auth: forget which passwords were verified lately */
	IPC_FORGET,
	/* parent -> auth: u8 role, u16 index: another process comes to that place
	 * (IPC_ATTACH), and the one that is there answers what it was asked */
	IPC_SUCCESSOR,

	/* worker -> auth.  All that begin a sign-in have the fd of the client's
	 * connection, which says from where it comes: see auth/vouch.h */
	IPC_PASS =
	    40,   /* u64 sid, u64 token, fd, str peer, u8 SESSION_ bits, str
	                * name, bytes password */
	IPC_APOP, /* u64 sid, u64 token, fd, str peer, u8 SESSION_ bits, str name,
	           * str timestamp with its brackets, bytes digest (16 octets) */
	IPC_SASL, /* u64 sid, u64 token, fd, str peer, u8 SESSION_ bits, str
	           * mechanism; of the
	           * connection, if the mechanism asks for it: u8 were mechanisms
	           * offered that bind to the channel, u8 n, n times { str name,
	           * bytes data } of its bindings, bytes certificate of the client;
	           * u8 has initial response, bytes initial response */
	IPC_SASL_STEP,   /* u64 sid, bytes response */
	IPC_SIGN_IN_END, /* u64 sid: the client cancelled or has gone; or the
	                  * session that came of it was in vain, so that it does
	                  * not count for LOGIN-DELAY */
	IPC_KPOP, /* u64 sid, u64 token, fd, str peer, u8 inside TLS, bytes
	                  * AP-REQ.  Answer: IPC_CHALLENGE with the AP-REP, or
	                  * empty; then the name of USER is the response */
	/* auth -> worker; on success nothing: the store speaks next, or if it died
	 * IPC_REFUSED, which is stale if the store has spoken */
	IPC_CHALLENGE = 48, /* u64 sid, bytes challenge */
	IPC_REFUSED, /* u64 sid, u8 enum sign_in_code, str user: as claimed,
	              * bytes KRB-ERROR for the client of IPC_KPOP, or empty, u32
	              * seconds to wait if SIGN_IN_SOON */
	/* auth -> worker: str names, with spaces between them: the mechanisms
	 * (and APOP) that can be served, as the users are now; u64: the first half
	 * of APOP's timestamps (auth/timestamps.h); EXPIRE before sign-in: u32
	 * RETENTION_, u8 does it differ; LOGIN-DELAY before sign-in: u32 seconds, 0:
	 * there is none, u8 are there users with less */
	IPC_SERVED,

	/* sasl -> auth: u64 sid, u8 which of the services in the settings, str peer,
	 * u8 SESSION_TLS or 0, str mechanism, u8 has initial response, bytes initial
	 * response.  Goes on by IPC_SASL_STEP and IPC_SIGN_IN_END; the answers are
	 * IPC_CHALLENGE, IPC_REFUSED, or: */
	IPC_SERVICE = 60,
	/* auth -> sasl: u64 sid, str user: who it is */
	IPC_SIGNED_IN,

	/* auth -> store: u16 worker index, u64 sid, u64 token, str user, str mail
	 * (of a whole host: host_account.h), str peer, u8 SESSION_ bits, u32
	 * RETENTION_ of the maildrop; for LOGIN-DELAY: u32 seconds, 0: the sign-in
	 * does not count, login_mark; u32 pid of the worker */
	IPC_OPEN = 64,
	/* store -> auth: u16 worker index, u64 sid, u32 its pid: I have no channel to
	 * it (any more) */
	IPC_NO_WORKER,
	/* store -> auth: login_mark: it was not opened, and does not count */
	IPC_UNOPENED,
	/* auth -> store: str user, str mail, u32 days: look for mail that has been
	 * there so long.  Answer, when that is done or cannot be now: IPC_EXPIRED */
	IPC_EXPIRE,
	IPC_EXPIRED,
	/* auth -> store: give yourself up if no session has you.  Answer: */
	IPC_RETIRE,
	IPC_RETIRED, /* store -> auth: u8: is given up, and gets no more sessions */

	/* store -> worker */
	IPC_OPENED = 80, /* u64 sid, u64 token, str user, u32 count, u64 octets,
	                  * u32 messages that cannot be read now, u8 read only,
	                  * u32 a number of the file system that may wait for
	                  * others, 0: it does not, u32 RETENTION_ and u32
	                  * LOGIN-DELAY as in IPC_OPEN */
	IPC_NOT_OPENED,  /* u64 sid, u64 token, u8 enum sign_in_code, str user,
	                  * then of who has it if SIGN_IN_IN_USE: u64 since
	                  * when, seconds since 1970, str from where */
	IPC_INDEX_IS,    /* u64 sid, u8 ok, u64 end offset, fd if ok */
	IPC_FETCHED, /* u64 sid, u8 n, n times { u32 msgno, u8 enum fetch_status,
	              * u8 made, u64 offset, u64 stored octets, u64 wire octets },
	              * one fd for each FETCH_OK in order.  They are the first of
	              * those that were asked for, one at least: what the store
	              * makes takes memory.  made: IPC_CLOSED is due */
	IPC_COMMITTED, /* u64 sid, u32 removed, u32 failed */
	IPC_YIELD, /* u64 sid, u32 seconds: is it idle as long?  Then end it, and
	            * answer with IPC_RELEASE; else with IPC_KEEP */

	/* worker -> store */
	IPC_INDEX = 96, /* u64 sid */
	IPC_FETCH,      /* u64 sid, u8 n, n times u32 msgno; n <= IPC_FDS */
	IPC_MARKS, /* u64 sid, u8 enum mark_kind, u32 first msgno - 1 (a multiple
	            * of 8), bytes bitmap: bit i of octet j is first + 8j + i + 1 */
	IPC_COMMIT,  /* u64 sid: remove what was marked, then release */
	IPC_RELEASE, /* u64 sid: the session is over; no answer */
	IPC_KEEP,    /* u64 sid */
	IPC_DOUBT, /* u64 sid, u32 msgno: what the index says of it is wrong; 0: the
	            * index itself cannot be read */
	IPC_CLOSED, /* u64 sid, u64 octets: so many of messages that were made */

	/* auth -> kerberos */
	IPC_TICKET = 112, /* u64 id, u8 enum ticket_kind, bytes message of the
	                   * client.  Answer: IPC_TICKET_ANSWER */
	IPC_TICKET_END,   /* u64 id: it does not go on; no answer */
	/* kerberos -> auth: str realms of the keys that can be used, with spaces
	 * between them; empty: there is none, and no ticket can be good */
	IPC_TICKET_KEYS = 120,
	IPC_TICKET_ANSWER, /* u64 id, u8 enum ticket_result, str principal, bytes
	                    * authzid, bytes reply, str why */

	/* auth -> db, pam: u64 id, str name: what is known of that user?
	 * Answer: IPC_ROW */
	IPC_LOOKUP = 128,
	/* auth -> db, pam: u64 id, str name, bytes password, str peer: is that
	 * the password?  Only to who verifies.  Answer: */
	IPC_VERIFY,
	/* db, pam -> auth: u64 id, u8 enum lookup_result, u8 n, n times { str
	 * column, bytes value }, str why if LOOKUP_FAILED */
	IPC_ROW = 136,

	/* auth -> net: u64 id, bytes token: is it good, and whose?  Answer: */
	IPC_TOKEN = 160,
	/* net -> auth: u64 id, u8 enum token_result, u8 which issuer of the settings
	 * (1 for the first; 0: it is of none), str user, str why if it is not good */
	IPC_TOKEN_IS = 168,
	/* net -> parent, when they have been fetched, and parent -> net, what one
	 * before it has said: u16 which issuer of the settings, u64 when they are
	 * old, u64 when they are too old to be used (clock_ms()), bytes: its keys,
	 * as it publishes them, at most ISSUER_KEYS_MAX */
	IPC_ISSUER_KEYS,
	/* net_once -> maloted --check: u8 enum db_outcome: can the issuer of its
	 * settings be asked?, str why not */
	IPC_TRIED,

	/* malotectl, maloted --check -> db_once: struct db_command, once.  Answer:
	 * any number of IPC_DB_ROW, then IPC_DB_DONE */
	IPC_DB_COMMAND = 144,
	/* db_once -> who asks: u8 n, n times { str column, bytes value }; the first
	 * is no row, but the names of the columns */
	IPC_DB_ROW = 152,
	IPC_DB_DONE, /* u8 enum db_outcome, u8 was it reached, u64 rows that were
	              * changed, str why if it was not done */

	/* parent -> worker: u64 token, u8 are they to end, u32 where to begin,
	 * struct control_which: these sessions.  One piece is answered: */
	IPC_SESSIONS_WANTED = 160,
	/* worker -> parent: u64 token, struct control_sessions */
	IPC_SESSIONS,
	/* parent -> worker: u32 number, not 0, u8 does it begin, u8 with octets, str
	 * user: what is said in that user's sessions is to be told */
	IPC_TRACE,
	/* worker -> parent: u32 number, u64 sid, u8 enum trace_says, u32 lines before
	 * it that are lost, bytes line, without its end */
	IPC_TRACED,
	/* store -> parent: u64 token, struct control_messages */
	IPC_MESSAGES,
};

/* What has become of a command to a database. */
enum db_outcome {
	DB_DID,
	DB_NOT_NOW, /* it is not there, or does not answer; later perhaps */
	DB_WRONG,   /* somebody must mend the settings */
	DB_OUTCOMES
};

/* Whose a line of a trace is. */
enum trace_says { TRACE_SERVER, TRACE_CLIENT, TRACE_NOTE, TRACE_SAYS };

enum lookup_result {
	LOOKUP_FOUND, /* of IPC_VERIFY: and the password is right */
	LOOKUP_NOBODY,
	LOOKUP_FAILED, /* nobody can say, and why */
	LOOKUP_WRONG,  /* of IPC_VERIFY: there is such a user */
	LOOKUP_RESULTS
};

/* What a message of a client is that has to do with tickets. */
enum ticket_kind {
	TICKET_GSSAPI, /* the first of that mechanism */
	TICKET_STEP,   /* another of the same */
	TICKET_AP_REQ, /* KPOP's, the only one */
	TICKET_KINDS
};

/* What it came to. */
enum ticket_result {
	TICKET_MORE, /* the reply is for the client, whose answer is awaited */
	TICKET_GOOD, /* it is that principal's, who wants to be authzid; KPOP: the
	              * reply is the AP-REP if one is asked for, and authzid empty */
	TICKET_BAD, /* and why; KPOP: the reply is a KRB-ERROR */
	TICKET_MALFORMED,
	TICKET_FAILED, /* nobody can say, and why */
	TICKET_RESULTS
};

/* What a token of OAuth came to. */
enum token_result {
	TOKEN_GOOD,
	TOKEN_BAD,
	TOKEN_NARROW, /* it is good, but not for this: its scope */
	TOKEN_FAILED, /* nobody can say, and why */
	TOKEN_RESULTS
};

/* How a sign-in ended; the worker says it with the response code. */
enum sign_in_code {
	SIGN_IN_CREDENTIALS, /* [AUTH] */
	SIGN_IN_TEMPORARY,   /* [SYS/TEMP] */
	SIGN_IN_PERMANENT,   /* [SYS/PERM] */
	SIGN_IN_IN_USE,      /* [IN-USE] */
	SIGN_IN_MALFORMED, /* a mechanism's message that makes no sense: -ERR */
	/* [AUTH], though the password was right: */
	SIGN_IN_SWITCHED_OFF, /* for this user, or POP3 is */
	SIGN_IN_TLS_ONLY,
	SIGN_IN_SOON, /* [LOGIN-DELAY], the password was right */
	SIGN_IN_CODES
};

/* What the admin asks a store about a maildrop, or has it do there. */
enum inquiry_kind {
	INQUIRY_UIDL,          /* what decided the unique-ids there? */
	INQUIRY_UIDL_FORGET,   /* that is to be decided anew */
	INQUIRY_EXPIRY,        /* what expires there? */
	INQUIRY_EXPIRY_ACCEPT, /* what is held back may go on */
	INQUIRY_LIST,          /* which messages are there? */
	INQUIRY_MESSAGE,       /* what is known of that one? */
	INQUIRY_CHECK,         /* is all of it as it should be? */
	INQUIRY_KINDS
};

/* Is something to be done? */
static inline bool
inquiry_changes(enum inquiry_kind what)
{
	return what == INQUIRY_UIDL_FORGET || what == INQUIRY_EXPIRY_ACCEPT;
}

/* Is it about its messages? */
static inline bool
inquiry_is_of_mail(enum inquiry_kind what)
{
	return what == INQUIRY_LIST || what == INQUIRY_MESSAGE ||
	       what == INQUIRY_CHECK;
}

/* What auth can be asked: about a user; about a user with that password; who
 * failed to sign in lately. */
enum ask_kind { ASK_USER, ASK_TRY, ASK_FAILURES, ASK_KINDS };

/* What has become of a file since it was told of last. */
enum users_news {
	USERS_SAME,
	USERS_NEW, /* there is another, or perhaps another content */
	USERS_NONE /* it is not there any more */
};

/* Of a session. */
enum session_bits {
	SESSION_TLS = 1,
	SESSION_UTF8 = 2,      /* it has said UTF8: RFC 6856 */
	SESSION_READ_ONLY = 4, /* beside other sessions, and changes nothing */
	/* By somebody who signs in for the user, who hears nothing of it. */
	SESSION_MASTER = 8,
};

/* FETCH_UTF8: only for who has said UTF8. */
enum fetch_status { FETCH_OK, FETCH_GONE, FETCH_UTF8, FETCH_FAILED };
/* MARK_TAKEN: is removed as it was retrieved (EXPIRE 0). */
enum mark_kind { MARK_REMOVE, MARK_SEEN, MARK_TAKEN, MARK_KINDS };

enum {
	NAME_MAX_OCTETS = 255,   /* user name; RFC 4616 s2 asks for it */
	PASSWORD_MAX = 1024,     /* RFC 4616 s2 asks for 255 */
	SCHEME_STORED_MAX = 512, /* a hash that we make, with its NUL */
	/* One message of a mechanism.  Those that the server offers ask for a
	 * password; the longest is PLAIN's: two names and a password, with the
	 * NULs between them.  Whoever has not signed in can make the server
	 * keep as much. */
	SASL_MAX = 2 * (NAME_MAX_OCTETS + 1) + PASSWORD_MAX,
	/* The same of a mechanism with tickets, which some servers of tickets
	 * fill with all groups that somebody is in: only where it is offered. */
	TICKET_MAX = 48 * 1024,
	/* The same of a mechanism with tokens: of 16 KiB in base64. */
	TOKEN_MESSAGE_MAX = 12 * 1024,
	TOKENS_MAX = 1024,       /* that are looked at, at a time */
	PRINCIPAL_MAX = 1024,    /* with its realm and a NUL */
	TICKET_REPLY_MAX = 2048, /* octets */
	REALMS_MAX = 512,
	TICKETS_MAX = 1024, /* exchanges at a time */
	LOOKUPS_MAX = 8192, /* in one database at a time */
	ROW_COLUMNS_MAX = 32,
	ROW_OCTETS_MAX = 16 * 1024, /* of all columns */
	SERVICE_MAX = 16,           /* what a service is called, with its NUL */
	SERVICES_MAX = 8,
	/* In the place of a worker's index, above all of those: of a sign-in that
	 * the role sasl asks for. */
	SASL_INDEX = 64,
	PEER_MAX = 64, /* printed address */
	BINDINGS_MAX = 3,
	CLIENT_CERT_MAX = 16 * 1024, /* octets of DER */
	SERVED_MAX = 512,            /* octets of names in IPC_SERVED */
	LOGIN_DELAY_MAX = 24 * 3600, /* seconds */
	MAIL_PATH_MAX = 4096,
	HOST_USERS_MAX = 256,    /* of a host whose mail is read as a whole */
	MAIL_MAX = 32 * 1024,    /* where that is, in octets */
	MARKS_CHUNK = 16 * 1024, /* octets of bitmap in one IPC_MARKS */
	TRACES_MAX = 8,          /* users who are traced at a time */
	TRACE_LINE_MAX = 1024,   /* octets of a line that are told */
};

#endif
