/*
 * Which messages are in a Maildir, while others rename, deliver and remove.
 * Nobody locks.  The problem:
 *
 *  1. A message in `new` is moved to `cur` by another program between our
 *     reading of the two.  `new` is read first, so it is seen twice rather
 *     than never.
 *  2. A file is renamed (its flags change) while its directory is read: the
 *     kernel may show the old name, the new one, both or neither.  So a
 *     directory whose time has changed since the reading began is read
 *     again, and the names of all readings are kept: what is in one of them
 *     is gone only if it is missing from a reading during which nothing
 *     changed, or if its file is no longer there.
 *  3. A directory's time has the grain of the kernel's clock, so a change
 *     just after another may leave the time as it was.  A time that was
 *     fresh when the reading began proves nothing: it is not recorded, and
 *     if the reading took several calls it is done again.  (One call is
 *     atomic, as the kernel holds the directory's lock during it.)
 *  4. The same base name in several files is one message on its way (1, 2),
 *     the two links of a delivery by link(2) and unlink(2), or truly a double
 *     (a restored backup).  Each of the files is looked at: one that is gone
 *     does not count, two links of one file are one message.
 *  5. A directory that never comes to rest is read PASSES_MAX times, and then
 *     what was seen is taken.  A message that is under none of its names when
 *     they are looked at, one after the other, stays listed unless MISSES
 *     readings did not show it; one that no reading has shown is found at the
 *     next login, under the same unique-id.
 *  6. Times from the future, by a clock that was set back, prove nothing.
 */
#include "server/store/maildir/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"

enum {
	PASSES_MAX = 6,
	MISSES = 3,
	READ_SIZE = 256 * 1024, /* several thousand names in one call */
	GRAIN_NS = 20 * 1000 * 1000,
	GRAIN_COARSE = 2, /* seconds, where there are no nanoseconds */
};

void
names_init(struct names *t)
{
	*t = (struct names){ 0 };
	map_init(&t->by_base);
	arena_init(&t->arena);
}

void
names_free(struct names *t)
{
	free(t->v);
	free(t->base);
	map_free(&t->by_base);
	arena_free(&t->arena);
	names_init(t);
}

size_t
names_base_len(const char *file)
{
	return (size_t)(strchrnul(file, ':') - file);
}

/* ---- the table ---- */

static bool
room_for_name(struct names *t)
{
	struct name *v = array_room(t->v, t->n, &t->room, sizeof(*v));

	if (v != NULL)
		t->v = v;
	return v != NULL;
}

static bool
room_for_base(struct names *t)
{
	struct names_base *v =
	    array_room(t->base, t->bases, &t->base_room, sizeof(*v));

	if (v != NULL)
		t->base = v;
	return v != NULL;
}

enum err
names_base(struct names *t, struct slice base, uint32_t *at_r)
{
	uint32_t *at = map_put(&t->by_base, base);

	if (at == NULL || !room_for_base(t))
		return E_NOMEM;
	if (*at == MAP_NONE) {
		*at = t->bases++;
		t->base[*at] = (struct names_base){ MAP_NONE, MAP_NONE, false };
	}
	*at_r = *at;
	return E_OK;
}

uint32_t
names_find(const struct names *t, struct slice base)
{
	return map_get(&t->by_base, base);
}

/* *had_r: the name was there already. */
static enum err
put_name(struct names *t, const struct name *m, bool *had_r)
{
	uint32_t *first = &t->base[m->base].name;

	*had_r = true;
	for (uint32_t i = *first; i != MAP_NONE; i = t->v[i].next)
		if (strcmp(t->v[i].s, m->s) == 0) {
			t->v[i].pass = m->pass;
			t->v[i].gone = false;
			return E_OK;
		}
	if (!room_for_name(t))
		return E_NOMEM;
	t->v[t->n] = *m;
	t->v[t->n].next = *first;
	*first = t->n++;
	*had_r = false;
	return E_OK;
}

static enum err
see_file(struct names *t, enum maildir_sub sub, const char *file, size_t len)
{
	struct name m = { .pass = t->dir[sub].pass };
	char full[INDEX_NAME_MAX + 1];
	enum err e;
	bool had;

	if (len == 0 || file[0] == '.' || len + 1 > INDEX_NAME_MAX)
		return E_OK;
	full[0] = SUB_LETTER(sub);
	memcpy(full + 1, file, len + 1);
	m.base_len = (uint16_t)names_base_len(full + 1);
	m.len = (uint16_t)(len + 1);
	if ((m.s = arena_put(&t->arena, full, len + 2)) == NULL)
		return E_NOMEM;
	e = names_base(t, (struct slice){ m.s + 1, m.base_len }, &m.base);
	if (e == E_OK)
		e = put_name(t, &m, &had);
	if (e == E_OK && had)
		arena_unput(&t->arena, len + 2);
	return e;
}

enum err
names_add(struct names *t, uint32_t base, struct slice name)
{
	struct name m = {
		.s = name.p,
		.base = base,
		.pass = t->dir[NAME_SUB(name.p)].pass,
		.len = (uint16_t)name.n,
		.base_len = (uint16_t)names_base_len(name.p + 1),
	};
	bool had;

	return put_name(t, &m, &had);
}

const struct name *
names_only(const struct names *t, struct slice base, bool *several_r)
{
	const struct name *only = NULL;
	uint32_t at = names_find(t, base);
	bool several = false;

	for (uint32_t i = at != MAP_NONE ? t->base[at].name : MAP_NONE;
	     i != MAP_NONE; i = t->v[i].next) {
		if (t->v[i].gone)
			continue;
		several = only != NULL;
		only = &t->v[i];
		if (several)
			break;
	}
	if (several_r != NULL)
		*several_r = several;
	return several ? NULL : only;
}

/* ---- times ---- */

struct index_time
names_dir_time(const struct stat *st)
{
	return (struct index_time){ st->st_ctim.tv_sec,
		(uint32_t)st->st_ctim.tv_nsec };
}

bool
names_same_time(struct index_time a, struct index_time b)
{
	return a.sec == b.sec && a.nsec == b.nsec &&
	       a.nsec != INDEX_TIME_UNKNOWN;
}

/* Is time t so old, by the clock, that a change now makes another one? */
static bool
is_firm(struct index_time t, const struct timespec *now)
{
	int64_t age = now->tv_sec - t.sec;

	if (t.nsec == 0)
		return age > GRAIN_COARSE;
	if (age > 1 || age < 0)
		return age > 1;
	return age * 1000000000 + now->tv_nsec - t.nsec >= GRAIN_NS;
}

void
names_trust(struct names *t, enum maildir_sub sub, struct index_time time)
{
	t->dir[sub] =
	    (struct names_dir){ .time = time, .known = true, .firm = true };
}

struct index_time
names_time(const struct names *t, enum maildir_sub sub)
{
	return t->quiet && t->dir[sub].firm
		   ? t->dir[sub].time
		   : (struct index_time){ 0, INDEX_TIME_UNKNOWN };
}

/* ---- reading ---- */

static enum err
see_files(struct names *t, enum maildir_sub sub, const char *buf, size_t n)
{
	enum err e = E_OK;

	for (size_t at = 0; at < n && e == E_OK;) {
		const struct dirent64 *de = (const void *)(buf + at);

		e = see_file(t, sub, de->d_name, strlen(de->d_name));
		at += de->d_reclen;
	}
	return e;
}

static enum err
read_dir(struct names *t, enum maildir_sub sub, int fd, struct errbuf *eb)
{
	struct names_dir *d = &t->dir[sub];
	unsigned calls = 0;
	enum err e = E_OK;
	ssize_t n;
	char *buf;

	if ((buf = malloc(READ_SIZE)) == NULL)
		return err_set(eb, E_NOMEM, "names");
	d->pass++;
	if (lseek(fd, 0, SEEK_SET) < 0)
		e = err_sys(eb, E_IO, "directory");
	while (e == E_OK && (n = getdents64(fd, buf, READ_SIZE)) != 0) {
		if (n < 0)
			e = err_sys(eb, E_IO, "reading the directory");
		else if (see_files(t, sub, buf, (size_t)n) != E_OK)
			e = err_set(eb, E_NOMEM, "names");
		calls++;
	}
	free(buf);
	/* The second reading makes up for what the first may have missed. */
	d->torn = calls > 1 && !d->firm && !d->torn;
	return e;
}

/* Reads a directory unless it is as it was; *read_r: it was read. */
static enum err
read_if_changed(struct names *t, enum maildir_sub sub, int fd, bool *read_r,
    struct errbuf *eb)
{
	struct names_dir *d = &t->dir[sub];
	struct timespec now;
	struct index_time time;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	if (fstat(fd, &st) < 0)
		return err_sys(eb, E_IO, "directory");
	time = names_dir_time(&st);
	if (d->known && !d->torn && names_same_time(time, d->time))
		return E_OK;
	d->time = time;
	d->known = true;
	d->firm = is_firm(time, &now);
	*read_r = true;
	return read_dir(t, sub, fd, eb);
}

/* ---- what is true of what was seen ---- */

static bool
is_there(const struct maildir_dirs *d, const struct name *m, struct stat *st)
{
	return fstatat(d->sub[NAME_SUB(m->s)], m->s + 1, st,
		   AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}

/* Several files of one base name: only those stay that are there and are
 * not links of one file. */
static void
settle_several(struct names *t, const struct maildir_dirs *d, uint32_t first)
{
	struct stat st, kept = { .st_ino = 0 };
	struct name *keep = NULL;

	for (uint32_t i = first; i != MAP_NONE; i = t->v[i].next) {
		struct name *m = &t->v[i], *old;

		if (m->gone)
			continue;
		memset(&st, 0, sizeof(st));
		if (!is_there(d, m, &st)) {
			m->gone = true;
		} else if (keep != NULL && st.st_ino == kept.st_ino &&
			   st.st_dev == kept.st_dev) {
			old = NAME_SUB(m->s) == SUB_NEW ? m : keep;
			old->gone = true;
			keep = old == m ? keep : m;
		} else {
			keep = m;
			kept = st;
		}
	}
}

static uint32_t
readings_missed(const struct names *t, const struct name *m)
{
	return t->dir[NAME_SUB(m->s)].pass - m->pass;
}

static uint32_t
count_living(const struct names *t, uint32_t first)
{
	uint32_t n = 0;

	for (uint32_t i = first; i != MAP_NONE; i = t->v[i].next)
		n += !t->v[i].gone;
	return n;
}

/* A message under none of the names that were seen: it has gone, or it is
 * renamed faster than we look.  The name that was seen last stays then. */
static void
settle_lost(struct names *t, uint32_t first)
{
	struct name *last = &t->v[first];

	for (uint32_t i = first; i != MAP_NONE; i = t->v[i].next)
		if (readings_missed(t, &t->v[i]) < readings_missed(t, last))
			last = &t->v[i];
	last->gone = readings_missed(t, last) >= MISSES;
}

/* Drops what is no longer there. */
static void
settle_names(struct names *t, const struct maildir_dirs *d)
{
	struct stat st;

	for (uint32_t i = 0; i < t->n; i++) {
		struct name *m = &t->v[i];

		if (readings_missed(t, m) != 0)
			m->gone = t->quiet || !is_there(d, m, &st);
	}
	for (uint32_t k = 0; k < t->bases; k++) {
		uint32_t i = t->base[k].name;

		if (i == MAP_NONE ||
		    (t->v[i].next == MAP_NONE && !t->v[i].gone))
			continue;
		if (count_living(t, i) > 1)
			settle_several(t, d, i);
		if (!t->quiet && count_living(t, i) == 0)
			settle_lost(t, i);
	}
}

enum err
names_read(struct names *t, const struct maildir_dirs *d, struct errbuf *eb)
{
	bool changed = true;
	enum err e;

	/* Of an earlier reading only a firm time proves anything. */
	for (enum maildir_sub sub = SUB_NEW; sub < SUBS; sub++)
		t->dir[sub].known = t->dir[sub].known && t->dir[sub].firm;
	for (unsigned i = 0; i < PASSES_MAX && changed; i++) {
		changed = false;
		for (enum maildir_sub sub = SUB_NEW; sub < SUBS; sub++)
			if ((e = read_if_changed(
				 t, sub, d->sub[sub], &changed, eb)) != E_OK)
				return e;
	}
	t->quiet = !changed;
	settle_names(t, d);
	return E_OK;
}
