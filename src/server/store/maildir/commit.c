#include "server/store/maildir/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "server/store/maildir/dir.h"
#include "server/store/maildir/flag.h"
#include "server/store/maildir/indexfile.h"
#include "server/store/maildir/lock.h"
#include "server/store/maildir/mend.h"
#include "server/store/maildir/message_id.h"
#include "server/store/maildir/quota.h"
#include "server/store/maildir/trash.h"
#include "server/store/maildir/uidlfile.h"
#include "server/store/maildir/view.h"

enum {
	ROUNDS = 5,         /* for messages that are being renamed meanwhile */
	LOG_LINES = 100,    /* are flushed */
	FIRM_WORTH = 10000, /* messages, see mend_index() */
	FIRM_NS = 25 * 1000 * 1000,
};

/* A message that is to be removed or to be marked as seen. */
struct marked {
	const char *name;  /* letter and file name */
	const char *uid;   /* uid_len octets, perhaps those of the name */
	uint16_t base_len; /* of the name behind its letter */
	uint8_t uid_len;
	bool remove;
	const char *why; /* remove: but for DELE; NULL */
	bool done;       /* nothing is left to do */
};

struct commit {
	struct maildir *m;
	struct hold_commit *todo;
	struct maildir_dirs d;
	struct errbuf eb;
	uint32_t removed[SUBS], gone; /* gone: by somebody else */
	uint32_t unlinked;            /* removed, whether on disk or not yet */
	bool has_quota;
	uint64_t octets; /* of those, as quotas count */
	uint32_t failures;
	bool touched[SUBS];
	struct marked *v;
	uint32_t n;
	size_t room;
	struct arena arena;
	struct uidlfile uidls;
	struct trash trash;
	unsigned logged;
};

static bool
is_set(const uint8_t *bits, uint32_t msgno)
{
	return bits != NULL && (bits[(msgno - 1) / 8] >> (msgno - 1) % 8 & 1);
}

/* What expires has to go. */
static bool
goes_to_trash(const struct commit *c)
{
	return c->m->hold.conf->trash && c->todo->expired == NULL;
}

/* ---- the log ---- */

/* Lines wait until the end of a turn of the loop, which is far away. */
static void
log_removed(
    struct commit *c, const struct marked *v, const struct message_facts *facts)
{
	char id[MESSAGE_ID_MAX * 2];
	bool why = v->why != NULL;

	log_line(LOG_EVENT,
	    "ev=removed %s uidl=%.*s size=%llu message_id=\"%s\"%s%s%s",
	    c->m->hold.tag, v->uid_len, v->uid, (unsigned long long)facts->size,
	    str_quote(id, sizeof(id), facts->id, facts->id_len),
	    goes_to_trash(c) ? " to=trash" : "", why ? " why=" : "",
	    why ? v->why : "");
	if (++c->logged % LOG_LINES == 0)
		log_flush();
}

/* ---- what is marked ---- */

static struct slice
uid_of(const struct marked *v)
{
	return (struct slice){ v->uid, v->uid_len };
}

static struct slice
base_of(const struct marked *v)
{
	return (struct slice){ v->name + 1, v->base_len };
}

static struct marked *
new_marked(struct commit *c)
{
	struct marked *v = array_room(c->v, c->n, &c->room, sizeof(*v));

	if (v == NULL)
		return NULL;
	c->v = v;
	return &v[c->n];
}

/* Copies what the index says of a marked message. */
static enum err
take_entry(void *arg, const struct indexfile_entry *entry)
{
	struct commit *c = arg;
	char name[INDEX_NAME_MAX + 1];
	bool dele = is_set(c->todo->remove, entry->msgno);
	bool taken = is_set(c->todo->taken, entry->msgno);
	bool expired = is_set(c->todo->expired, entry->msgno);
	bool remove = dele || taken || expired;
	struct marked *v;

	if (!remove && !is_set(c->todo->seen, entry->msgno))
		return E_OK;
	if ((v = new_marked(c)) == NULL)
		return E_NOMEM;
	memcpy(name, entry->name.p, entry->name.n);
	name[entry->name.n] = '\0';
	*v = (struct marked){
		.name = arena_put(&c->arena, name, entry->name.n + 1),
		.base_len = (uint16_t)names_base_len(name + 1),
		.uid_len = (uint8_t)entry->uid.n,
		.remove = remove,
		.why = dele    ? NULL
		       : taken ? "retrieved"
			       : "expired",
	};
	if (v->name == NULL)
		return E_NOMEM;
	v->uid = uid_is(entry->uid, base_of(v))
		     ? v->name + 1
		     : arena_put(&c->arena, entry->uid.p, entry->uid.n);
	if (v->uid == NULL)
		return E_NOMEM;
	c->n++;
	return E_OK;
}

static enum err
read_marked(struct commit *c)
{
	struct maildir *m = c->m;
	enum err e;
	int fd;

	e = maildir_view_open(m, c->d.root, false, &fd, &c->eb);
	if (e == E_OK) {
		e = indexfile_verify(fd, m->end, &m->trailer, take_entry, c);
		maildir_view_close(m, fd);
		if (e != E_OK)
			err_set(&c->eb, e, "reading the index: %s", err_str(e));
	}
	m->damaged = m->damaged || e == E_FORMAT;
	return e;
}

/* ---- which unique-id is whose ---- */

/* True also if there is no such file, as removing it will find out. */
static bool
is_its_file(const struct commit *c, const struct marked *v, const char *name)
{
	const struct uidlfile *u = &c->uidls;
	struct stat st;
	struct uid key;

	uid_own(&key, base_of(v));
	if (!uidlfile_is_several(u, uid_slice(&key)) ||
	    fstatat(c->d.sub[NAME_SUB(name)], name + 1, &st,
		AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	return uidlfile_is_its_file(u, uid_slice(&key), uid_of(v), st.st_ino);
}

/* malote-uidl says so, or says nothing and it follows from the name. */
static bool
is_its_uid(const struct commit *c, const struct marked *v)
{
	const struct uidlfile *u = &c->uidls;
	struct uid key;

	uid_own(&key, base_of(v));
	return uidlfile_by_uid(u, uid_slice(&key), uid_of(v)) != NULL ||
	       (uid_is(uid_slice(&key), uid_of(v)) &&
		   uidlfile_find(u, uid_slice(&key), 0) == NULL);
}

static enum err
check_uids(struct commit *c)
{
	enum err e = uidlfile_load(&c->uidls, c->d.root, &c->eb);

	for (uint32_t i = 0; i < c->n && e == E_OK; i++) {
		const struct marked *v = &c->v[i];

		if (v->remove &&
		    (!is_its_uid(c, v) || !is_its_file(c, v, v->name)))
			e = err_set(&c->eb, E_FORMAT,
			    "the index gives a file another's unique-id");
	}
	return e;
}

/* ---- removing ---- */

/* From the maildrop; false: errno says why. */
static bool
take_away(struct commit *c, int dir, const char *file)
{
	return goes_to_trash(c) ? trash_take(&c->trash, c->d.root, dir, file)
				: unlinkat(dir, file, 0) == 0;
}

/* E_NOENT: there is no file of that name. */
static enum err
remove_named(struct commit *c, const char *name, const struct marked *v)
{
	bool logged = c->m->hold.conf->log_removed || c->todo->expired != NULL;
	enum maildir_sub sub = NAME_SUB(name);
	struct slice uid = uid_of(v);
	uint64_t octets =
	    c->has_quota ? quota_octets(c->d.sub[sub], name + 1) : 0;
	struct message_facts facts;

	if (logged)
		message_facts(&facts, c->d.sub[sub], name + 1);
	if (take_away(c, c->d.sub[sub], name + 1)) {
		c->removed[sub]++;
		c->unlinked++;
		c->octets += octets;
		c->touched[sub] = true;
		if (logged)
			log_removed(c, v, &facts);
		return E_OK;
	}
	if (errno == ENOENT)
		return E_NOENT;
	if (c->failures++ == 0)
		log_line(LOG_WARNING,
		    "ev=remove-failed %s uidl=%.*s error=\"%s\"%s",
		    c->m->hold.tag, (int)uid.n, uid.p, strerror(errno),
		    goes_to_trash(c) ? " to=trash" : "");
	return E_IO;
}

/* One reading of the directories for all that were not under their names.
 * True: go on. */
static bool
remove_missing(struct commit *c)
{
	const struct names *t;
	bool again = false;

	if (maildir_names(c->m, &c->d, &c->eb) != E_OK)
		return false;
	t = c->m->names;
	for (uint32_t i = 0; i < c->n; i++) {
		struct marked *v = &c->v[i];
		const struct name *now;
		bool several;

		if (v->done)
			continue;
		now = names_only(t, base_of(v), &several);
		if (now != NULL && is_its_file(c, v, now->s)) {
			v->done = remove_named(c, now->s, v) != E_NOENT;
		} else if (!several && t->quiet) {
			v->done = true;
			c->gone++;
		}
		again = again || !v->done;
	}
	return again;
}

/* ---- marking as seen ---- */

/* A failure is no error: the message stays unseen. */
static void
mark_seen(struct commit *c, const char *name)
{
	char to[FLAG_NAME];
	enum maildir_sub sub = NAME_SUB(name);

	if (flag_name(name + 1, 'S', to) &&
	    flag_rename(c->d.sub[sub], name + 1, c->d.sub[SUB_CUR], to))
		c->touched[sub] = c->touched[SUB_CUR] = true;
}

/* ---- all of it ---- */

static void
apply_to_files(struct commit *c)
{
	bool again = false;

	c->has_quota = quota_is_kept(c->d.root);
	for (uint32_t i = 0; i < c->n; i++) {
		struct marked *v = &c->v[i];

		if (!v->remove)
			mark_seen(c, v->name);
		v->done = !v->remove || remove_named(c, v->name, v) != E_NOENT;
		again = again || !v->done;
	}
	/* What expires and was moved a moment ago is looked at another time. */
	for (unsigned i = 0; i < ROUNDS && again && c->todo->expired == NULL;
	     i++)
		again = remove_missing(c);
}

static enum err
apply_marks(struct commit *c)
{
	enum err e = read_marked(c);

	/* Without the check if malote-uidl could not be written: otherwise a
	 * full disk could never be emptied. */
	if (e == E_OK && !c->m->uidls_unsaved)
		e = check_uids(c);
	if (e == E_OK)
		apply_to_files(c);
	return e;
}

/* What is not known to be on disk does not count as removed, nor what is not
 * known to be in the trash. */
static void
sync_dirs(struct commit *c)
{
	bool kept = trash_sync(&c->trash);

	if (!kept)
		log_line(LOG_FAULT,
		    "ev=sync-failed %s folder=\"%s\" error=\"%s\"",
		    c->m->hold.tag, TRASH_FOLDER, strerror(errno));
	for (enum maildir_sub sub = SUB_NEW; sub < SUBS; sub++)
		if (c->touched[sub] && fsync(c->d.sub[sub]) < 0) {
			log_line(LOG_FAULT, "ev=sync-failed %s error=\"%s\"",
			    c->m->hold.tag, strerror(errno));
			c->removed[sub] = 0;
		}
	if (!kept)
		memset(c->removed, 0, sizeof(c->removed));
}

/* The next login reads no directory if their times are old enough by now to
 * be recorded; in a large maildrop that is worth waiting for. */
static void
mend_index(struct commit *c)
{
	static const struct timespec grain = { 0, FIRM_NS };
	struct maildir *m = c->m;

	if (m->damaged)
		unlinkat(c->d.root, indexfile_name(m->utf8), 0);
	else if (m->trailer.count >= FIRM_WORTH)
		nanosleep(&grain, NULL);
	if (maildir_scan(m, &c->d, &c->eb) != E_OK)
		log_line(LOG_WARNING, "ev=index-not-mended %s error=\"%s\"",
		    m->hold.tag, c->eb.text);
}

static uint32_t
count_removed(const struct hold_commit *todo, uint32_t n)
{
	uint32_t set = 0;

	for (uint32_t i = 1; i <= n; i++)
		set += is_set(todo->remove, i) || is_set(todo->taken, i) ||
		       is_set(todo->expired, i);
	return set;
}

static bool
has_work(const struct hold_commit *todo)
{
	return todo->remove != NULL || todo->taken != NULL ||
	       todo->expired != NULL || todo->seen != NULL;
}

void
maildir_commit(struct hold *hold, struct hold_commit *todo)
{
	struct commit c = {
		.m = (struct maildir *)hold, .todo = todo, .trash = TRASH_NONE
	};
	uint32_t wanted = count_removed(todo, c.m->trailer.count);
	char path[256];
	bool entered;
	enum err e;

	arena_init(&c.arena);
	uidlfile_init(&c.uidls);
	e = maildir_enter(c.m->path, false, &c.d, &c.eb);
	entered = e == E_OK;
	if (entered && has_work(todo))
		e = apply_marks(&c);
	if (e != E_OK)
		log_line(LOG_WARNING,
		    "ev=commit-failed %s path=%s error=\"%s\"", hold->tag,
		    str_escape(
			path, sizeof(path), c.m->path, strlen(c.m->path)),
		    c.eb.text);
	free(c.v);
	arena_free(&c.arena);
	uidlfile_free(&c.uidls);
	if (entered) {
		sync_dirs(&c);
		trash_close(&c.trash);
		if (c.has_quota && c.unlinked != 0)
			quota_removed(
			    c.d.root, c.octets, c.unlinked, hold->tag);
		if (maildir_lock_shared(c.m, c.d.root, &c.eb) == E_OK)
			mend_index(&c);
		maildir_leave(&c.d);
	}
	todo->removed = c.removed[SUB_NEW] + c.removed[SUB_CUR] + c.gone;
	todo->failed = wanted - todo->removed;
	maildir_close(hold);
}
