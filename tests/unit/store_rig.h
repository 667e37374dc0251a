/*
 * store_rig.h - the store process, driven over its channels as the parent, auth
 * and two workers would.
 */
#ifndef TESTS_UNIT_STORE_RIG_H
#define TESTS_UNIT_STORE_RIG_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "drop.h"
#include "server/ipc/ipc.h"
#include "server/ipc/login_mark.h"

enum { POP3S = 2, WAIT = 20 /* seconds for any answer */ };

/* The last message that came by a channel. */
struct heard {
	uint16_t type;
	uint64_t sid, octets, end;
	uint32_t count, left_out, removed, failed;
	uint8_t role, code, ok, n;
	uint16_t index;
	uint32_t pid;
	char user[NAME_MAX_OCTETS + 1], from[PEER_MAX];
	uint64_t since;
	struct login_mark counted;
	struct hold_message m[IPC_FDS];
	int fd;
};

struct end {
	struct ipc_chan *c;
	struct heard heard;
	unsigned unheard; /* messages since expect() */
	bool gone;
};

extern struct kit {
	struct drop_fixture f;
	struct ev_loop *loop;
	struct end parent, auth, pop3[POP3S];
	int fd[POP3S];            /* other ends of channels not attached */
	uint32_t pids[POP3S + 1]; /* of the workers; one is not there */
	pid_t pid;
	/* Of what is opened from now on. */
	bool read_only;
	uint32_t retention, login_delay;
} kit;

/* Before and after each test: alice's maildrop of three messages. */
int kit_setup(void **state);
int kit_teardown(void **state);

/* Starts the store and attaches auth and the workers. */
void start(void);

/* Ends it if it has not ended; its exit status must be 0. */
void finish(void);

/* A new channel; of a worker it is that of a new process. */
void attach(enum ipc_role role, uint16_t index, struct end *end);

/* ---- what comes ---- */

/* Runs the loop for so long, or until something is heard; false: nothing. */
bool wait_for(double seconds);

/* The next message, which must be the only one, and this. */
struct heard *expect(struct end *end, uint16_t type);
void expect_opened(unsigned i, uint64_t sid, uint32_t count);
void expect_refused(unsigned i, uint64_t sid, enum sign_in_code code);

/* The parent is told of that process. */
void expect_misbehaved(enum ipc_role role, uint16_t index);

/* The store ends the channel, which is closed then. */
void expect_gone(struct end *end);

/* ---- what goes ---- */

/* Of a sign-in that counts for LOGIN-DELAY, if kit.login_delay is set. */
struct login_mark mark(uint64_t sid);

/* Sends what was put behind ipc_begin(). */
void send_end(struct end *end);

/* A message that is nothing but the number of a session. */
void say(struct end *end, uint16_t type, uint64_t sid);

/* Auth, of a sign-in of alice by that worker. */
void say_open(uint16_t index, uint64_t sid, const char *mail, const char *from);
void open_drop(uint16_t index, uint64_t sid);

/* The first worker. */
void say_fetch(uint64_t sid, unsigned n, const uint32_t *msgno);
void say_marks(uint64_t sid, enum mark_kind kind, uint32_t first,
    const char *bitmap, size_t n);

/* The parent: sessions may last so long. */
void say_stop(uint32_t ms);

#endif
