#include "server/store/maildir/tmp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

enum { LEFT_AFTER = 36 * 60 * 60 };

static bool
is_left(int dir, const char *file, time_t now)
{
	struct stat st;

	return fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_atime < now - LEFT_AFTER &&
	       st.st_mtime < now - LEFT_AFTER;
}

void
maildir_sweep(const struct maildir_dirs *d, const char *tag)
{
	int fd = openat(
	    d->root, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_Alignas(struct dirent64) char buf[16 * 1024];
	time_t now = time(NULL);
	unsigned removed = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = getdents64(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *de = (const void *)(buf + at);

			if (is_left(fd, de->d_name, now) &&
			    unlinkat(fd, de->d_name, 0) == 0)
				removed++;
			at += de->d_reclen;
		}
	}
	close(fd);
	if (removed != 0)
		log_line(LOG_EVENT, "ev=tmp-swept %s removed=%u", tag, removed);
}
