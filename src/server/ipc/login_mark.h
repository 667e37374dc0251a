/*
 * login_mark.h - one sign-in that counts for LOGIN-DELAY, as auth knows it again.
 *
 * Auth gives it to the store that is to open the maildrop, which gives it back if
 * that comes to nothing: so a store can take back no sign-in but those that it
 * was given.
 */
#ifndef SERVER_IPC_LOGIN_MARK_H
#define SERVER_IPC_LOGIN_MARK_H

#include "server/ipc/ipc.h"

/* who: a number that only auth can make; 0: it does not count. */
struct login_mark {
	uint64_t who, at_ms;
};

static inline void
ipc_put_login_mark(struct ipc_chan *c, struct login_mark m)
{
	ipc_put_u64(c, m.who);
	ipc_put_u64(c, m.at_ms);
}

static inline struct login_mark
ipc_get_login_mark(struct ipc_in *in)
{
	uint64_t who = ipc_get_u64(in);

	return (struct login_mark){ who, ipc_get_u64(in) };
}

#endif
