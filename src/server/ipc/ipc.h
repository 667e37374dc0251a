/*
 * ipc.h - messages between our processes, over SOCK_SEQPACKET pairs.
 *
 * A message is a type, fields that are put and got one by one, and up to
 * IPC_FDS descriptors.  It is never a dump of a struct.  Everything that
 * arrives is checked, as the other side may have been broken into: the type
 * against a table (permitted in this phase? size? descriptors?), each field
 * against what is left, and the end against the end.  What fails a check ends
 * the channel.
 *
 * Messages are collected during a turn of the loop and leave together
 * (sendmmsg); up to IPC_BATCH are taken in one call.  Nothing here waits,
 * except the two functions that say so.
 */
#ifndef SERVER_IPC_IPC_H
#define SERVER_IPC_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum {
	IPC_FDS = 32,            /* descriptors in one message, at most */
	IPC_MSG_MAX = 96 * 1024, /* octets in one message, at most */
	IPC_BATCH = 32,
};

struct ev_loop;
struct ipc_chan;

/* A message being read.  The first field that is not there makes `bad` true
 * and every later one zero, so that handlers check once, by ipc_get_end(). */
struct ipc_in {
	uint16_t type;
	const uint8_t *p;
	size_t left;
	bool bad;
	int fds[IPC_FDS]; /* -1 once taken; the rest is closed for us */
	unsigned nfds, fds_taken;
	bool short_of_fds; /* this process had no room for more of them */
};

uint8_t ipc_get_u8(struct ipc_in *in);
uint16_t ipc_get_u16(struct ipc_in *in);
uint32_t ipc_get_u32(struct ipc_in *in);
uint64_t ipc_get_u64(struct ipc_in *in);
/* The same as u8 and u32, bad if it is more than max. */
uint8_t ipc_get_u8_to(struct ipc_in *in, uint8_t max);
uint32_t ipc_get_u32_to(struct ipc_in *in, uint32_t max);
/* Borrowed until the handler returns. */
struct slice ipc_get_slice(struct ipc_in *in);
/* The slice as a string: bad if it holds a NUL or does not fit. */
void ipc_get_str(struct ipc_in *in, char *out, size_t size);
/* The next descriptor, owned by the caller now; -1 and bad if there is none. */
int ipc_get_fd(struct ipc_in *in);
/* The same where it can be done without: -1, and not bad, if there was a
 * descriptor and this process had no room for it. */
int ipc_get_fd_if_room(struct ipc_in *in);
/* E_FORMAT unless every field was there and nothing is left. */
enum err ipc_get_end(struct ipc_in *in) NODISCARD;

/*
 * A message being written, in the queue of its channel.
 *
 *	ipc_begin(c, TYPE); ipc_put_u64(c, sid); ... e = ipc_end(c);
 *
 * Failures (queue at its bound, memory) show in ipc_end(), E_FULL or E_NOMEM,
 * and nothing of the message is sent then.
 */
void ipc_begin(struct ipc_chan *c, uint16_t type);
void ipc_put_u8(struct ipc_chan *c, uint8_t v);
void ipc_put_u16(struct ipc_chan *c, uint16_t v);
void ipc_put_u32(struct ipc_chan *c, uint32_t v);
void ipc_put_u64(struct ipc_chan *c, uint64_t v);
void ipc_put_bytes(struct ipc_chan *c, const void *p, size_t n);
void ipc_put_str(struct ipc_chan *c, const char *s);
/* The channel duplicates nothing: fd is sent when the message leaves, and this
 * is done with it then, or with the channel. */
enum fd_fate {
	FD_STAYS, /* it stays the caller's */
	FD_CLOSED,
	FD_CLOSED_LATER, /* by close_later(), as a file of the owner `of` */
};
/* fd -1: there is none, so the message is none (E_IO). */
void ipc_put_fd(struct ipc_chan *c, int fd, enum fd_fate fate);
void ipc_put_fd_of(struct ipc_chan *c, int fd, enum fd_fate fate, uint32_t of);

/* The caller would close fd, which it has put with FD_STAYS.  True: it has not
 * been sent, and the channel closes it when it has; the caller must not. */
bool ipc_leave_fd(struct ipc_chan *c, int fd);
enum err ipc_end(struct ipc_chan *c) NODISCARD;

/* What a channel may receive. */
struct ipc_rule {
	uint16_t type;
	uint8_t phases; /* mask of the phases in which it is permitted */
	uint8_t max_fds;
	uint32_t max; /* octets after the type */
	/* E_FORMAT: the sender has misbehaved, and the channel is closed. */
	enum err (*take)(void *arg, struct ipc_in *in);
};

struct ipc_rules {
	const struct ipc_rule *rule;
	size_t n;
	/* Once: the other end has gone (E_CLOSED) or misbehaved (E_FORMAT).  The
	 * channel is closed already; the callee frees it, then or later. */
	void (*gone)(void *arg, enum err why);
};

/* Takes fd (non-blocking from here on) and watches it.  `secret`: the queue
 * holds passwords and is wiped.  NULL: memory; fd is closed then. */
struct ipc_chan *ipc_open(struct ev_loop *loop, int fd,
    const struct ipc_rules *rules, void *arg, bool secret);
void ipc_close(struct ipc_chan *c); /* frees; NULL is a no-op */

/* Masks of ipc_rule.phases; starts as 1. */
void ipc_set_phase(struct ipc_chan *c, uint8_t phase);

/* True when more is queued than should be: stop reading from the client that
 * this channel serves until it is false. */
bool ipc_is_full(const struct ipc_chan *c);

/* From now on nothing is read while ipc_is_full(): who does not take answers
 * asks for no more of them.  For the side that answers; were it both, each
 * might wait for the other. */
void ipc_answer_first(struct ipc_chan *c);

/* Sends what is queued now instead of at the end of the turn.  It calls none of
 * the rules: that the other end has gone is told from the loop. */
void ipc_flush(struct ipc_chan *c);

/* Takes and handles what has arrived, now instead of when the loop says so. */
void ipc_drain(struct ipc_chan *c);

/* For who could not say what must not be lost: both ends learn, from the loop,
 * that the channel has ended, and the parent gives them a new one. */
void ipc_give_up(struct ipc_chan *c);

/* Waits up to ms for the queue to leave: for a process that ends. */
void ipc_flush_wait(struct ipc_chan *c, int ms);

/* Before a loop exists: waits for one message on fd, which must be of that
 * type, and hands it to take().  E_CLOSED, E_FORMAT, or what take() says. */
enum err ipc_wait_one(int fd, uint16_t type, int ms,
    enum err (*take)(void *arg, struct ipc_in *in), void *arg) NODISCARD;

/* A pair of sockets for a channel, close-on-exec. */
enum err ipc_pair(int fds[2], struct errbuf *eb) NODISCARD;

/* For the fuzz target and tests: checks and handles one message as if it had
 * arrived.  Descriptors not taken are closed. */
enum err ipc_handle(const struct ipc_rules *rules, uint8_t phase, void *arg,
    const void *msg, size_t n, const int *fds, unsigned nfds) NODISCARD;

#endif
