#include "server/parent/users_watch.h"

#include <time.h>
#include <unistd.h>

#include "base/slurp.h"

/* A file changed this instant could change again within one tick of the
 * clock that stamps it. */
static bool
settled(const struct stat *st)
{
	return st->st_ctim.tv_sec + 1 < time(NULL);
}

enum err
users_watch_changed(
    struct users_watch *u, const char *path, int *fd_r, struct errbuf *eb)
{
	struct stat st;
	enum err e;
	int fd;

	*fd_r = -1;
	if ((e = slurp_open(path, &fd, &st, eb)) != E_OK)
		return e;
	if (u->known && slurp_is_same(&u->st, &st)) {
		close(fd);
		return E_OK;
	}
	u->st = st;
	u->known = settled(&st);
	*fd_r = fd;
	return E_OK;
}

void
users_watch_forget(struct users_watch *u)
{
	u->known = false;
}
