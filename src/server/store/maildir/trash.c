#include "server/store/maildir/trash.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/maildir/dir.h"
#include "server/store/maildir/flag.h"

enum { COPIES = 16 }; /* of one name */

/* Both may have been there before. */
static int
open_folder(int at, const char *name, bool *made_r)
{
	struct errbuf eb;
	int fd;

	*made_r = mkdirat(at, name, 0700) == 0;
	if (!*made_r && errno != EEXIST)
		return -1;
	if (maildir_open_dir(at, name, false, &fd, &eb) == E_OK)
		return fd;
	errno = ENOTDIR;
	return -1;
}

/* Whoever reads it as a Maildir wants all three.  They are on the disk before
 * anything is in them. */
static int
open_trash(int root)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	bool made = false, one;
	int top = open_folder(root, TRASH_FOLDER, &made), fd = -1;

	if (top < 0)
		return -1;
	for (unsigned i = 0; i < 3; i++) {
		if (fd >= 0)
			close(fd);
		if ((fd = open_folder(top, parts[i], &one)) < 0)
			break;
		made = made || one;
	}
	if (fd >= 0 && made && (fsync(top) < 0 || fsync(root) < 0)) {
		close(fd);
		fd = -1;
	}
	close(top);
	return fd;
}

/* A message of that name is there already where one was brought back, by copying
 * it, and is removed again. */
static bool
move(int to, int dir, const char *file, const char *name)
{
	char other[FLAG_NAME + 4];

	if (flag_rename(dir, file, to, name))
		return true;
	for (int i = 2; errno == EEXIST && i <= COPIES; i++) {
		snprintf(other, sizeof(other), "%d-%s", i, name);
		if (flag_rename(dir, file, to, other))
			return true;
	}
	return false;
}

bool
trash_take(struct trash *t, int root, int dir, const char *file)
{
	char name[FLAG_NAME];

	if (t->cur < 0 && (t->cur = open_trash(root)) < 0)
		return false;
	return move(
	    t->cur, dir, file, flag_name(file, 'T', name) ? name : file);
}

bool
trash_sync(const struct trash *t)
{
	return t->cur < 0 || fsync(t->cur) == 0;
}

void
trash_close(struct trash *t)
{
	if (t->cur >= 0)
		close(t->cur);
	t->cur = -1;
}
