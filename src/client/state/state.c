#include "client/state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/state/db.h"

enum { LOCK_MS = 30000, ASIDE_MS = 2000, LOCK_STEP_MS = 20 };

/* ---- the folder ---- */

enum err
state_make_folder(const char *dir, struct errbuf *eb)
{
	char *path = strdup(dir);
	enum err e = E_OK;

	if (path == NULL)
		return err_set(eb, E_NOMEM, _("out of memory"));
	for (char *p = path + 1; e == E_OK; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			e = err_sys(
			    eb, errno == EACCES ? E_DENIED : E_IO, "%s", path);
		*p = c;
		if (c == '\0')
			break;
	}
	free(path);
	return e;
}

/* The database is in it for good. */
static enum err
sync_dir(const struct state *s, struct errbuf *eb)
{
	int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = E_OK;

	if (fd < 0 || fsync(fd) != 0)
		e = err_sys(eb, E_IO, "%s", s->dir);
	if (fd >= 0)
		close(fd);
	return e;
}

static char *
path_of(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* ---- the lock: who puts the database aside is alone with it ---- */

static enum err
open_lock(struct state *s, struct errbuf *eb)
{
	char *path = path_of(s->dir, "state.lock");
	enum err e = E_OK;

	if (path == NULL)
		return err_set(eb, E_NOMEM, _("out of memory"));
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		e = err_sys(eb, errno == EACCES ? E_DENIED : E_IO, "%s", path);
	free(path);
	return e;
}

static enum err
state_take_lock(const struct state *s, int how, unsigned ms, struct errbuf *eb)
{
	const struct timespec step = { .tv_nsec = LOCK_STEP_MS * 1000000L };
	uint64_t end = clock_ms() + ms;

	while (flock(s->lock, how | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(eb, E_IO, "%s/state.lock", s->dir);
		if (clock_ms() >= end)
			return err_set(eb, E_BUSY,
			    _("%s is in use by another malote"), s->file);
		nanosleep(&step, NULL);
	}
	return E_OK;
}

/* ---- damage ---- */

static enum err
move_aside(const struct state *s, const char *suffix, const char *to,
    struct errbuf *eb)
{
	char *from_path = NULL, *to_path = NULL;
	enum err e = E_OK;

	if (asprintf(&from_path, "%s%s", s->file, suffix) < 0)
		from_path = NULL;
	if (asprintf(&to_path, "%s%s", to, suffix) < 0)
		to_path = NULL;
	if (from_path == NULL || to_path == NULL)
		e = err_set(eb, E_NOMEM, _("out of memory"));
	else if (rename(from_path, to_path) != 0 && errno != ENOENT)
		e = err_sys(eb, E_IO, "%s", from_path);
	free(from_path);
	free(to_path);
	return e;
}

/* The file first: SQLite drops a log that lies beside an empty database. */
static enum err
move_all_aside(const struct state *s, struct errbuf *eb)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	uint64_t time = clock_unix_ms() / 1000;
	char *to = NULL;
	enum err e = E_OK;

	do {
		free(to);
		if (asprintf(&to, "%s.damaged-%llu", s->file,
			(unsigned long long)time++) < 0)
			return err_set(eb, E_NOMEM, _("out of memory"));
	} while (access(to, F_OK) == 0);
	for (int i = 0; i < 3 && e == E_OK; i++)
		e = move_aside(s, suffixes[i], to, eb);
	free(to);
	return e;
}

/* Another process may have done it since. */
static enum err
begin_anew(struct state *s, bool *put_aside_r, struct errbuf *eb)
{
	enum err e = state_take_lock(s, LOCK_EX, ASIDE_MS, NULL);

	if (e == E_BUSY)
		return err_set(eb, E_BUSY,
		    _("%s is damaged, and another malote has it open"),
		    s->file);
	if (e != E_OK)
		return state_db_damaged(s, eb);
	if ((e = state_db_open(s, eb)) == E_FORMAT) {
		if ((e = move_all_aside(s, eb)) != E_OK ||
		    (e = state_db_open(s, eb)) != E_OK)
			return e;
		*put_aside_r = true;
	}
	return e != E_OK ? e : state_take_lock(s, LOCK_SH, LOCK_MS, eb);
}

/* ---- opening ---- */

static enum err
open_all(struct state *s, bool *put_aside_r, struct errbuf *eb)
{
	enum err e;

	if ((e = state_make_folder(s->dir, eb)) != E_OK ||
	    (e = open_lock(s, eb)) != E_OK ||
	    (e = state_take_lock(s, LOCK_SH, LOCK_MS, eb)) != E_OK)
		return e;
	if ((e = state_db_open(s, eb)) == E_FORMAT)
		e = begin_anew(s, put_aside_r, eb);
	return e != E_OK ? e : sync_dir(s, eb);
}

enum err
state_open(
    struct state **s_r, const char *dir, bool *put_aside_r, struct errbuf *eb)
{
	struct state *s = calloc(1, sizeof(*s));
	enum err e;

	*s_r = NULL;
	*put_aside_r = false;
	if (s == NULL)
		return err_set(eb, E_NOMEM, _("out of memory"));
	s->lock = -1;
	s->dir = strdup(dir);
	s->file = path_of(dir, "state.db");
	if (s->dir == NULL || s->file == NULL)
		e = err_set(eb, E_NOMEM, _("out of memory"));
	else
		e = open_all(s, put_aside_r, eb);
	if (e == E_OK)
		*s_r = s;
	else
		state_close(s);
	return e;
}

void
state_close(struct state *s)
{
	if (s == NULL)
		return;
	state_db_close(s);
	if (s->lock >= 0)
		close(s->lock);
	free(s->dir);
	free(s->file);
	free(s);
}
