#include "client/deliver/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/kind.h"

enum { SYNCERS = 8 };

char *
path_shown(char out[PATH_SHOWN], const char *path)
{
	size_t n = strlen(path);

	if (n < PATH_SHOWN)
		memcpy(out, path, n + 1);
	else
		snprintf(out, PATH_SHOWN, "...%s", path + n - (PATH_SHOWN - 4));
	return out;
}

enum err
disk_err(void)
{
	switch (errno) {
	case ENOSPC:
	case EDQUOT: return E_FULL;
	case EACCES:
	case EPERM:
	case EROFS: return E_DENIED;
	case ENOTDIR:
	case EISDIR:
	case ELOOP: return E_CONFIG; /* something else is in its place */
	case ENOMEM: return E_NOMEM;
	default: return E_IO;
	}
}

/* ---- folders ---- */

/* What was made in it is there after a loss of power. */
static void
sync_parent(char *path)
{
	char *slash = strrchr(path, '/');
	int fd;

	if (slash == NULL || slash == path)
		return;
	*slash = '\0';
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	if (fd < 0)
		return;
	/* One that cannot be synced was not made by us. */
	fsync(fd);
	close(fd);
}

static int
make_path(char *path)
{
	char *slash = strrchr(path, '/');

	if (mkdirat(AT_FDCWD, path, 0700) == 0) {
		sync_parent(path);
		return 0;
	}
	if (errno == EEXIST)
		return 0;
	if (errno != ENOENT || slash == NULL || slash == path)
		return -1;
	*slash = '\0';
	if (make_path(path) != 0)
		return -1;
	*slash = '/';
	if (mkdirat(AT_FDCWD, path, 0700) != 0 && errno != EEXIST)
		return -1;
	sync_parent(path);
	return 0;
}

enum err
folder_make(const char *path, int *fd_r, struct errbuf *eb)
{
	char shown[PATH_SHOWN], *copy = strdup(path);
	int done;

	*fd_r = -1;
	if (copy == NULL)
		return err_sys(eb, E_NOMEM, "%s", path_shown(shown, path));
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	done = make_path(copy);
	free(copy);
	if (done != 0)
		return err_sys(eb, disk_err(), _("cannot make the folder %s"),
		    path_shown(shown, path));
	*fd_r = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd_r < 0)
		return err_sys(eb, disk_err(), _("cannot open the folder %s"),
		    path_shown(shown, path));
	return E_OK;
}

int
folder_open_at(int at, const char *name)
{
	return openat(
	    at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

enum err
folder_try(int fd, const char *path, struct errbuf *eb)
{
	char shown[PATH_SHOWN];

	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
		return E_OK;
	return err_sys(
	    eb, disk_err(), _("cannot write to %s"), path_shown(shown, path));
}

enum err
folder_make_at(
    int at, const char *path, const char *name, int *fd_r, struct errbuf *eb)
{
	char shown[PATH_SHOWN];

	*fd_r = -1;
	if (mkdirat(at, name, 0700) == 0) {
		if (fsync(at) != 0)
			return err_sys(eb, disk_err(), _("cannot sync %s"),
			    path_shown(shown, path));
	} else if (errno != EEXIST) {
		return err_sys(eb, disk_err(),
		    _("cannot make the folder %s in %s"), name,
		    path_shown(shown, path));
	}
	*fd_r = folder_open_at(at, name);
	if (*fd_r < 0)
		return err_sys(eb, disk_err(),
		    _("cannot open the folder %s in %s"), name,
		    path_shown(shown, path));
	return E_OK;
}

/* ---- files of parcels ---- */

enum err
parcel_open(
    struct delivery *d, const struct parcel *p, int *fd_r, struct errbuf *eb)
{
	*fd_r = openat(
	    d->files, p->tmp, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*fd_r < 0)
		return err_sys(eb, disk_err(),
		    _("cannot read a new message in %s"), d->where);
	return E_OK;
}

/* Files that several threads sync, one after the other. */
struct syncing {
	struct delivery *d;
	struct parcel **v;
	size_t n;
	atomic_size_t next;
};

struct syncer {
	struct syncing *all;
	pthread_t thread;
	bool runs;
	enum err e;
	struct errbuf eb;
};

static enum err
file_sync(struct delivery *d, const struct parcel *p, struct errbuf *eb)
{
	enum err e;
	int fd;

	if ((e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e;
	if (fsync(fd) != 0)
		e = err_sys(eb, disk_err(), _("cannot sync %s"), d->where);
	close(fd);
	return e;
}

static void *
sync_some(void *arg)
{
	struct syncer *s = arg;
	struct syncing *all = s->all;
	size_t i;

	while (s->e == E_OK && (i = atomic_fetch_add(&all->next, 1)) < all->n)
		s->e = file_sync(all->d, all->v[i], &s->eb);
	return NULL;
}

/* The first of them is this thread.  Of what several wait for at the same time
 * the disk is flushed once. */
static enum err
sync_all(struct syncing *all, struct errbuf *eb)
{
	struct syncer s[SYNCERS];
	enum err e = E_OK;

	for (size_t i = 0; i < SYNCERS; i++)
		s[i] = (struct syncer){ .all = all, .e = E_OK };
	for (size_t i = 1; i < SYNCERS && i < all->n; i++)
		s[i].runs =
		    pthread_create(&s[i].thread, NULL, sync_some, &s[i]) == 0;
	sync_some(&s[0]);
	for (size_t i = 0; i < SYNCERS; i++) {
		if (s[i].runs)
			pthread_join(s[i].thread, NULL);
		if (e == E_OK && (e = s[i].e) != E_OK)
			*eb = s[i].eb;
	}
	return e;
}

/* All are on their way to the disk before the first is waited for, so that
 * the file system commits them together. */
enum err
files_sync(struct delivery *d, struct parcel **v, size_t n, struct errbuf *eb)
{
	struct syncing all = { .d = d, .v = v, .n = n };
	enum err e;
	int fd;

	for (size_t i = 0; i < n; i++) {
		if ((e = parcel_open(d, v[i], &fd, eb)) != E_OK)
			return e;
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		close(fd);
	}
	if ((e = sync_all(&all, eb)) != E_OK)
		return e;
	if (fsync(d->files) != 0)
		return err_sys(eb, disk_err(), _("cannot sync %s"), d->where);
	return E_OK;
}

enum err
files_have(
    struct delivery *d, const char *tmp, bool *there_r, struct errbuf *eb)
{
	struct stat st;

	*there_r = false;
	if (tmp == NULL || strchr(tmp, '/') != NULL)
		return E_OK;
	if (fstatat(d->files, tmp, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*there_r = S_ISREG(st.st_mode);
	else if (errno != ENOENT)
		return err_sys(eb, disk_err(), _("cannot read %s"), d->where);
	return E_OK;
}

enum err
files_recover(struct delivery *d, const struct parcel *in, bool young,
    bool *stored_r, struct errbuf *eb)
{
	bool there;
	enum err e = files_have(d, in->tmp, &there, eb);

	*stored_r = e == E_OK && !there && young;
	return e;
}

enum err
files_sweep(struct delivery *d, int at, struct errbuf *eb)
{
	int fd = folder_open_at(at, ".");
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;
	struct name name;
	enum err e = E_OK;

	if (dir == NULL) {
		e = err_sys(eb, disk_err(), _("cannot read %s"), d->where);
		if (fd >= 0)
			close(fd);
		return e;
	}
	while ((de = readdir(dir)) != NULL) {
		if (!name_parse(de->d_name, &name) || name.has_identity ||
		    !digest_eq(name.account, d->account))
			continue;
		if (unlinkat(at, de->d_name, 0) != 0 && errno != ENOENT)
			e = err_sys(eb, disk_err(),
			    _("cannot remove a file in %s"), d->where);
	}
	closedir(dir);
	return e;
}
