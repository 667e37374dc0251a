#include "server/store/maildir/fetch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server/store/made.h"
#include "server/store/maildir/measure.h"
#include "server/store/maildir/uidlfile.h"
#include "server/store/maildir/view.h"
#include "server/store/unpack/unpack.h"

/* Messages that are made for one fetch end behind the one with which they are
 * more than this. */
enum { AHEAD_MAX = 4 << 20 };

/* What there is to a fetch of several messages. */
struct fetch {
	struct maildir *m;
	struct maildir_dirs d;
	struct view_reader *index;
	enum hold_pace pace;
	bool now;
	uint64_t made; /* octets of messages that were made */
	bool fresh;    /* the directories have been read for it */
	struct errbuf eb;
};

static enum err
open_named(struct fetch *f, const char *name, int *fd_r, struct stat *st_r)
{
	return maildir_file(f->d.sub[NAME_SUB(name)], name + 1, O_RDONLY,
	    f->now, fd_r, st_r, &f->eb);
}

/* Where the message is by the directories as they were read last. */
static const char *
name_now(const struct fetch *f, const char *name)
{
	struct slice base = { name + 1, names_base_len(name + 1) };
	const struct name *now = NULL;

	if (f->m->names != NULL)
		now = names_only(f->m->names, base, NULL);
	return now != NULL ? now->s : NULL;
}

/* What tells several files of one base name apart.  Read once in a session: a
 * double that comes later is in no view of it. */
static enum err
load_doubles(struct fetch *f)
{
	struct uidlfile *u;
	enum err e;

	if (f->m->doubles != NULL)
		return E_OK;
	if ((u = malloc(sizeof(*u))) == NULL)
		return err_set(&f->eb, E_NOMEM, "unique-ids");
	uidlfile_init(u);
	e = uidlfile_load(u, f->d.root, &f->eb);
	if (e != E_OK || u->several == 0)
		uidlfile_free(u);
	if (e == E_OK)
		f->m->doubles = u;
	else
		free(u);
	return e;
}

/* Does a file with the base name of the message belong to another one?  Of two
 * such files the right one may have been removed. */
static enum err
check_file(struct fetch *f, uint32_t msgno, const char *name, uint64_t ino)
{
	struct uid key, uid;
	enum err e;

	uid_own(&key, (struct slice){ name + 1, names_base_len(name + 1) });
	if (!uidlfile_is_several(f->m->doubles, uid_slice(&key)))
		return E_OK;
	if ((e = maildir_view_uid(f->m, f->index, msgno, &uid)) != E_OK)
		return err_set(&f->eb, e, "reading the index");
	return uidlfile_is_its_file(
		   f->m->doubles, uid_slice(&key), uid_slice(&uid), ino)
		   ? E_OK
		   : E_NOENT;
}

static enum err
open_checked(struct fetch *f, uint32_t msgno, const char *name, int *fd_r,
    struct stat *st_r)
{
	enum err e = open_named(f, name, fd_r, st_r);

	if (e != E_OK || f->m->doubles == NULL ||
	    (e = check_file(f, msgno, name, st_r->st_ino)) == E_OK)
		return e;
	close(*fd_r);
	*fd_r = -1;
	return e;
}

/* Another program may have renamed it: it is known by its base name then.
 * The directories are read once for all messages of a fetch. */
static enum err
open_message(struct fetch *f, uint32_t msgno, const char *name, int *fd_r,
    struct stat *st_r)
{
	const char *now = name_now(f, name);
	enum err e;

	e = open_checked(f, msgno, now != NULL ? now : name, fd_r, st_r);
	if (e != E_NOENT || f->fresh || f->now)
		return e;
	if ((e = load_doubles(f)) != E_OK ||
	    (e = maildir_names(f->m, &f->d, &f->eb)) != E_OK)
		return e;
	f->fresh = true;
	now = name_now(f, name);
	return now != NULL ? open_checked(f, msgno, now, fd_r, st_r) : E_NOENT;
}

static bool
is_refused(const struct fetch *f, const struct obstacle *o)
{
	return o->utf8 && f->m->utf8 == UTF8_REFUSE;
}

/* Puts the message that is made of a file in its place. */
static enum err
make_message(struct fetch *f, struct obstacle *o, struct hold_message *v)
{
	struct made made;
	enum err e = made_begin(&made, &f->eb);

	if (e == E_OK)
		e = maildir_transform(
		    v->fd, v->stored, f->m->utf8, o, made_put, &made, &f->eb);
	if (e == E_OK && is_refused(f, o))
		e = E_DENIED;
	if (e == E_OK)
		e = made_end(&made, &f->eb);
	if (e != E_OK) {
		made_drop(&made);
		return e;
	}
	close(v->fd);
	v->fd = made.fd;
	v->stored = v->made = made.octets;
	v->wire = pop3_wire_size(&made.wire);
	f->made += made.octets;
	return E_OK;
}

static void
note_change(struct fetch *f, const struct view_entry *entry,
    const struct hold_message *v)
{
	if (v->wire != entry->wire)
		log_line(LOG_WARNING,
		    "ev=size-changed %s msgno=%u octets=%llu was=%llu",
		    f->m->hold.tag, v->msgno, (unsigned long long)v->wire,
		    (unsigned long long)entry->wire);
	maildir_doubt(&f->m->hold, v->msgno);
}

/* A file that is not sent as it is, or not as it was when it was measured.
 * E_DENIED: it is refused. */
static enum err
look_again(struct fetch *f, const struct view_entry *entry,
    const struct stat *st, struct hold_message *v)
{
	struct obstacle o = { .utf8 = true };
	enum err e = E_OK;

	if (f->pace == PACE_NOW)
		return E_AGAIN;
	if (maildir_stamp(st, &o) != entry->stamp)
		e = maildir_count(
		    v->fd, v->stored, f->m->utf8, &v->wire, &o, &f->eb);
	if (e == E_OK && is_refused(f, &o))
		return E_DENIED;
	if (e == E_OK && (o.packed != NULL || o.utf8))
		e = f->pace == PACE_SLOW ? make_message(f, &o, v) : E_AGAIN;
	if (e == E_OK && maildir_stamp(st, &o) != entry->stamp)
		note_change(f, entry, v);
	return e;
}

/* Nearly every file is plain, and as it was when it was measured. */
static enum err
find_size(struct fetch *f, const struct view_entry *entry,
    const struct stat *st, struct hold_message *v)
{
	static const struct obstacle none;

	v->stored = (uint64_t)st->st_size;
	v->wire = entry->wire;
	return maildir_stamp(st, &none) == entry->stamp
		   ? E_OK
		   : look_again(f, entry, st, v);
}

/* False: not at this pace. */
static bool
fetch_one(struct fetch *f, struct hold_message *v)
{
	struct view_entry entry;
	bool refused = false;
	struct stat st;
	enum err e;

	e = maildir_view_get(f->m, f->index, v->msgno, &entry);
	if (e == E_FORMAT && !f->now) {
		/* Said once: the client may ask as often as it likes. */
		if (f->m->damaged)
			return true;
		err_set(&f->eb, e, "the index is damaged");
		maildir_doubt(&f->m->hold, 0);
	}
	if (e == E_OK)
		e = open_message(f, v->msgno, entry.name, &v->fd, &st);
	if (e == E_OK && (e = find_size(f, &entry, &st, v)) != E_OK) {
		refused = e == E_DENIED;
		close(v->fd);
		v->fd = -1;
	}
	if (e == E_OK) {
		v->status = FETCH_OK;
		v->offset = 0;
		return true;
	}
	if (f->now || e == E_AGAIN)
		return false;
	if (e == E_FORMAT || e == E_IO)
		maildir_doubt(&f->m->hold, v->msgno);
	if (e == E_NOENT)
		v->status = FETCH_GONE;
	else if (refused)
		v->status = FETCH_UTF8;
	else
		log_line(LOG_WARNING,
		    "ev=fetch-failed %s msgno=%u error=\"%s\"", f->m->hold.tag,
		    v->msgno, f->eb.text);
	return true;
}

static enum err
fetch_all(struct fetch *f, struct hold_message *v, size_t *n)
{
	struct view_reader index;
	enum err e;
	int fd;

	e = maildir_view_open(f->m, f->d.root, f->now, &fd, &f->eb);
	if (e != E_OK)
		return e;
	f->index = &index;
	maildir_view_begin(&index, fd, f->now);
	for (size_t i = 0; i < *n && e == E_OK; i++) {
		if (!fetch_one(f, &v[i]))
			e = E_AGAIN;
		if (f->made > AHEAD_MAX)
			*n = i + 1;
	}
	maildir_view_close(f->m, fd);
	return e;
}

bool
maildir_fetch(
    struct hold *hold, enum hold_pace pace, struct hold_message *v, size_t *n)
{
	bool now = pace == PACE_NOW;
	struct fetch f = {
		.m = (struct maildir *)hold, .pace = pace, .now = now
	};
	enum err e;

	for (size_t i = 0; i < *n; i++) {
		v[i].status = FETCH_FAILED;
		v[i].made = 0;
		v[i].fd = -1;
	}
	e = maildir_enter(f.m->path, now, &f.d, &f.eb);
	if (e == E_OK) {
		e = fetch_all(&f, v, n);
		maildir_leave(&f.d);
	}
	if (e != E_OK && e != E_AGAIN && !now)
		log_line(LOG_WARNING, "ev=fetch-failed %s error=\"%s\"",
		    hold->tag, f.eb.text);
	if (e == E_OK || (e != E_AGAIN && !now))
		return true;
	for (size_t i = 0; i < *n; i++) {
		if (v[i].fd >= 0)
			close(v[i].fd);
		v[i].fd = -1;
		v[i].status = FETCH_FAILED;
	}
	return false;
}
