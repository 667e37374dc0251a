#include "server/users/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/users/passwd.h"

enum { LOCK_TRIES = 100, LOCK_PAUSE_MS = 100 };

/* Behind a call that failed. */
static enum err
failed(struct errbuf *eb, const char *path)
{
	return err_sys(eb,
	    errno == EACCES || errno == EPERM || errno == EROFS ? E_DENIED
								: E_IO,
	    "%s", path);
}

/* ---- reading ---- */

static enum err
resolve(struct edit *ed, const char *path, struct errbuf *eb)
{
	ed->path = realpath(path, NULL);
	if (ed->path == NULL && errno == ENOENT)
		ed->path = strdup(path);
	if (ed->path == NULL)
		return failed(eb, path);
	/* Room for the names that are made of it. */
	if (strlen(ed->path) + 8 > PATH_MAX)
		return err_set(eb, E_IO, "this path is too long");
	return E_OK;
}

/* The lock file stays: who removed it would let two in. */
static enum err
take_lock(struct edit *ed, struct errbuf *eb)
{
	const struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000L };
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s.lock", ed->path);
	ed->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (ed->lock < 0)
		return failed(eb, name);
	for (int i = 0; flock(ed->lock, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return failed(eb, name);
		if (i == LOCK_TRIES)
			return err_set(eb, E_BUSY,
			    "%s is being changed by somebody else", ed->path);
		nanosleep(&pause, NULL);
	}
	return E_OK;
}

static enum err
read_text(struct edit *ed, int fd, struct errbuf *eb)
{
	struct stat st;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0)
		return failed(eb, ed->path);
	if (!S_ISREG(st.st_mode))
		return err_set(eb, E_IO, "%s is not a file", ed->path);
	ed->exists = true;
	ed->uid = st.st_uid;
	ed->gid = st.st_gid;
	ed->mode = st.st_mode & 07777;
	if ((ed->text = malloc((size_t)st.st_size + 1)) == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	while (n > 0 && ed->n < (size_t)st.st_size) {
		n = read(fd, ed->text + ed->n, (size_t)st.st_size - ed->n);
		if (n < 0 && errno != EINTR)
			return failed(eb, ed->path);
		ed->n += n > 0 ? (size_t)n : 0;
	}
	return E_OK;
}

enum err
edit_open(struct edit *ed, const char *path, bool lock, struct errbuf *eb)
{
	enum err e;
	int fd;

	*ed = (struct edit){ .lock = -1 };
	if ((e = resolve(ed, path, eb)) != E_OK ||
	    (lock && (e = take_lock(ed, eb)) != E_OK))
		return e;
	fd = open(ed->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? E_OK : failed(eb, ed->path);
	e = read_text(ed, fd, eb);
	close(fd);
	return e;
}

void
edit_close(struct edit *ed)
{
	if (ed->text != NULL)
		explicit_bzero(ed->text, ed->n);
	free(ed->text);
	free(ed->path);
	if (ed->lock >= 0)
		close(ed->lock);
	*ed = (struct edit){ .lock = -1 };
}

/* Is the user's name, by the rule, this one? */
static bool
is_called(struct slice user, const struct name_rule *rule, const char *name,
    bool fold)
{
	char is[NAME_MAX_OCTETS + 1];
	struct slice s = { is, 0 };

	if (name_normalize(rule, user, is, NULL) != E_OK)
		return false;
	s.n = strlen(is);
	return fold ? slice_caseeq(s, name) : slice_eq(s, name);
}

bool
edit_find(const struct edit *ed, const struct name_rule *rule, const char *name,
    bool fold, const char *hash, struct edit_line *line_r)
{
	struct slice rest = { ed->text, ed->n }, line, f[PASSWD_FIELDS];

	while (passwd_line(&rest, &line)) {
		if (!passwd_split(line, f) || f[PASSWD_HASH].p == NULL ||
		    (hash != NULL && !slice_eq(f[PASSWD_HASH], hash)) ||
		    !is_called(f[PASSWD_NAME], rule, name, fold))
			continue;
		line_r->at = (size_t)(line.p - ed->text);
		line_r->n = ed->n - rest.n - line_r->at;
		line_r->hash = f[PASSWD_HASH];
		return true;
	}
	return false;
}

/* ---- changing ---- */

enum err
edit_splice(
    struct edit *ed, size_t at, size_t n, struct slice with, struct errbuf *eb)
{
	size_t tail = ed->n - at - n;
	char *text = malloc(at + with.n + tail + 1);

	if (text == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if (ed->text != NULL) {
		memcpy(text, ed->text, at);
		memcpy(text + at + with.n, ed->text + at + n, tail);
		explicit_bzero(ed->text, ed->n);
		free(ed->text);
	}
	if (with.n != 0)
		memcpy(text + at, with.p, with.n);
	ed->text = text;
	ed->n = at + with.n + tail;
	return E_OK;
}

enum err
edit_set_hash(struct edit *ed, const struct name_rule *rule, const char *name,
    const char *was, const char *hash, struct errbuf *eb)
{
	struct edit_line line;

	if (!edit_find(ed, rule, name, false, was, &line))
		return err_set(eb, E_NOENT, "there is no such row");
	return edit_splice(ed, (size_t)(line.hash.p - ed->text), line.hash.n,
	    (struct slice){ hash, strlen(hash) }, eb);
}

static enum err
write_text(const struct edit *ed, int fd, struct errbuf *eb)
{
	size_t at = 0;

	/* The owner first: a change of owner may take mode bits away. */
	if (ed->exists &&
	    (fchown(fd, ed->uid, ed->gid) < 0 || fchmod(fd, ed->mode) < 0))
		return err_sys(eb, E_IO, "owner and mode of %s", ed->path);
	while (at < ed->n) {
		ssize_t n = write(fd, ed->text + at, ed->n - at);

		if (n < 0 && errno != EINTR)
			return failed(eb, ed->path);
		at += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) == 0 ? E_OK : failed(eb, ed->path);
}

static enum err
sync_directory(const char *path, struct errbuf *eb)
{
	char copy[PATH_MAX];
	enum err e = E_OK;
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		e = err_sys(eb, E_IO, "the directory of %s", path);
	if (fd >= 0)
		close(fd);
	return e;
}

enum err
edit_save(const struct edit *ed, struct errbuf *eb)
{
	char tmp[PATH_MAX];
	enum err e;
	int fd;

	snprintf(tmp, sizeof(tmp), "%s.new", ed->path);
	unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed(eb, tmp);
	e = write_text(ed, fd, eb);
	close(fd);
	if (e == E_OK && rename(tmp, ed->path) < 0)
		e = failed(eb, ed->path);
	if (e != E_OK) {
		unlink(tmp);
		return e;
	}
	return sync_directory(ed->path, eb);
}
