#include "server/parent/mail_root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server/parent/known_roots.h"

/* ---- the marker ---- */

static int
open_marker(int root, int flags)
{
	return openat(root, MAIL_ROOT_MARKER,
	    flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0444);
}

/* Root without its capabilities, or across a network, may not do what the owner
 * of the folder may. */
static int
open_marker_as_owner(int root, int flags)
{
	struct stat st;
	int fd = -1, error = EACCES;

	if (geteuid() != 0 || fstat(root, &st) < 0 || st.st_uid == 0)
		return fd;
	if (setegid(st.st_gid) == 0 && seteuid(st.st_uid) == 0) {
		fd = open_marker(root, flags);
		error = errno;
	}
	if (seteuid(0) < 0 || setegid(getgid()) < 0)
		fatal("ev=mail-root error=\"%s\"", strerror(errno));
	errno = error;
	return fd;
}

/* True, or errno says why not. */
static bool
marker(int root, int flags)
{
	int fd = open_marker(root, flags);

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		fd = open_marker_as_owner(root, flags);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* A folder that cannot be marked is served all the same: it may be /home. */
static bool
make_marker(int root, const char *path)
{
	if (marker(root, O_WRONLY | O_CREAT)) {
		log_line(
		    LOG_EVENT, "ev=mail-root root=\"%s\" marker=made", path);
		return fsync(root) == 0;
	}
	log_line(LOG_EVENT, "ev=mail-root root=\"%s\" marker=none error=\"%s\"",
	    path, strerror(errno));
	return false;
}

static void
remember(const char *path)
{
	struct errbuf eb;

	if (known_roots_add(path, &eb) != E_OK)
		log_line(LOG_WARNING,
		    "ev=mail-root root=\"%s\" error=\"it cannot be remembered, "
		    "so it will not be missed when it is not mounted: %s\"",
		    path, eb.text);
}

/* ---- what is there ---- */

bool
mail_root_is_missed(const char *path)
{
	int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool missed = root >= 0 && known_roots_has(path) &&
		      !marker(root, O_PATH) && errno == ENOENT;

	if (root >= 0)
		close(root);
	return missed;
}

/* May the folder be served? */
static bool
is_served(int root, const char *path)
{
	bool known = known_roots_has(path), marked = marker(root, O_PATH);

	if (!marked && errno != ENOENT)
		return true; /* nobody can tell */
	if (!marked && known)
		return false;
	if (!marked)
		marked = make_marker(root, path);
	if (marked && !known)
		remember(path);
	return true;
}

/* Which folder is it?  Asks no file server. */
static void
identify(struct mail_root *r, int at, const char *path)
{
	struct statx st;

	if (statx(at, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		STATX_TYPE | STATX_INO, &st) == 0) {
		r->there = S_ISDIR(st.stx_mode);
		r->dev_major = st.stx_dev_major;
		r->dev_minor = st.stx_dev_minor;
		r->ino = st.stx_ino;
	} else if (errno == ENOENT || errno == ENOTDIR) {
		r->there = false;
	}
}

/* ---- what is mounted below ---- */

/* A mount point as mountinfo has it: proc_pid_mountinfo(5). */
static void
unescape(char *p)
{
	char *to = p;
	unsigned c;

	while (*p != '\0')
		if (*p == '\\' && sscanf(p + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			p += 4;
		} else {
			*to++ = *p++;
		}
	*to = '\0';
}

/* What somebody else has mounted may not answer, and is no place for mail. */
static bool
is_roots(const char *line)
{
	const char *type = strstr(line, " - ");

	return type != NULL && (strncmp(type + 3, "fuse", 4) != 0 ||
				   strstr(type, "user_id=0,") != NULL);
}

/* One that is known is not touched: it may not answer, and stops nobody then but
 * those whose mail is there. */
static void
adopt_mount(const struct stat *root, const char *path)
{
	struct stat st;
	int fd;

	if (known_roots_has(path) ||
	    (fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) <
		0)
		return;
	if (fstat(fd, &st) == 0 &&
	    (st.st_uid == 0 || st.st_uid == root->st_uid))
		(void)!is_served(fd, path); /* it is marked by that */
	close(fd);
}

/* A line of mountinfo is of something below that path: its name; else NULL.  The
 * caller's, to be freed. */
static char *
mount_below(const char *line, const char *path)
{
	size_t n = strlen(path);
	char *point;

	if (!is_roots(line) || sscanf(line, "%*u %*u %*s %*s %ms", &point) != 1)
		return NULL;
	unescape(point);
	if (strncmp(point, path, n) == 0 && point[n] == '/')
		return point;
	free(point);
	return NULL;
}

static void
adopt_mounts(int root, const char *path)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *point;
	struct stat st;
	size_t room = 0;

	if (f == NULL)
		return;
	while (fstat(root, &st) == 0 && getline(&line, &room, f) > 0) {
		if ((point = mount_below(line, path)) != NULL)
			adopt_mount(&st, point);
		free(point);
	}
	free(line);
	fclose(f);
}

void
mail_root_mounts(const char *path, char *out, size_t size)
{
	if (!known_roots_below(path, out, size))
		log_line(LOG_WARNING,
		    "ev=mail-root root=\"%s\" error=\"too many file systems "
		    "below it: not all of them are missed when they are not "
		    "mounted\"",
		    path);
}

/* To open it may be what mounts it. */
static bool
look_inside(struct mail_root *r, const char *path)
{
	int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool served;

	if (root < 0)
		return false;
	identify(r, root, "");
	if ((served = is_served(root, path)))
		adopt_mounts(root, path);
	close(root);
	return served;
}

static void
log_absent(const struct mail_root *r, const char *path)
{
	if (!r->absent)
		log_line(
		    LOG_EVENT, "ev=mail-root root=\"%s\" served=yes", path);
	else
		log_line(LOG_FAULT,
		    "ev=mail-root root=\"%s\" served=no error=\"it had a "
		    "marker and has none now: is its file system mounted? "
		    "Until it is, nobody whose mail is there can sign in. "
		    "If this is the mail root all the same: malotectl root "
		    "accept %s\"",
		    path, path);
}

/* Another folder than before? */
static bool
is_other(struct mail_root *r, const char *path)
{
	struct mail_root old = *r;

	identify(r, AT_FDCWD, path);
	return r->serial == 0 || r->there != old.there ||
	       r->dev_major != old.dev_major || r->dev_minor != old.dev_minor ||
	       r->ino != old.ino;
}

void
mail_root_look(struct mail_root *r, const char *path)
{
	bool other, was_absent = r->absent;

	if (strcmp(path, "/") == 0)
		return; /* it is mounted, and no place for markers */
	other = is_other(r, path);
	if (!other && !was_absent)
		return;
	r->absent = !r->there || !look_inside(r, path);
	if (!other && r->absent)
		return;
	if (r->absent || r->serial != 0)
		log_absent(r, path);
	r->serial++;
}

static enum err
accept_folder(const char *path, struct errbuf *eb)
{
	int root;
	bool made;

	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(eb, E_IO, "there is no such folder");
	made = make_marker(root, path);
	close(root);
	return made ? E_OK
		    : err_set(eb, E_DENIED,
			  "no marker can be made there; the log says why");
}

enum err
mail_root_accept(struct mail_root *r, const char *path, struct errbuf *eb)
{
	mail_root_look(r, path);
	return r->absent ? accept_folder(path, eb)
			 : err_set(eb, E_BUSY, "it is served already");
}

enum err
mail_root_accept_mount(const char *root, const char *path, struct errbuf *eb)
{
	size_t n = strlen(root);

	if (strncmp(path, root, n) != 0 || path[n] != '/' ||
	    !known_roots_has(path))
		return err_set(eb, E_NOENT, "this is no mail root of ours");
	return mail_root_is_missed(path)
		   ? accept_folder(path, eb)
		   : err_set(eb, E_BUSY, "it is served already");
}
