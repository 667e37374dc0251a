/*
 * control.h - what malotectl and the parent say to each other, over the socket
 * that the setting control_socket names.
 *
 * malotectl connects and says one command.  The parent answers with any number
 * of messages that tell something, and CONTROL_DONE.  Nothing else is ever said
 * on the connection.
 */
#ifndef SERVER_IPC_CONTROL_H
#define SERVER_IPC_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc/fields.h"
#include "server/ipc/proto.h"

enum control_type {
	/* malotectl -> parent: struct control_about; the first has none */
	CONTROL_STATUS = 1,
	CONTROL_UIDL_SHOW,   /* a user */
	CONTROL_UIDL_FORGET, /* a user */
	CONTROL_ROOT_ACCEPT, /* the path of a mail root, or nothing */
	/* For root only. */
	CONTROL_USER_SHOW,     /* a user */
	CONTROL_USER_TEST,     /* struct control_credentials */
	CONTROL_AUTH_FAILURES, /* nothing */
	/* For all who may ask. */
	CONTROL_EXPIRE_SHOW,   /* a user */
	CONTROL_EXPIRE_ACCEPT, /* a user */
	CONTROL_RELOAD,        /* nothing; for root only.  Tells CONTROL_NOTEs;
	                        * the words at the end say which settings hold
	                        * after a restart only */
	/* For root only: struct control_which. */
	CONTROL_WHO,
	CONTROL_KICK,          /* the same, which end */
	CONTROL_MAILDROP_LIST, /* struct control_number: a user */
	CONTROL_MAILDROP_SHOW, /* the same, and a message */
	CONTROL_MAILDROP_CHECK,
	CONTROL_TRACE,   /* struct control_trace; done: the path of the file */
	CONTROL_RESTART, /* nothing; for root only */

	/* parent -> malotectl: each is the struct of its name */
	CONTROL_SERVER = 32,
	CONTROL_PROCESS,
	CONTROL_LISTENER,
	CONTROL_ROOT,
	CONTROL_NOTE,
	CONTROL_UIDL,
	CONTROL_FACT,
	CONTROL_EXPIRE,
	CONTROL_SESSIONS,
	CONTROL_MESSAGES,
	CONTROL_DRAIN,
	CONTROL_COUNT,
	CONTROL_CERTIFICATE,
	CONTROL_ELDER, /* u32 pid, fd: a connection to the maloted whose place
	                * this one has taken; it is to be asked the same */
	CONTROL_DONE = 63, /* the last one */
};

/* Of CONTROL_WHO and CONTROL_KICK, what they ask and what is told: another number
 * whenever anything of that becomes another one, as one version may ask another. */
enum { CONTROL_FORM = 1 };

enum control_outcome {
	CONTROL_GOOD,
	CONTROL_NO_USER,
	CONTROL_IN_USE, /* somebody has the maildrop */
	CONTROL_LATER,  /* the same may be possible soon */
	CONTROL_CANNOT, /* a person must mend something */
	CONTROL_DENIED,
	CONTROL_OUTCOMES
};

enum { CONTROL_WORDS = 512, CONTROL_WORD = 24 };

struct control_about {
	char what[MAIL_PATH_MAX];
};

struct control_credentials {
	char what[MAIL_PATH_MAX], password[PASSWORD_MAX + 1];
};

/* Times are seconds since 1970. */
struct control_server {
	char version[CONTROL_WORD], phase[CONTROL_WORD];
	uint32_t pid, uid, since;
};

struct control_process {
	char role[CONTROL_WORD], state[CONTROL_WORD];
	uint16_t index;
	uint32_t pid, uid, since;
	bool answers; /* it has said how many sessions it has: */
	uint32_t sessions;
};

struct control_listener {
	char name[64], at[112], tls[CONTROL_WORD];
	bool plaintext_login;
};

/* Times are 0 if there is none. */
struct control_certificate {
	char name[64];                /* of its block, or empty */
	char file[1024], names[1024]; /* cut, if need be */
	char key[CONTROL_WORD];       /* its kind */
	uint32_t expires, ocsp_until;
	bool soon;                   /* it expires soon, or has expired */
	char problem[CONTROL_WORDS]; /* why the files are not in use */
};

struct control_root {
	char path[MAIL_PATH_MAX];
	bool served;
};

/* How often something has happened since the server began, and in the last so many
 * seconds; or how much of something there is now. */
struct control_count {
	char name[CONTROL_WORD];
	bool is_now;
	uint64_t total, lately;
	uint32_t seconds;
};

/* What somebody should know: a thing that is not confined. */
struct control_note {
	char words[CONTROL_WORDS];
};

/* The unique-ids of a maildrop, as its store found them. */
struct control_uidl {
	char decided[CONTROL_WORD]; /* by which they go; empty: nothing yet */
	char setting[CONTROL_WORD]; /* `uidl' */
	char format[128];           /* pop3_uidl_format, of "dovecot" */
	char ignored[64];           /* lists that came later */
	bool listed;                /* there is an index, with: */
	uint32_t messages;
	uint32_t written; /* unique-ids in malote-uidl */
	uint32_t bad;     /* lines there that cannot be read */
};

/* One thing that is known: of what was asked about (row 0), or of the n-th row
 * of a list. */
enum fact_kind { FACT_TEXT, FACT_NUMBER, FACT_FLAG, FACT_KINDS };

struct control_fact {
	uint16_t row;
	enum fact_kind kind;
	char name[CONTROL_WORD];
	uint32_t number; /* or a flag: not 0 */
	char text[MAIL_PATH_MAX];
};

/* What expires in a maildrop, as its store found it.  Times are seconds since
 * 1970. */
enum expire_held {
	EXPIRE_HELD_NOT,
	EXPIRE_HELD_CLOCK, /* somebody has set it, or nobody has looked */
	EXPIRE_HELD_SHARE, /* it would be much of the maildrop */
	EXPIRE_HELDS
};

struct control_expire {
	char user[NAME_MAX_OCTETS + 1]; /* who was told */
	uint32_t days;
	uint32_t since; /* then */
	uint32_t looked, next;
	enum expire_held held;
	uint32_t due, of; /* EXPIRE_HELD_SHARE: so many of so many messages */
};

/* One session, or those of a user, or all of those that are signed in. */
struct control_which {
	char user[NAME_MAX_OCTETS + 1]; /* empty: anybody */
	uint16_t worker;                /* of `sid' */
	uint64_t sid;                   /* 0: not by its number */
};

struct control_trace {
	char user[NAME_MAX_OCTETS + 1];
	bool off;    /* it ends, else it begins */
	bool octets; /* with what is in the messages */
};

struct control_number {
	char user[NAME_MAX_OCTETS + 1];
	uint32_t number;
};

/* A message of a maildrop, as a session would have it now. */
struct control_message {
	uint32_t number, date; /* of its file, seconds since 1970; 0: no file */
	uint64_t octets;
	char uid[72], id[256]; /* Message-ID: as it stands there, or empty */
};

enum { MESSAGES_PIECE = 64 };

struct control_messages {
	uint32_t next; /* where the next piece begins; 0: nowhere */
	uint16_t n;
	struct control_message message[MESSAGES_PIECE];
};

/* A session, as its worker knows it.  `since' is seconds since 1970; octets are
 * counted from the server, in: what came from the client. */
struct control_session {
	uint16_t worker;
	uint64_t sid;
	char user[NAME_MAX_OCTETS + 1], peer[PEER_MAX];
	char tls[CONTROL_WORD], method[CONTROL_WORD], state[CONTROL_WORD];
	uint32_t since, commands, messages, marked, retrieved;
	uint64_t in, out;
};

/* A piece of them: as many as a worker looks up at a time. */
enum { SESSIONS_PIECE = 64 };

struct control_sessions {
	uint32_t next; /* where the worker's next piece begins; 0: nowhere */
	uint16_t n;
	struct control_session session[SESSIONS_PIECE];
};

/* A maloted whose place this one has taken, and that has sessions yet. */
struct control_drain {
	char version[32];
	uint32_t pid, since, sessions;
};

struct control_done {
	enum control_outcome outcome;
	char words[CONTROL_WORDS]; /* why not; or what else there is to know */
};

extern const struct ipc_fields control_about_fields, control_server_fields,
    control_process_fields, control_listener_fields, control_root_fields,
    control_note_fields, control_uidl_fields, control_expire_fields,
    control_done_fields, control_drain_fields, control_credentials_fields,
    control_fact_fields, control_which_fields, control_sessions_fields,
    control_trace_fields, control_number_fields, control_messages_fields,
    control_count_fields, control_certificate_fields;

/* The largest message that a table can make, for an ipc_rule. */
enum {
	CONTROL_REQUEST_MAX = 4 + MAIL_PATH_MAX,
	CONTROL_CREDENTIALS_MAX = CONTROL_REQUEST_MAX + 4 + PASSWORD_MAX,
	CONTROL_ANSWER_MAX = 64 + MAIL_PATH_MAX,
	CONTROL_WHICH_MAX = 4 + NAME_MAX_OCTETS + 2 + 8,
	CONTROL_MESSAGES_MAX = sizeof(struct control_messages) + 1024,
	CONTROL_SESSIONS_MAX = sizeof(struct control_sessions),
};

#endif
