#include "server/store/maildir/scan_uidl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "server/store/maildir/foreign.h"

/* A list that is there and cannot be used.  As long as nothing was shown to
 * anybody it can still be mended, and its unique-ids be shown: the sign-in is
 * refused until then.  Later the messages that it is asked for are new in any
 * case. */
static enum err
list_unusable(const struct scan *s, const char *list)
{
	struct errbuf why = *s->eb;

	if (s->uidl.decided == UIDL_AUTO)
		return err_set(s->eb, E_IO,
		    "%s: %s; mend it, or move it away if its unique-ids are "
		    "not wanted",
		    list, why.text);
	log_line(LOG_WARNING, "ev=uidlist-ignored %s list=%s error=\"%s\"",
	    s->m->hold.tag, list, why.text);
	return E_NOENT;
}

/* A list to be asked: what the settings say, or what is found.  E_NOENT: there
 * is none to ask. */
static enum err
read_list(struct scan *s, struct foreign *f, enum store_uidl kind)
{
	enum err e;

	foreign_init(f, kind);
	e = foreign_read(f, s->d->root, sandbox_uid(), s->eb);
	if (e != E_OK && e != E_NOENT && e != E_NOMEM)
		e = list_unusable(s, foreign_name(kind));
	if (e == E_OK)
		log_line(LOG_EVENT,
		    "ev=uidlist-read %s kind=%s messages=%u junk=%u",
		    s->m->hold.tag,
		    kind == UIDL_DOVECOT ? "dovecot" : "courier", f->n,
		    f->junk);
	return e;
}

/* One that appears after names were decided for is ignored, which is said
 * once for each maildrop. */
static void
ignore_later_lists(struct scan *s)
{
	struct stat st;

	for (enum store_uidl i = UIDL_DOVECOT; i <= UIDL_COURIER; i++) {
		if ((s->uidl.ignored & 1u << i) != 0 ||
		    fstatat(s->d->root, foreign_name(i), &st,
			AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		s->uidl.ignored |= 1u << i;
		log_line(LOG_EVENT,
		    "ev=uidlist-ignored %s list=%s why=\"it appeared later\"",
		    s->m->hold.tag, foreign_name(i));
	}
}

static bool
has_message(const struct scan *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->v[i].here)
			return true;
	return false;
}

static bool
has_new(const struct scan *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->v[i].here && s->v[i].uid == NULL)
			return true;
	return false;
}

/* *f holds no list where none is to be asked. */
static enum err
choose_list(struct scan *s, struct foreign *f)
{
	enum store_uidl want = s->m->hold.conf->uidl;
	bool first = s->uidl.decided == UIDL_AUTO;
	enum err e = E_NOENT;

	foreign_init(f, UIDL_FILENAME);
	/* What shows nothing decides nothing: a list may come with the mail. */
	if (!has_message(s))
		return E_OK;
	if (want == UIDL_AUTO && s->uidl.decided == UIDL_FILENAME)
		ignore_later_lists(s);
	if (want == UIDL_AUTO && first) {
		if ((e = read_list(s, f, UIDL_DOVECOT)) == E_NOENT) {
			foreign_free(f);
			e = read_list(s, f, UIDL_COURIER);
		}
	} else if (has_new(s) &&
		   (want == UIDL_DOVECOT || want == UIDL_COURIER)) {
		e = read_list(s, f, want);
	}
	if (e == E_NOENT) {
		foreign_free(f);
		f->kind = want == UIDL_AUTO ? UIDL_FILENAME : want;
		e = E_OK;
	}
	if (want != UIDL_AUTO)
		s->uidl.decided = want;
	else if (first && e == E_OK)
		s->uidl.decided = f->kind;
	return e;
}

/* Makes v the owner of its unique-id; *taken_r: another is.  Most have that
 * of their own base name, which is the owner's by a mark. */
static enum err
try_uid(struct scan *s, struct scan_message *v, bool *taken_r)
{
	struct slice uid = { v->uid, v->uid_len };
	struct names_base *base = &s->names.base[v->base];
	uint32_t *at, of;

	if (scan_is_own(v, uid)) {
		*taken_r = base->mark || map_get(&s->by_uid, uid) != MAP_NONE;
		base->mark = true;
		return E_OK;
	}
	of = names_find(&s->names, uid);
	*taken_r = of != MAP_NONE && s->names.base[of].mark;
	if (*taken_r)
		return E_OK;
	if ((at = map_put(&s->by_uid, uid)) == NULL)
		return E_NOMEM;
	*taken_r = *at != MAP_NONE;
	if (!*taken_r)
		*at = (uint32_t)(v - s->v);
	return E_OK;
}

/* Makes v the owner of its unique-id, or of a new one if that is taken. */
static enum err
own_uid(struct scan *s, struct scan_message *v)
{
	struct uid other;
	bool taken;

	for (uint64_t salt = 1;; salt++) {
		if (try_uid(s, v, &taken) != E_OK)
			return E_NOMEM;
		if (!taken)
			return E_OK;
		log_line(LOG_WARNING, "ev=uidl-taken %s uidl=%.*s",
		    s->m->hold.tag, v->uid_len, v->uid);
		s->mend = true;
		uid_digest(&other, scan_base(v), salt);
		if (scan_set_uid(s, v, uid_slice(&other)) != E_OK)
			return E_NOMEM;
	}
}

/* For a message that nobody has shown yet. */
static enum err
new_uid(struct scan *s, const struct foreign *f, struct scan_message *v)
{
	struct uid uid;

	if (v->ino != 0)
		uid_digest(&uid, scan_base(v), v->ino);
	else if (!foreign_uid(
		     f, scan_base(v), s->m->hold.conf->uidl_format, &uid))
		uid_own(&uid, scan_base(v));
	return scan_set_uid(s, v, uid_slice(&uid));
}

static enum err
give_uid(struct scan *s, const struct foreign *f, struct scan_message *v)
{
	enum store_uidl want = s->m->hold.conf->uidl;
	struct uidl_line *line;
	struct uid key;
	enum err e = E_OK;

	uid_own(&key, scan_base(v));
	line = uidlfile_find(&s->uidl, uid_slice(&key), v->ino);
	if (line != NULL) {
		line->used = true;
		if (v->uid == NULL || v->uid_len != line->uid.n ||
		    memcmp(v->uid, line->uid.p, line->uid.n) != 0) {
			s->mend = s->mend || v->uid != NULL;
			e = scan_set_uid(s, v, line->uid);
		}
	} else if (v->uid == NULL) {
		e = new_uid(s, f, v);
	}
	if (e == E_OK)
		e = own_uid(s, v);
	if (e != E_OK || line != NULL)
		return e;
	if (want == UIDL_DOVECOT || want == UIDL_COURIER ||
	    v->uid_len != key.n || memcmp(v->uid, key.s, key.n) != 0)
		e = uidlfile_add(&s->uidl, (struct slice){ v->uid, v->uid_len },
		    uid_slice(&key), v->ino);
	return e;
}

/* The admin may have meant another: as long as nobody has collected this mail
 * it can be decided anew. */
static void
log_decision(const struct scan *s)
{
	const struct store_conf *conf = s->m->hold.conf;
	const char *name = s->m->hold.user;
	char user[STR_SHELL_WORD(NAME_MAX_OCTETS)], path[256];

	log_line(LOG_EVENT,
	    "ev=uidl-decided %s uidl=%s pop3_uidl_format=\"%s\" path=%s "
	    "undo=\"malotectl uidl forget %s\"",
	    s->m->hold.tag, uidlfile_decision(s->uidl.decided),
	    s->uidl.decided == UIDL_DOVECOT ? conf->uidl_format : "-",
	    str_escape(path, sizeof(path), s->m->path, strlen(s->m->path)),
	    name != NULL ? str_shell_word(user, sizeof(user), name) : "NAME");
}

enum err
scan_give_uidls(struct scan *s)
{
	enum store_uidl decided = s->uidl.decided;
	struct foreign f;
	enum err e;

	if ((e = choose_list(s, &f)) != E_OK)
		return e;
	for (uint32_t i = 0; i < s->n && e == E_OK; i++)
		if (s->v[i].here && (e = give_uid(s, &f, &s->v[i])) != E_OK)
			err_set(s->eb, e, "unique-ids: %s", err_str(e));
	foreign_free(&f);
	if (e != E_OK)
		return e;
	s->uidl.partial = s->unsure;
	e = uidlfile_save(&s->uidl, s->d->root, s->eb);
	if (e == E_OK && s->uidl.decided != decided)
		log_decision(s);
	if (e == E_DENIED) {
		log_line(LOG_WARNING, "ev=uidl-not-saved %s error=\"%s\"",
		    s->m->hold.tag, s->eb->text);
		s->m->uidls_unsaved = true;
		s->unsure = true;
		e = E_OK;
	}
	return e;
}
