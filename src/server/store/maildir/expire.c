#include "server/store/maildir/expire.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server/store/maildir/commit.h"
#include "server/store/maildir/dir.h"
#include "server/store/maildir/expire_rule.h"
#include "server/store/maildir/indexfile.h"
#include "server/store/maildir/lock.h"
#include "server/store/maildir/mend.h"
#include "server/store/maildir/view.h"

enum {
	AT_ONCE = 500, /* messages that go in one piece */
	LOOK_EVERY = EXPIRE_DAY / 2,
};

struct sweep {
	const struct hold_open *o;
	struct hold_expire *x;
	struct maildir *m; /* NULL: commit has closed it */
	struct maildir_dirs d;
	struct expire_state state;
	struct expire_clock clock;
	bool current; /* the view is what is there */
	/* What was found. */
	uint32_t due, unasked; /* of which nobody has accepted */
	uint32_t chosen;       /* of which so many are in: */
	uint8_t *bits;         /* as in a hold_commit */
	uint64_t next;         /* when the next one will be due */
	struct errbuf eb;
};

/* ---- what is due ---- */

/* When the file changed last; a time that never comes if it is not there: it has
 * been moved, and is looked at another time. */
static uint64_t
changed_at(const struct sweep *s, const char *name)
{
	struct stat st;

	if (fstatat(s->d.sub[NAME_SUB(name)], name + 1, &st,
		AT_SYMLINK_NOFOLLOW) < 0)
		return UINT64_MAX / 2;
	return st.st_ctim.tv_sec > 0 ? (uint64_t)st.st_ctim.tv_sec : 0;
}

static void
choose(struct sweep *s, uint32_t msgno, uint64_t at)
{
	s->due++;
	s->unasked += at > s->state.accepted;
	if (s->chosen == AT_ONCE)
		return;
	s->bits[(msgno - 1) / 8] |= (uint8_t)(1U << (msgno - 1) % 8);
	s->chosen++;
}

static enum err
take_entry(void *arg, const struct indexfile_entry *entry)
{
	struct sweep *s = arg;
	char name[INDEX_NAME_MAX + 1];
	uint64_t at;

	memcpy(name, entry->name.p, entry->name.n);
	name[entry->name.n] = '\0';
	if (expire_is_flagged(name))
		return E_OK;
	at = expire_due_at(&s->state, entry->seen, 0);
	if (at <= s->clock.now)
		at = expire_due_at(&s->state, entry->seen, changed_at(s, name));
	if (at <= s->clock.now)
		choose(s, entry->msgno, at);
	else if (at < s->next)
		s->next = at;
	return E_OK;
}

/* The files that are due, by an index that is all right. */
static enum err
find_due(struct sweep *s)
{
	struct maildir *m = s->m;
	enum err e;
	int fd;

	s->next = s->clock.now + (uint64_t)s->state.days * EXPIRE_DAY;
	if ((s->bits = calloc(m->trailer.count / 8 + 1, 1)) == NULL)
		return err_set(&s->eb, E_NOMEM, "out of memory");
	e = maildir_view_open(m, s->d.root, false, &fd, &s->eb);
	if (e != E_OK)
		return e;
	e = indexfile_verify(fd, m->end, &m->trailer, take_entry, s);
	maildir_view_close(m, fd);
	return e == E_OK
		   ? E_OK
		   : err_set(&s->eb, e, "reading the index: %s", err_str(e));
}

/* ---- saying what is not done ---- */

static void
log_held(const struct sweep *s)
{
	const struct expire_state *x = &s->state;
	char word[STR_SHELL_WORD(NAME_MAX_OCTETS)];
	const char *user = str_shell_word(word, sizeof(word), s->o->user);

	if (x->held == EXPIRE_HELD_CLOCK)
		log_line(LOG_WARNING,
		    "ev=expire-held %s why=clock "
		    "accept=\"malotectl expire accept %s\"",
		    s->o->tag, user);
	else
		log_line(LOG_WARNING,
		    "ev=expire-held %s why=share due=%u of=%u "
		    "accept=\"malotectl expire accept %s\"",
		    s->o->tag, x->due, x->of, user);
}

static enum err
hold_back(struct sweep *s, enum expire_held why)
{
	s->state.held = why;
	log_held(s);
	return expire_save(&s->state, s->d.root, &s->eb);
}

/* ---- a look ---- */

/* The owner has been told for the first time, or of other days than before, or
 * what was known of that is lost.  First a file that says nothing (0 days), then
 * the index, which tells of it whoever has to remove it, then what was told. */
static enum err
begin(struct sweep *s)
{
	struct expire_state *x = &s->state;
	enum err e;

	*x = (struct expire_state){ .days = 0 };
	memcpy(x->user, s->o->user, strlen(s->o->user) + 1);
	if ((e = expire_save(x, s->d.root, &s->eb)) != E_OK ||
	    (e = maildir_scan(s->m, &s->d, &s->eb)) != E_OK)
		return e;
	x->days = s->x->days;
	x->since = x->looked = s->clock.now;
	x->boot = s->clock.boot;
	x->next = s->clock.now + (uint64_t)x->days * EXPIRE_DAY;
	if ((e = expire_save(x, s->d.root, &s->eb)) == E_OK)
		log_line(
		    LOG_EVENT, "ev=expire-told %s days=%u", s->o->tag, x->days);
	return e;
}

static enum err
remove_due(struct sweep *s)
{
	struct hold_commit todo = { .expired = s->bits };
	enum err e;

	s->x->more = s->due > s->chosen;
	s->state.held = EXPIRE_HELD_NOT;
	/* Until it has gone the rest is due. */
	s->state.next = s->chosen != 0 ? 0 : s->next;
	if ((e = expire_save(&s->state, s->d.root, &s->eb)) != E_OK ||
	    s->chosen == 0)
		return e;
	maildir_commit(&s->m->hold, &todo);
	s->m = NULL;
	s->x->more = s->x->more && todo.removed != 0;
	log_line(LOG_EVENT, "ev=expired %s removed=%u due=%u", s->o->tag,
	    todo.removed, s->due);
	return E_OK;
}

/* The maildrop is what the state is about, and the clock has gone on. */
static enum err
look_closer(struct sweep *s)
{
	const struct store_conf *conf = s->o->conf;
	struct expire_state *x = &s->state;
	enum err e = E_OK;

	if (x->held == EXPIRE_HELD_CLOCK)
		return hold_back(s, EXPIRE_HELD_CLOCK);
	/* What has come since is met now. */
	if (!s->current)
		e = maildir_scan(s->m, &s->d, &s->eb);
	if (e == E_OK && s->clock.now < x->next)
		return expire_save(x, s->d.root, &s->eb);
	if (e != E_OK || (e = find_due(s)) != E_OK)
		return e;
	x->due = s->due;
	x->of = s->m->trailer.count;
	return expire_is_much(
		   s->unasked, x->of, conf->expire_share, conf->expire_floor)
		   ? hold_back(s, EXPIRE_HELD_SHARE)
		   : remove_due(s);
}

/* An index that does not tell of the file, as one from before, might have let it
 * stay when it should have gone. */
static bool
is_known(struct sweep *s)
{
	struct errbuf eb;

	return expire_load(&s->state, s->d.root, &eb) == E_OK &&
	       s->m->trailer.expires && s->state.days == s->x->days &&
	       strcmp(s->state.user, s->o->user) == 0;
}

static enum err
look(struct sweep *s)
{
	struct expire_state *x = &s->state;
	bool is_time, jumped;

	s->current = maildir_view_find(s->m, s->d.root, VIEW_CURRENT, false);
	if (!s->current &&
	    !maildir_view_find(s->m, s->d.root, VIEW_LAST, false))
		s->m->trailer.expires = true; /* it is made anew */
	expire_clock_read(&s->clock);
	if (!is_known(s))
		return s->x->told ? begin(s) : E_OK;
	jumped = expire_has_jumped(x, &s->clock);
	is_time = s->clock.now >= x->looked + LOOK_EVERY;
	if (!jumped && !is_time &&
	    (x->held != EXPIRE_HELD_NOT || s->clock.now < x->next))
		return E_OK;
	x->looked = s->clock.now;
	x->boot = s->clock.boot;
	return jumped ? hold_back(s, EXPIRE_HELD_CLOCK) : look_closer(s);
}

/* Somebody else may have it, or its disk take no lock: then another time. */
static enum err
look_alone(struct sweep *s)
{
	struct holder holder;
	enum err e;

	if ((s->m = maildir_new(s->o)) == NULL)
		return err_set(&s->eb, E_NOMEM, "out of memory");
	s->m->hold.kind = NULL;
	s->m->hold.shared = s->m->keeps_index = false;
	e = maildir_lock(s->d.root, "expire", &s->m->lock_fd, &holder, &s->eb);
	return e == E_OK ? look(s) : e == E_BUSY ? E_OK : e;
}

void
maildir_expire(const struct hold_open *o, struct hold_expire *x)
{
	struct sweep s = { .o = o, .x = x };
	enum err e = maildir_enter(o->path, false, &s.d, &s.eb);

	if (e == E_NOENT)
		return; /* nobody has signed in yet */
	if (e == E_OK) {
		e = look_alone(&s);
		if (s.m != NULL)
			maildir_close(&s.m->hold);
		maildir_leave(&s.d);
	}
	free(s.bits);
	if (e != E_OK)
		log_line(LOG_WARNING, "ev=expire-failed %s error=\"%s\"",
		    o->tag, s.eb.text);
}

/* ---- for the admin ---- */

static enum err
load_for_admin(int root, struct expire_state *s, struct errbuf *eb)
{
	enum err e = expire_load(s, root, eb);

	return e == E_NOENT ? err_set(eb, e,
				  "nobody was told that mail goes from here "
				  "after some days: nothing expires")
			    : e;
}

enum err
maildir_expire_show(
    const char *path, struct control_expire *out, struct errbuf *eb)
{
	struct expire_state s;
	enum err e;
	int root;

	if ((e = maildir_open_dir(AT_FDCWD, path, false, &root, eb)) != E_OK)
		return maildir_about(e, "the Maildir", eb);
	if ((e = load_for_admin(root, &s, eb)) == E_OK) {
		memcpy(out->user, s.user, sizeof(out->user));
		out->days = s.days;
		out->since = (uint32_t)s.since;
		out->looked = (uint32_t)s.looked;
		out->next = (uint32_t)s.next;
		out->held = s.held;
		out->due = s.due;
		out->of = s.of;
	}
	close(root);
	return e;
}

/* So much may go, as was counted at the last look, which knew what time it was.
 * Or the clock is right now, and all begins from here. */
static enum err
accept_held(int root, struct errbuf *eb)
{
	struct expire_clock clock;
	struct expire_state s;
	enum err e = load_for_admin(root, &s, eb);

	if (e != E_OK)
		return e;
	expire_clock_read(&clock);
	if (s.held == EXPIRE_HELD_NOT)
		return err_set(eb, E_NOENT, "nothing is held back there");
	if (s.held == EXPIRE_HELD_CLOCK) {
		s.since = clock.now;
		s.next = clock.now + (uint64_t)s.days * EXPIRE_DAY;
		s.accepted = 0;
		s.looked = clock.now;
		s.boot = clock.boot;
	} else {
		s.accepted = s.looked;
		s.next = 0;
	}
	s.held = EXPIRE_HELD_NOT;
	return expire_save(&s, root, eb);
}

enum err
maildir_expire_accept(
    const char *path, struct holder *holder, struct errbuf *eb)
{
	return maildir_by_hand(path, holder, accept_held, eb);
}
