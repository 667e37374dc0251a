#include "server/store/maildir/scan_match.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "server/store/maildir/measure.h"
#include "server/store/maildir/scan_left.h"

enum { TRIES = 4 };

/* What the index says is doubted: the file is read, and the index mended if it
 * was wrong.  False: it cannot be read now. */
static bool
measure_again(struct scan *s, struct scan_message *v, const struct name *m)
{
	struct measure size;
	enum err e;

	e = maildir_measure(
	    s->d->sub[NAME_SUB(m->s)], m->s + 1, s->m->utf8, &size, s->eb);
	if (e == E_FORMAT || e == E_IO)
		scan_leave_out(s, m, e);
	if (e != E_OK)
		return e == E_NOENT;
	s->mend = s->mend || v->wire != size.wire || v->stamp != size.stamp;
	v->wire = size.wire;
	v->stamp = size.stamp;
	return true;
}

static bool
is_doubted(const struct scan *s, const struct scan_message *v)
{
	uint32_t msgno = (uint32_t)(v - s->v) + 1;

	for (unsigned i = 0; i < s->m->n_doubt; i++)
		if (s->m->doubt[i] == msgno)
			return msgno <= s->known;
	return false;
}

/* File `m` is message `v`. */
static void
give_file(struct scan *s, struct scan_message *v, const struct name *m)
{
	v->here = !is_doubted(s, v) || measure_again(s, v, m);
	if (v->name_len == m->len && memcmp(v->name, m->s, m->len) == 0)
		return;
	s->mend = true;
	v->name = m->s;
	v->name_len = m->len;
}

/* Under the name that was seen, or, if the message has its base name to
 * itself, another one that was: it may be renamed at this moment.  *m is the
 * name under which it was found. */
static enum err
measure_file(
    struct scan *s, const struct name **m, bool alone, struct measure *size_r)
{
	const struct names *t = &s->names;
	enum err e;

	e = maildir_measure(s->d->sub[NAME_SUB((*m)->s)], (*m)->s + 1,
	    s->m->utf8, size_r, s->eb);
	for (unsigned n = 0; alone && n < TRIES && e == E_NOENT; n++)
		for (uint32_t i = t->base[(*m)->base].name;
		     i != MAP_NONE && e == E_NOENT; i = t->v[i].next) {
			*m = &t->v[i];
			e = maildir_measure(s->d->sub[NAME_SUB((*m)->s)],
			    (*m)->s + 1, s->m->utf8, size_r, s->eb);
		}
	return e;
}

/* A message that the index does not have.  One that has gone meanwhile is
 * left out, and *missed_r set. */
static enum err
meet_file(struct scan *s, const struct name *m, uint64_t ino, bool alone,
    bool *missed_r)
{
	struct scan_message *v;
	struct measure size;
	enum err e;

	if ((e = measure_file(s, &m, alone, &size)) == E_NOENT) {
		*missed_r = true;
		return E_OK;
	}
	if (e == E_FORMAT || e == E_IO) {
		scan_leave_out(s, m, e);
		return E_OK;
	}
	if (e != E_OK || (e = scan_add(s, (struct slice){ m->s, m->len },
			      m->base, &v)) != E_OK)
		return e;
	v->wire = size.wire;
	v->stamp = size.stamp;
	v->ino = ino;
	v->here = true;
	return E_OK;
}

/* A message of that base name that has no file yet. */
static struct scan_message *
message_without_file(struct scan *s, uint32_t base, uint64_t ino)
{
	for (uint32_t i = s->names.base[base].user; i != MAP_NONE;
	     i = s->v[i].next)
		if (!s->v[i].here && s->v[i].ino == ino)
			return &s->v[i];
	return NULL;
}

/* The message that had exactly this name. */
static struct scan_message *
message_of_name(struct scan *s, const struct name *m)
{
	for (uint32_t i = s->names.base[m->base].user; i != MAP_NONE;
	     i = s->v[i].next)
		if (s->v[i].name_len == m->len &&
		    memcmp(s->v[i].name, m->s, m->len) == 0)
			return &s->v[i];
	return NULL;
}

static enum err
give_or_meet(struct scan *s, const struct name *m, uint64_t ino, bool alone,
    bool *missed_r)
{
	struct scan_message *v = message_without_file(s, m->base, ino);

	if (v == NULL)
		return meet_file(s, m, ino, alone, missed_r);
	give_file(s, v, m);
	return E_OK;
}

/* ---- several files of one base name ---- */

struct several {
	const struct name *m;
	uint64_t ino;
	bool done;
};

static bool
has_ordinary(const struct scan *s, uint32_t base)
{
	for (uint32_t i = s->names.base[base].user; i != MAP_NONE;
	     i = s->v[i].next)
		if (s->v[i].here && s->v[i].ino == 0)
			return true;
	return false;
}

/* One that is known by its name.  A restore, or a program that writes it anew,
 * has given it another inode, by which it is told apart from now on. */
static void
give_renewed(struct scan *s, struct scan_message *v, const struct several *f)
{
	give_file(s, v, f->m);
	if (v->ino != 0)
		v->ino = f->ino;
}

/* First those whose inode is known, then those whose name is, then the rest;
 * the first of them that is new is the base name's own message, and each
 * other one gets a line with its inode. */
static enum err
match_several(struct scan *s, const struct uid *key, struct several *f,
    unsigned n, bool *missed_r)
{
	struct scan_message *v;
	enum err e = E_OK;

	for (unsigned i = 0; i < n && e == E_OK; i++)
		if (!f[i].done &&
		    uidlfile_find(&s->uidl, uid_slice(key), f[i].ino) != NULL) {
			e = give_or_meet(s, f[i].m, f[i].ino, false, missed_r);
			f[i].done = true;
		}
	for (unsigned i = 0; i < n && e == E_OK; i++)
		if (!f[i].done && (v = message_of_name(s, f[i].m)) != NULL &&
		    !v->here) {
			give_renewed(s, v, &f[i]);
			f[i].done = true;
		}
	for (unsigned i = 0; i < n && e == E_OK; i++) {
		if (f[i].done)
			continue;
		if (!has_ordinary(s, f[i].m->base) ||
		    message_without_file(s, f[i].m->base, 0) != NULL) {
			e = give_or_meet(s, f[i].m, 0, false, missed_r);
			continue;
		}
		if (s->doubles++ == 0)
			log_line(LOG_WARNING, "ev=double-name %s key=%.*s",
			    s->m->hold.tag, (int)key->n, key->s);
		e = give_or_meet(s, f[i].m, f[i].ino, false, missed_r);
	}
	return e;
}

/* What there is of one base name, with their inodes. */
static unsigned
look_at_several(
    struct scan *s, uint32_t first, struct several *f, bool *missed_r)
{
	const struct name *m;
	struct stat st;
	unsigned n = 0;

	for (uint32_t i = first; i != MAP_NONE; i = m->next) {
		m = &s->names.v[i];
		if (m->gone)
			continue;
		if (fstatat(s->d->sub[NAME_SUB(m->s)], m->s + 1, &st,
			AT_SYMLINK_NOFOLLOW) == 0)
			f[n++] = (struct several){ .m = m, .ino = st.st_ino };
		else
			*missed_r = true;
	}
	return n;
}

static enum err
match_base(struct scan *s, uint32_t first, bool *missed_r)
{
	const struct name *m = NULL;
	struct several *f;
	struct uid key;
	unsigned n = 0;
	enum err e;

	for (uint32_t i = first; i != MAP_NONE; i = s->names.v[i].next)
		if (!s->names.v[i].gone) {
			m = &s->names.v[i];
			n++;
		}
	if (n == 0)
		return E_OK;
	if (n == 1 && s->uidl.several == 0)
		return give_or_meet(s, m, 0, true, missed_r);
	uid_own(&key, (struct slice){ m->s + 1, m->base_len });
	if (n == 1 && !uidlfile_is_several(&s->uidl, uid_slice(&key)))
		return give_or_meet(s, m, 0, true, missed_r);
	if ((f = calloc(n, sizeof(*f))) == NULL)
		return E_NOMEM;
	n = look_at_several(s, first, f, missed_r);
	e = match_several(s, &key, f, n, missed_r);
	free(f);
	return e;
}

enum err
scan_match(struct scan *s, bool *missed_r)
{
	enum err e = E_OK;

	*missed_r = false;
	scan_left_begin(s);
	for (uint32_t i = 0; i < s->n; i++)
		s->v[i].here = false;
	/* All files of a base name at once. */
	for (uint32_t i = 0; i < s->names.bases && e == E_OK; i++)
		e = match_base(s, s->names.base[i].name, missed_r);
	scan_left_end(s);
	if (e == E_NOMEM)
		err_set(s->eb, e, "matching names");
	return e;
}
