/*
 * role.h - the life of a role process, as far as it is the same for all.
 *
 * The parent starts "maloted -x ROLE" with standard error as the pipe for its
 * log and ROLE_FD as its channel to the parent, and sends IPC_CONF: a struct
 * role_conf, then the role's own settings.  A role calls in this order:
 *
 *	role_begin()	its settings come
 *	role_enter()	it becomes its user; threads are started after this
 *	role_limit()	seccomp; no threads after this
 *	role_open()	the parent may speak to it
 *	role_serve()	until its loop is left
 */
#ifndef SERVER_IPC_ROLE_H
#define SERVER_IPC_ROLE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/ipc/fields.h"
#include "server/ipc/ipc.h"
#include "server/ipc/proto.h"

enum { ROLE_FD = 3 };

/* What every role is told. */
struct role_conf {
	uint16_t n;        /* how many of its kind are always there */
	uint16_t index;    /* among them */
	uint32_t uid, gid; /* to become */
	uint32_t memory;   /* MiB */
	bool held;         /* no connection is accepted before IPC_ACCEPT */
};

/* The first rows of the table of a struct that has a `struct role_conf role`. */
#define ROLE_FIELDS(T) \
	FIELD(T, role.n), FIELD(T, role.index), FIELD(T, role.uid), \
	    FIELD(T, role.gid), FIELD(T, role.memory), FIELD(T, role.held)

/* Where a role counts, if it does (tally.h). */
struct role_tally {
	int fd;
	uint16_t page;
};

#define ROLE_TALLY_FIELDS(T) FIELD_FD(T, tally.fd), FIELD(T, tally.page)

/* Counts there from now on, and closes the descriptor. */
void role_tally(const struct role_tally *t);
/* Of settings that came anew: it counts there already. */
void role_tally_close(const struct role_tally *t);

/* Opens the log and waits for the settings.  The process ends if they do not
 * come, or are not what the table says. */
void role_begin(
    const char *name, int ctl, const struct ipc_fields *t, void *conf);

/*
 * Becoming the role, in two halves.  A process ends when something fails; what
 * the kernel lacks is the parent's to judge.  Threads are started between the halves:
 * Landlock and capabilities hold for the threads that come after role_enter(),
 * and after role_limit() none can be started.
 */

/* Becomes the role's user.  Of the file system only `root` stays, which is the
 * working directory from then on; NULL: nothing stays, and as root the root
 * directory is an empty one. */
void role_enter(const struct role_conf *r, const char *root);

/* Becomes the role's user, who can read what lies at or below these paths, as
 * far as that user may, and reaches no other file: for libraries that read
 * files of their own. */
void role_enter_reading(
    const struct role_conf *r, const char *const *paths, size_t n);

/* The same, and role_limit() at once, for a process that starts others of which
 * nobody knows what they need: it stays root where the role's user is root, without
 * the rights of root and the calls by which it could leave the place that it has on
 * the machine; for what it starts the same holds. */
void role_enter_asking(const struct role_conf *r);

/* Keeps only these ports of TCP to connect to; after role_enter_reading(). */
void role_connect_to(const uint16_t *ports, size_t n);

/* Keeps only these system calls, and the few that every role needs. */
void role_limit(const char *const *calls, size_t n);

/* ---- serving ---- */

enum { ROLE_RULES_MAX = 24 };

/* A running process.  It is the first member of the role's own struct, which
 * is the `arg` of all that is called. */
struct role {
	const struct role_hooks *hooks;
	/* When the parent has gone, what is put here gets E_CLOSED. */
	struct ipc_chan *parent;
	struct ipc_rule rule[ROLE_RULES_MAX];
	struct ipc_rules rules;
	struct ev_loop *loop;
	ev_prepare turn;
	/* Another process has its place, and it ends when auth has let go of it,
	 * as it may have already, or after some time. */
	bool leaving, alone;
	uint32_t auths; /* that role_attach_auth() has attached */
	bool refused;   /* to prepare the settings that it was told last */
	ev_timer end;
};

/* Another process of this server.  One that is started in the place of another
 * has its index. */
struct role_peer {
	enum ipc_role role;
	uint16_t index;
	uint32_t pid;
};

struct role_hooks {
	/* A channel to another process, perhaps in the place of one that has
	 * died unnoticed.  Takes fd.  E_FORMAT: there can be no such process. */
	enum err (*attach)(void *arg, const struct role_peer *peer, int fd);
	/* Finish within ms, then leave the loop.  NULL: there is nothing to
	 * finish but what auth has asked, and it ends when auth lets go of it, or
	 * when the parent closes the channel. */
	void (*stop)(void *arg, uint32_t ms);
	/* The parent has gone: leave the loop soon.  NULL: it is left now. */
	void (*orphaned)(void *arg);
	/* At the end of each turn of the loop; or NULL. */
	void (*turn_end)(void *arg);
	/* How many sessions it has, for those who ask how the server is. */
	uint32_t (*sessions)(const void *arg);
	/* Settings that come anew while it serves, and their size; NULL: for
	 * others there is another process.  prepare(): makes of them what is
	 * needed to use them, or says why it cannot; *conf, and what it refers to,
	 * is its own.  What was prepared before is forgotten.  decide(): they
	 * hold from now on, or are forgotten; there may be none. */
	const struct ipc_fields *settings;
	size_t settings_size;
	enum err (*prepare)(void *arg, void *conf, struct errbuf *eb);
	void (*decide)(void *arg, bool use);
	/* What else the parent may say; at most ROLE_RULES_MAX - 5. */
	const struct ipc_rule *rule;
	size_t n_rules;
};

/* Takes ctl.  `hooks` and `loop` are borrowed for the life of the process. */
void role_open(struct role *r, const struct role_hooks *hooks,
    struct ev_loop *loop, int ctl);

/* Tells the parent that the role serves, and runs the loop until it is left;
 * messages to the parent and the log have left when it returns. */
void role_serve(struct role *r);

/* For the `attach` of a role that only auth speaks with.  *auth: its channel,
 * or NULL; one that is there still is closed by the rules' own `gone`, as if auth
 * had died.  r->auths counts them: another auth counts its questions from one
 * again, and must not take an answer for that to another question.  E_FORMAT:
 * it is not auth, and *auth stays as it is. */
enum err role_attach_auth(struct role *r, struct ipc_chan **auth,
    const struct ipc_rules *rules, enum ipc_role role, int fd) NODISCARD;

/* For the `gone` of a channel to another process: that it was closed because
 * of what came (E_FORMAT) is said to the parent, which makes a new one after a
 * while.  A death the parent sees by itself. */
void role_link_lost(
    struct role *r, enum ipc_role role, uint16_t index, enum err why);

#endif
