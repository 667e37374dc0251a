#include "server/store/maildir/mend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server/ipc/tally.h"
#include "server/store/maildir/indexfile.h"
#include "server/store/maildir/scan.h"
#include "server/store/maildir/scan_match.h"
#include "server/store/maildir/scan_uidl.h"
#include "server/store/maildir/view.h"

enum { TRIES = 10 };

/* ---- what the index has ---- */

static enum err
take_known(void *arg, const struct indexfile_entry *entry)
{
	struct slice name = { NULL, entry->name.n }, base;
	struct scan *s = arg;
	struct scan_message *v;
	char text[INDEX_NAME_MAX + 1];
	uint32_t at;
	enum err e;

	memcpy(text, entry->name.p, name.n);
	text[name.n] = '\0';
	if ((name.p = arena_put(&s->arena, text, name.n + 1)) == NULL)
		return E_NOMEM;
	base = (struct slice){ name.p + 1, names_base_len(name.p + 1) };
	if ((e = names_base(&s->names, base, &at)) != E_OK ||
	    (e = scan_add(s, name, at, &v)) != E_OK)
		return e;
	v->wire = entry->wire;
	v->stamp = entry->stamp;
	/* A clock that was ahead must not keep a message for years. */
	if (entry->seen <= s->today)
		v->seen = entry->seen;
	else
		s->mend = true;
	return scan_set_uid(s, v, entry->uid);
}

/* A torn tail is cut off; a damaged block is, with what is behind it. */
static enum err
load_index(struct scan *s)
{
	struct stat st;
	enum err e;
	int fd;

	e = maildir_file(s->d->root, indexfile_name(s->m->utf8), O_RDONLY,
	    false, &fd, &st, s->eb);
	if (e != E_OK)
		return E_OK; /* it is a cache */
	e = indexfile_load(fd, (uint64_t)st.st_size, take_known, s,
	    &s->index_end, &s->trailer);
	close(fd);
	if (e == E_FORMAT || e == E_IO) {
		tally_add(TALLY_INDEX_REPAIRS, 1);
		log_line(LOG_WARNING,
		    "ev=index-damaged %s kept=%u octets=%llu of=%llu",
		    s->m->hold.tag, s->trailer.count,
		    (unsigned long long)s->index_end,
		    (unsigned long long)st.st_size);
		/* A block that failed half way has left some behind. */
		scan_forget(s, s->trailer.count);
		s->trailer.new_time.nsec = INDEX_TIME_UNKNOWN;
		s->trailer.cur_time.nsec = INDEX_TIME_UNKNOWN;
		e = E_OK;
	} else if (e != E_OK) {
		err_set(s->eb, e, "reading the index: %s", err_str(e));
	}
	return e;
}

/* A directory that has the index's time is as the index says. */
static enum err
trust_known(struct scan *s, enum maildir_sub sub, struct index_time time)
{
	struct stat st;
	enum err e = E_OK;

	if (fstat(s->d->sub[sub], &st) < 0)
		return err_sys(s->eb, E_IO, "directory");
	if (!names_same_time(names_dir_time(&st), time))
		return E_OK;
	for (uint32_t i = 0; i < s->n && e == E_OK; i++)
		if (NAME_SUB(s->v[i].name) == sub)
			e = names_add(&s->names, s->v[i].base,
			    (struct slice){ s->v[i].name, s->v[i].name_len });
	names_trust(&s->names, sub, time);
	return e == E_OK ? E_OK : err_set(s->eb, e, "names");
}

/* Messages that are one of several files of a base name get the inode by which
 * malote-uidl knows them. */
static void
mark_several(struct scan *s)
{
	const struct uidlfile *u = &s->uidl;
	struct uid key;

	for (uint32_t i = 0; u->several != 0 && i < s->n; i++) {
		struct scan_message *v = &s->v[i];

		uid_own(&key, scan_base(v));
		for (uint32_t k = map_get(&u->by_key, uid_slice(&key));
		     k != MAP_NONE; k = u->v[k].next)
			if (u->v[k].uid.n == v->uid_len &&
			    memcmp(u->v[k].uid.p, v->uid, v->uid_len) == 0)
				v->ino = u->v[k].ino;
	}
}

static enum err
load_known(struct scan *s)
{
	enum err e;

	if ((e = uidlfile_load(&s->uidl, s->d->root, s->eb)) != E_OK)
		return e;
	if (s->uidl.bad != 0)
		log_line(LOG_WARNING, "ev=uidl-bad-lines %s lines=%u",
		    s->m->hold.tag, s->uidl.bad);
	if ((e = load_index(s)) != E_OK)
		return e;
	s->known = s->n;
	mark_several(s);
	e = trust_known(s, SUB_NEW, s->trailer.new_time);
	return e == E_OK ? trust_known(s, SUB_CUR, s->trailer.cur_time) : e;
}

/* ---- what is new ---- */

static int
by_time(const void *a, const void *b)
{
	const struct scan_message *v = a, *w = b;

	if (v->time != w->time)
		return v->time < w->time ? -1 : 1;
	return strcmp(v->name + 1, w->name + 1);
}

/* The lists that begin with names.base[].user are not valid afterwards. */
static void
sort_new(struct scan *s)
{
	if (s->n > s->known)
		qsort(s->v + s->known, s->n - s->known, sizeof(*s->v), by_time);
}

/* ---- writing ---- */

static struct index_time
time_to_record(const struct scan *s, enum maildir_sub sub)
{
	return s->unsure ? (struct index_time){ 0, INDEX_TIME_UNKNOWN }
			 : names_time(&s->names, sub);
}

static enum err
write_index(struct scan *s, enum indexfile_how how, int *fd_r)
{
	struct indexfile_writer f;
	uint32_t first = how == INDEXFILE_APPEND ? s->known : 0;
	enum err e;

	e = indexfile_begin(&f, how, s->d->root, indexfile_name(s->m->utf8),
	    &s->trailer, s->index_end, s->eb);
	for (uint32_t i = first; i < s->n && e == E_OK; i++) {
		const struct scan_message *v = &s->v[i];

		struct indexfile_entry entry = { .wire = v->wire,
			.stamp = v->stamp,
			.seen = v->seen,
			.uid = { v->uid, v->uid_len },
			.name = { v->name, v->name_len } };

		if (v->here)
			e = indexfile_add(&f, &entry, s->eb);
	}
	f.expires = s->expires;
	if (e == E_OK)
		e = indexfile_end(&f, time_to_record(s, SUB_NEW),
		    time_to_record(s, SUB_CUR), fd_r, &s->m->end,
		    &s->m->trailer, s->eb);
	indexfile_clear(&f);
	return e;
}

/* Is the index right as it is, but for the directories' times? */
static bool
is_same(const struct scan *s)
{
	return !s->mend && s->n == s->known && s->index_end != 0 &&
	       s->expires == s->trailer.expires;
}

static enum err
use_old(struct scan *s, int *fd_r)
{
	struct stat st;

	s->m->end = s->index_end;
	s->m->trailer = s->trailer;
	return maildir_file(s->d->root, indexfile_name(s->m->utf8), O_RDONLY,
	    false, fd_r, &st, s->eb);
}

static enum err
save_index(struct scan *s, int *fd_r)
{
	bool full = s->trailer.blocks >= index_blocks_full(s->trailer.count);
	enum indexfile_how how = s->mend || full || s->index_end == 0
				     ? INDEXFILE_REPLACE
				     : INDEXFILE_APPEND;
	enum err e;

	if (is_same(s) &&
	    time_to_record(s, SUB_NEW).nsec == INDEX_TIME_UNKNOWN &&
	    time_to_record(s, SUB_CUR).nsec == INDEX_TIME_UNKNOWN)
		return use_old(s, fd_r);
	e = write_index(s, how, fd_r);
	if (e == E_DENIED && is_same(s))
		return use_old(s, fd_r);
	if (e == E_DENIED) {
		log_line(LOG_WARNING, "ev=index-not-saved %s error=\"%s\"",
		    s->m->hold.tag, s->eb->text);
		e = write_index(s, INDEXFILE_TEMPORARY, fd_r);
		s->m->keeps_index = true;
	}
	return e;
}

static enum err
scan_all(struct scan *s)
{
	bool missed = true;
	struct stat st;
	enum err e;
	int fd;

	if ((e = load_known(s)) != E_OK)
		return e;
	for (unsigned i = 0; i < TRIES && missed && e == E_OK; i++)
		if ((e = names_read(&s->names, s->d, s->eb)) == E_OK)
			e = scan_match(s, &missed);
	if (e != E_OK)
		return e;
	s->unsure = s->unsure || missed;
	for (uint32_t i = 0; i < s->known; i++)
		s->mend = s->mend || !s->v[i].here;
	sort_new(s);
	if ((e = scan_give_uidls(s)) != E_OK ||
	    (e = save_index(s, &fd)) != E_OK)
		return e;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return err_sys(s->eb, E_IO, "index");
	}
	maildir_view_set(s->m, fd, &st);
	return E_OK;
}

enum err
maildir_scan(struct maildir *m, const struct maildir_dirs *d, struct errbuf *eb)
{
	struct scan s;
	enum err e;

	scan_init(&s, m, d, eb);
	e = scan_all(&s);
	scan_clear(&s);
	return e;
}
