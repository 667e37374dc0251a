#include "client/state/account_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/message/identity.h"
#include "client/state/state.h"

static enum err
take(const char *state_dir, const char *what, const char *digest, int *fd_r,
    struct errbuf *eb)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s-%s", state_dir, what, digest);
	*fd_r = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd_r < 0)
		return err_sys(eb, E_IO, "%s", path);
	if (fcntl(*fd_r, F_OFD_SETLK, &l) == 0)
		return E_OK;
	if (errno != EAGAIN && errno != EACCES)
		return err_sys(eb, E_IO, "%s", path);
	return err_set(
	    eb, E_BUSY, _("another malote is collecting this account"));
}

enum err
account_lock_take(struct account_lock *l, const char *state_dir,
    const char *name, const char *maildrop, struct errbuf *eb)
{
	char digest[DIGEST_TEXT];
	enum err e;

	*l = (struct account_lock)ACCOUNT_LOCK_NONE;
	digest_text(digest, digest_of((struct slice){ name, strlen(name) }));
	/* A daemon may outlive it. */
	if (access(state_dir, F_OK) != 0 &&
	    (e = state_make_folder(state_dir, eb)) != E_OK)
		return e;
	e = take(state_dir, "lock", digest, &l->fd[0], eb);
	return e != E_OK ? e
			 : take(state_dir, "maildrop", maildrop, &l->fd[1], eb);
}

void
account_lock_release(struct account_lock *l)
{
	for (int i = 0; i < 2; i++) {
		if (l->fd[i] >= 0)
			close(l->fd[i]);
		l->fd[i] = -1;
	}
}
