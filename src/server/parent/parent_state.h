/*
 * parent_state.h - what the files of the parent share.  From the lowest up, each
 * using only those before it:
 *
 *	name_key.c	the key of what is made up about nobody
 *	known_roots.c, mail_root.c	is the mail where it was
 *	handover.c	between this maloted and one that takes its place
 *	inherited.c	sockets that were there before us
 *	listen.c, ports.c	where connections arrive
 *	child.c		one process and where it stands
 *	roots.c		the mail roots, one beside the other
 *	answers.c	what several processes are asked at a time
 *	tallies.c	what they count
 *	child_tell.c	what a process is told
 *	cut.c		two processes that are without each other for a while
 *	phase.c		starting, serving, stopping, ending
 *	certificates_watch.c	certificates that are renewed
 *	traces.c	what one user's sessions say, in a file
 *	issuer_keys.c	what the process net has fetched, for the next one
 *	child_start.c	starting a process, and again when it has died
 *	unix_socket.c	sockets with a name in the file system
 *	service_sockets.c	those at which other programs ask who signs in
 *	metrics_socket.c	that at which monitors ask what is counted
 *	control_client.c	who asks at the control socket
 *	control_elder.c	where else they may ask
 *	control_status.c, control_inquiry.c, control_auth.c,
 *	control_maildrop.c, control_sessions.c	what they ask
 *	restart.c	another maloted takes our place
 *	replace.c	processes that others take the place of
 *	reload.c	settings that are read again
 *	control_socket.c	the socket, and the table of commands
 *	heir.c		we take another maloted's place
 *	uid_store.c	stores of users' own uids, which come and go
 *	upgrades.c	stored passwords by another scheme
 *	parent_messages.c	what processes say
 *	watchdog.c	processes whose loop does not turn
 *	parent.c	signals, keys, beginning and end
 */
#ifndef SERVER_PARENT_PARENT_STATE_H
#define SERVER_PARENT_PARENT_STATE_H

#include <ev.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/conf/conf.h"
#include "server/ipc/addrcount.h"
#include "server/ipc/control.h"
#include "server/ipc/ipc.h"
#include "server/ipc/tally.h"
#include "server/parent/handover.h"
#include "server/parent/inherited.h"
#include "server/parent/mail_root.h"
#include "server/parent/ports.h"
#include "server/parent/unix_socket.h"
#include "server/parent/users_watch.h"

struct child;
struct control_client;
struct cut;
struct parent;
struct trace;

enum parent_phase {
	PARENT_STARTING, /* some process is not ready for the first time */
	PARENT_SERVING,
	PARENT_DRAINING, /* another has our place: sessions may finish */
	PARENT_STOPPING, /* the same, soon */
	PARENT_ENDING,   /* stores and auth may finish */
};

/* Tickets are made with the first and taken with any: a client may resume for
 * the time of two rotations. */
enum { TICKET_KEY = 80, TICKET_KEYS = 3 };

/* Hashes to be written, and the process that does it: upgrades.c. */
struct upgrades {
	struct upgrade_conf conf; /* the rows that wait */
	bool were_wanted; /* before a reload: some may be on their way */
	ev_child died;
	ev_timer pause;
	struct ipc_chan *chan; /* to the process, or NULL */
};

/* Those whose place we have taken, directly or by others between; see status. */
enum { DRAINS_MAX = 8 };
struct drain {
	struct handover_message is;
	uint64_t heard; /* clock_ms() */
};

/* Who served before us and who will after us: heir.c, restart.c. */
struct succession {
	int elder;           /* the channel to it; -1: there is none */
	uint32_t elder_form; /* its CONTROL_FORM */
	bool held;           /* it still serves, and we accept nobody */
	bool ready_said;
	ev_io from_elder;
	struct drain drain[DRAINS_MAX];
	unsigned n_drains;

	int heir; /* the channel to it; -1: there is none */
	pid_t heir_pid;
	ev_io from_heir;
	ev_timer late;   /* it has not become ready in time */
	ev_timer report; /* how far the sessions are that we still have */
	uint64_t asked;  /* the token of who waits at the control socket; 0 */
	char why[CONTROL_WORDS]; /* it cannot take our place */

	/* Somebody else has the sockets, too: they are closed, but neither shut
	 * down nor removed. */
	bool shared;
};

enum { CERTIFICATE_FILES = 3 }; /* chain, key, answer of OCSP */

struct certificate_state {
	struct stat st[CERTIFICATE_FILES]; /* zero: it is not there */
};

/* Of one certificate: certificates_watch.c. */
struct certificate_watch {
	struct certificate_state seen, tried; /* last */
	int64_t warned;                       /* which day */
	char
	    problem[CONTROL_WORDS]; /* why the files are not in use, or empty */
};

/* Questions that several processes have been asked: answers.c. */
struct answers {
	uint32_t number; /* of the last round */
	ev_timer over;
	void (*done)(struct parent *p);
	char refusal[256]; /* of the first who said no; empty: nobody did */
};

enum { RELOAD_LINES = 64 };

/* Settings that are being taken over: reload.c. */
struct reload {
	uint32_t number; /* of the last one */
	bool under_way;
	bool again; /* somebody has asked for another since */
	struct conf *next;
	struct ports ports; /* what it listens at; later, what was before */
	char *line[RELOAD_LINES]; /* what is said about them */
	unsigned n_lines;
	char kept[512]; /* what holds after a restart only */
	ev_timer soon;  /* the next one */
};

struct found_root {
	uint32_t number; /* of struct conf_root */
	struct mail_root is;
};

/* What the process net has fetched: issuer_keys.c. */
struct issuer_keys {
	struct issuer_conf of;
	uint64_t old_at, ends_at; /* clock_ms() */
	char *octets;             /* NULL: there are none */
	size_t n;
};

struct parent {
	struct ev_loop *loop;
	struct conf *conf;       /* that hold now */
	struct conf *first_conf; /* of who has started us */
	struct conf_env env;
	void (*try)(const struct conf *c, struct conf_report *report);
	enum parent_phase phase;
	int status;       /* to exit with */
	uint64_t started; /* clock_ms() */
	TAILQ_HEAD(child_list, child) children;
	/* What a process of each role may say: parent_messages.c. */
	const struct ipc_rules *rules;
	LIST_HEAD(, cut) cuts;
	uint16_t next_uid_store; /* see uid_store.c */

	char conf_file[PATH_MAX]; /* absolute */
	struct answers answers;
	struct reload reload;
	struct ports ports;
	struct inherited inherited;
	struct succession succession;
	bool has_metrics; /* the socket of metrics is */
	struct addrcount counts;
	struct { /* tallies.c */
		int fd[2];
		unsigned pages;
		void *all;
		struct tally_page before[2];
		uint64_t at[2]; /* clock_ms() */
		ev_timer minute;
	} tally;
	uint8_t tickets[TICKET_KEYS][TICKET_KEY];
	unsigned n_tickets;
	struct users_watch users, apps;
	struct certificate_watch certificates[CERTIFICATES_MAX];
	ev_timer certificates_look;
	char apps_path[PATH_MAX]; /* the database of app passwords */
	struct upgrades upgrades;
	struct found_root roots[MAIL_ROOTS_MAX]; /* as conf->root: roots.c */
	unsigned n_roots;
	struct issuer_keys issuer_keys[ISSUERS_MAX];
	struct unix_made control_made, metrics_made;
	ev_io control; /* the control socket; fd -1: there is none */
	const struct ipc_rules *commands; /* of who asks there */
	TAILQ_HEAD(, control_client) clients;
	unsigned n_clients;
	LIST_HEAD(, trace) traces; /* traces.c */
	uint32_t last_trace;

	ev_signal sigterm, sigint, sighup, sigusr2;
	ev_timer rotate, deadline, look, round, watchdog;
	bool killed; /* phase.c: those that were late at the deadline */
	ev_prepare flush;
};

#endif
