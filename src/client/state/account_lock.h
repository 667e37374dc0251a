/*
 * account_lock.h - one malote at a time is at an account.
 *
 * Locks of open files below the state's folder: they end with the process, and
 * programs that it starts do not inherit them.
 */
#ifndef CLIENT_STATE_ACCOUNT_LOCK_H
#define CLIENT_STATE_ACCOUNT_LOCK_H

#include "base/err.h"

/* Of its name and of its maildrop, as another process may know the account by
 * another name, or the name by another maildrop: with an older configuration. */
struct account_lock {
	int fd[2]; /* -1: not ours */
};

#define ACCOUNT_LOCK_NONE \
	{ \
		{ \
			-1, -1 \
		} \
	}

/* maildrop: account_maildrop().  E_BUSY: another malote is at the account.  To be
 * released whatever it returns. */
enum err account_lock_take(struct account_lock *l, const char *state_dir,
    const char *name, const char *maildrop, struct errbuf *eb) NODISCARD;
void account_lock_release(struct account_lock *l);

#endif
