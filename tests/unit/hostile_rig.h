/*
 * hostile_rig.h - peers that were broken into: each role in turn hears every
 * message there is, from each of those that it has a channel to, as it should be
 * and not, in any order, again and again, about sessions of its own and of
 * others.
 *
 * It may give the channel up, and go on with a new one.  It must not end, and
 * what other peers and clients have of it must not change.
 */
#ifndef TESTS_HOSTILE_RIG_H
#define TESTS_HOSTILE_RIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "server/ipc/fields.h"
#include "server/ipc/ipc.h"
#include "server/ipc/role.h"

enum {
	SOON = 20 * 1000, /* for any answer, however slow the machine */
	HONEST = 0,       /* indexes */
	BROKEN = 1,
	PID = 77, /* of all */
};

struct message {
	uint8_t octets[IPC_MSG_MAX];
	size_t n;
	unsigned fds;
	int fd; /* what they are; 0: of no use */
};

/* The process, of which the test is the parent and the peers. */
struct rig {
	pid_t pid;
	struct ev_loop
	    *loop; /* never run: the channel only collects and sends */
	struct ipc_chan *ctl;
	int ctl_fd;
	unsigned accused;
	uint64_t dice;
	uint64_t sid[3];   /* sessions: two of others, and its own */
	bool names_stores; /* the process is auth */
	int worker, store, auth, client, other;
	struct sockaddr_in at; /* of the worker */
	char mail[2][256];     /* the honest peer's maildrop, and another */
};

extern struct rig rig;
extern const unsigned n_shapes; /* of messages that are said */

/* ---- the process ---- */

void start(
    int (*role_main)(int ctl), const struct ipc_fields *fields, void *conf);
void finish(void);

/* The only process of its role. */
struct role_conf our_role(void);

/* Our end of a channel. */
int attach(enum ipc_role role, uint16_t index);

/* Sends what was put into the channel of its parent. */
void sent(void);

/* It answers its parent. */
void assert_turns(void);

/* ---- messages ---- */

/* Chance, the same each time. */
uint32_t dice(uint32_t sides);

/* A message that is right. */
struct message *message(uint16_t type);
void put_u(struct message *m, unsigned octets, uint64_t v);
void put_text(struct message *m, const char *text);

/* False: the other end has given the channel up. */
bool say(int fd, const struct message *m);

/* Waits until something comes there, and serves the process meanwhile. */
void await(int fd);

/* The next message of that type, which must come; another is left out. */
void hear(int fd, uint16_t type, void *out, size_t n);

/* Takes what has come.  False: the end. */
bool swallow(int fd);

void assert_nothing_came(int fd);

/* ---- everything ---- */

/* Says everything, by channels that are replaced as often as they are given
 * up: begin() says what comes first.  often: a type that it says more often, or
 * 0. */
void say_all(enum ipc_role role, uint16_t often, void (*begin)(int fd),
    void (*unchanged)(void));
void say_everything(
    enum ipc_role role, void (*begin)(int fd), void (*unchanged)(void));

/* Is this message among what is said? */
bool is_said(const char *name, unsigned type);

#endif
