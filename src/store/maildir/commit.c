/*
 * UPDATE: removes what was marked and nothing else, marks as seen what is to
 * be, and mends the index.
 *
 * Each message is removed by one unlink(2), so it is there or gone; both
 * directories are synced before anyone is told.  The index is mended after
 * that: until it is, the directories' times tell everyone that it is old.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "store/maildir/indexfile.h"
#include "store/maildir/maildir.h"

enum {
	ROUNDS = 5, /* for messages that are being renamed meanwhile */
	LOG_OCTETS = 900,
	FIRM_WORTH = 10000, /* messages, see settle_times() */
	FIRM_NS = 25 * 1000 * 1000,
};

/* A marked message that was not under its name. */
struct missing {
	const char *name, *uid;
	bool done;
};

struct commit {
	struct maildir *m;
	struct drop_commit *todo;
	struct maildir_dirs d;
	struct errbuf eb;
	uint32_t removed[SUBS], gone; /* gone: by somebody else */
	uint32_t failures;
	bool touched[SUBS];
	struct missing *missing;
	uint32_t n_missing, room;
	struct arena arena;
	char log[LOG_OCTETS + INDEX_UID_MAX + 2];
	size_t log_len;
};

static bool
is_set(const uint8_t *bits, uint32_t msgno)
{
	return bits != NULL && (bits[(msgno - 1) / 8] >> (msgno - 1) % 8 & 1);
}

/* ---- the log ---- */

static void
log_uids(struct commit *c)
{
	if (c->log_len != 0)
		log_line(LOG_EVENT, "ev=removed %s uidls=%.*s", c->m->drop.tag,
		    (int)c->log_len, c->log);
	c->log_len = 0;
}

static void
log_removed(struct commit *c, struct slice uid)
{
	if (!c->m->drop.conf->log_removed)
		return;
	if (c->log_len != 0)
		c->log[c->log_len++] = ',';
	memcpy(c->log + c->log_len, uid.p, uid.n);
	c->log_len += uid.n;
	if (c->log_len >= LOG_OCTETS)
		log_uids(c);
}

/* ---- removing ---- */

/* E_NOENT: there is no file of that name. */
static enum err
remove_named(struct commit *c, const char *name, struct slice uid)
{
	enum maildir_sub sub = NAME_SUB(name);

	if (unlinkat(c->d.sub[sub], name + 1, 0) == 0) {
		c->removed[sub]++;
		c->touched[sub] = true;
		log_removed(c, uid);
		return E_OK;
	}
	if (errno == ENOENT)
		return E_NOENT;
	if (c->failures++ == 0)
		log_line(LOG_WARNING,
		    "ev=remove-failed %s uidl=%.*s error=\"%s\"",
		    c->m->drop.tag, (int)uid.n, uid.p, strerror(errno));
	return E_IO;
}

static enum err
note_missing(struct commit *c, const char *name, struct slice uid)
{
	struct missing *v;
	char text[INDEX_UID_MAX + 1];

	if (c->n_missing == c->room) {
		uint32_t room = c->room != 0 ? c->room * 2 : 64;

		v = realloc(c->missing, (size_t)room * sizeof(*v));
		if (v == NULL)
			return E_NOMEM;
		c->missing = v;
		c->room = room;
	}
	memcpy(text, uid.p, uid.n);
	text[uid.n] = '\0';
	v = &c->missing[c->n_missing];
	v->done = false;
	v->name = arena_put(&c->arena, name, strlen(name) + 1);
	v->uid = arena_put(&c->arena, text, uid.n + 1);
	if (v->name == NULL || v->uid == NULL)
		return E_NOMEM;
	c->n_missing++;
	return E_OK;
}

/* One reading of the directories for all that were missing.  True: go on. */
static bool
remove_missing(struct commit *c)
{
	const struct names *t;
	bool again = false;

	if (maildir_names(c->m, &c->d, &c->eb) != E_OK)
		return false;
	t = c->m->names;
	for (uint32_t i = 0; i < c->n_missing; i++) {
		struct missing *v = &c->missing[i];
		struct slice base = { v->name + 1,
			names_base_len(v->name + 1) };
		const struct name *now;
		bool several;

		if (v->done)
			continue;
		now = names_only(t, base, &several);
		if (now != NULL) {
			v->done = remove_named(c, now->s,
				      (struct slice){
					  v->uid, strlen(v->uid) }) != E_NOENT;
		} else if (!several && t->quiet) {
			v->done = true;
			c->gone++;
		}
		again = again || !v->done;
	}
	return again;
}

/* ---- marking as seen ---- */

/* "x" and "x:2,F" become "cur/x:2,S" and "cur/x:2,FS"; false if there is
 * nothing to do, or an info that we do not know. */
static bool
seen_name(const char *name, char out[INDEX_NAME_MAX + 2])
{
	const char *file = name + 1, *flags = strchr(file, ':');
	size_t n = strlen(file), at;

	if (flags == NULL) {
		if (n + 5 > INDEX_NAME_MAX)
			return false;
		snprintf(out, INDEX_NAME_MAX + 2, "c%s:2,S", file);
		return true;
	}
	if (strncmp(flags, ":2,", 3) != 0 || n + 2 > INDEX_NAME_MAX)
		return false;
	flags += 3;
	/* In ASCII order; a comma begins what is not ours. */
	at = strspn(flags, "ABCDEFGHIJKLMNOPQR");
	if (flags[at] == 'S')
		return false;
	snprintf(out, INDEX_NAME_MAX + 2, "c%.*sS%s",
	    (int)((size_t)(flags - file) + at), file, flags + at);
	return true;
}

/* Never onto another message.  Not every file system can do that in one. */
static bool
rename_safely(int from, const char *old, int to, const char *new)
{
	if (renameat2(from, old, to, new, RENAME_NOREPLACE) == 0)
		return true;
	return errno == EINVAL && linkat(from, old, to, new, 0) == 0 &&
	       unlinkat(from, old, 0) == 0;
}

/* A failure is no error: the message stays unseen. */
static void
mark_seen(struct commit *c, const char *name)
{
	char to[INDEX_NAME_MAX + 2];
	enum maildir_sub sub = NAME_SUB(name);

	if (seen_name(name, to) &&
	    rename_safely(c->d.sub[sub], name + 1, c->d.sub[SUB_CUR], to + 1))
		c->touched[sub] = c->touched[SUB_CUR] = true;
}

/* ---- all of it ---- */

static enum err
take_entry(void *arg, const struct indexfile_entry *entry)
{
	struct commit *c = arg;
	char name[INDEX_NAME_MAX + 1];

	memcpy(name, entry->name.p, entry->name.n);
	name[entry->name.n] = '\0';
	if (is_set(c->todo->remove, entry->msgno)) {
		if (remove_named(c, name, entry->uid) == E_NOENT)
			return note_missing(c, name, entry->uid);
	} else if (is_set(c->todo->seen, entry->msgno)) {
		mark_seen(c, name);
	}
	return E_OK;
}

static enum err
apply_marks(struct commit *c)
{
	struct index_trailer t;
	uint64_t end;
	bool again;
	enum err e;
	int fd;

	if ((e = maildir_view_open(c->m, c->d.root, false, &fd, &c->eb)) !=
	    E_OK)
		return e;
	e = indexfile_load(fd, c->m->end, take_entry, c, &end, &t);
	maildir_view_close(c->m, fd);
	if (e != E_OK)
		err_set(&c->eb, e, "reading the index: %s", err_str(e));
	again = c->n_missing != 0;
	for (unsigned i = 0; i < ROUNDS && again; i++)
		again = remove_missing(c);
	log_uids(c);
	return e;
}

/* What is not known to be on disk does not count as removed. */
static void
sync_dirs(struct commit *c)
{
	for (enum maildir_sub sub = SUB_NEW; sub < SUBS; sub++)
		if (c->touched[sub] && fsync(c->d.sub[sub]) < 0) {
			log_line(LOG_FAULT, "ev=sync-failed %s error=\"%s\"",
			    c->m->drop.tag, strerror(errno));
			c->removed[sub] = 0;
		}
}

/* The next login reads no directory if their times are old enough by now to
 * be recorded; in a large maildrop that is worth waiting for. */
static void
mend_index(struct commit *c)
{
	static const struct timespec grain = { 0, FIRM_NS };
	struct maildir *m = c->m;

	if (m->damaged)
		unlinkat(c->d.root, INDEXFILE_NAME, 0);
	else if (m->trailer.count >= FIRM_WORTH)
		nanosleep(&grain, NULL);
	if (maildir_scan(m, &c->d, &c->eb) != E_OK)
		log_line(LOG_WARNING, "ev=index-not-mended %s error=\"%s\"",
		    m->drop.tag, c->eb.text);
}

static uint32_t
count_bits(const uint8_t *bits, uint32_t n)
{
	uint32_t set = 0;

	for (uint32_t i = 1; bits != NULL && i <= n; i++)
		set += is_set(bits, i);
	return set;
}

void
maildir_commit(struct drop *drop, struct drop_commit *todo)
{
	struct commit c = { .m = (struct maildir *)drop, .todo = todo };
	uint32_t wanted = count_bits(todo->remove, c.m->trailer.count);
	enum err e;

	arena_init(&c.arena);
	e = maildir_enter(c.m->path, false, &c.d, &c.eb);
	if (e == E_OK) {
		e = apply_marks(&c);
		sync_dirs(&c);
		if (maildir_hold(c.m, c.d.root, &c.eb) == E_OK)
			mend_index(&c);
		maildir_leave(&c.d);
	}
	if (e != E_OK)
		log_line(LOG_WARNING, "ev=commit-failed %s error=\"%s\"",
		    drop->tag, c.eb.text);
	todo->removed = c.removed[SUB_NEW] + c.removed[SUB_CUR] + c.gone;
	todo->failed = wanted - todo->removed;
	free(c.missing);
	arena_free(&c.arena);
	maildir_close(drop);
}
