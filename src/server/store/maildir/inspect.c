#include "server/store/maildir/inspect.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/store/maildir/indexfile.h"
#include "server/store/maildir/maildir.h"
#include "server/store/maildir/map.h"
#include "server/store/maildir/message_id.h"
#include "server/store/maildir/names.h"
#include "server/store/maildir/scan_left.h"
#include "server/store/maildir/uidlfile.h"
#include "server/store/maildir/view.h"

/* So many files are opened, and unique-ids compared, to see whether all is
 * well. */
enum { LOOKED_AT = 100 * 1000 };

static struct slice
text_of(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

/* ---- as it lies there, before somebody opens it ---- */

static enum err
pass_over(void *arg, const struct indexfile_entry *entry)
{
	return E_OK;
}

static const char *
index_state(int fd, uint64_t size, struct index_trailer *t)
{
	uint64_t end;
	enum err e = indexfile_load(fd, size, pass_over, NULL, &end, t);

	if (e == E_OK && end == size)
		return "good";
	return e == E_OK || e == E_FORMAT
		   ? "damaged; what is behind the damage is made anew at the "
		     "next sign-in"
		   : "it cannot be read now";
}

static void
survey_index(const struct store_conf *conf, const struct maildir_dirs *d,
    struct inspection *x)
{
	struct index_trailer t = { .count = 0 };
	struct errbuf eb;
	struct stat st;
	int fd;
	enum err e = maildir_file(d->root, indexfile_name(conf->utf8_messages),
	    O_RDONLY, false, &fd, &st, &eb);

	if (e != E_OK) {
		inspection_words(x, "index",
		    e == E_NOENT ? "none; the next sign-in makes it" : eb.text);
		return;
	}
	inspection_words(x, "index", index_state(fd, (uint64_t)st.st_size, &t));
	inspection_number(x, "index_messages", t.count);
	close(fd);
}

static void
survey_uidls(const struct maildir_dirs *d, struct inspection *x)
{
	struct uidlfile u;
	struct errbuf eb;

	uidlfile_init(&u);
	if (uidlfile_load(&u, d->root, &eb) == E_OK) {
		inspection_words(x, "unique_ids", uidlfile_decision(u.decided));
		inspection_number(x, "uidl_lines", u.n);
		inspection_number(x, "uidl_damaged", u.bad);
	} else {
		inspection_words(x, "unique_ids", eb.text);
	}
	uidlfile_free(&u);
}

static void
try_file(
    const struct maildir_dirs *d, const struct name *n, struct inspection *x)
{
	int fd, dir = d->sub[NAME_SUB(n->s)];
	struct errbuf eb;
	struct stat st;
	char what[40], problem[sizeof(eb.text) + 60];
	enum err e =
	    maildir_file(dir, n->s + 1, O_RDONLY, false, &fd, &st, &eb);

	if (e == E_OK) {
		close(fd);
	} else if (fstatat(dir, n->s + 1, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		snprintf(problem, sizeof(problem), "%s; remedy: %s", eb.text,
		    scan_left_remedy(e, &st, what, sizeof(what)));
		inspection_problem(x, text_of(n->s + 1), problem);
	}
}

/* Each is a message of its own, but what delivers or marks one may take it for
 * the other. */
static void
find_doubles(const struct names *t, struct inspection *x)
{
	for (uint32_t i = 0; i < t->bases; i++) {
		uint32_t at = t->base[i].name;
		unsigned files = 0;
		const char *last = NULL;

		for (; at != MAP_NONE; at = t->v[at].next)
			if (!t->v[at].gone) {
				files++;
				last = t->v[at].s + 1;
			}
		if (files > 1)
			inspection_problem(x, text_of(last),
			    "another file has the same name but for its "
			    "flags");
	}
}

static enum err
survey_files(
    const struct maildir_dirs *d, struct inspection *x, struct errbuf *eb)
{
	struct names t;
	enum err e;

	names_init(&t);
	if ((e = names_read(&t, d, eb)) == E_OK) {
		inspection_number(x, "files", t.n);
		for (uint32_t i = 0; i < t.n && i < LOOKED_AT; i++)
			if (!t.v[i].gone)
				try_file(d, &t.v[i], x);
		find_doubles(&t, x);
	}
	names_free(&t);
	return e;
}

enum err
maildir_survey(const struct store_conf *conf, const char *path,
    struct inspection *x, struct errbuf *eb)
{
	struct maildir_dirs d;
	enum err e = maildir_enter(path, false, &d, eb);

	if (e != E_OK)
		return maildir_about(e, "the Maildir", eb);
	survey_index(conf, &d, x);
	survey_uidls(&d, x);
	e = survey_files(&d, x, eb);
	maildir_leave(&d);
	return e;
}

/* ---- as a session has it ---- */

struct look {
	struct maildir *m;
	struct maildir_dirs d;
	struct view_reader index;
	struct inspection *x;
	struct errbuf *eb;
	struct map uids;
	struct arena arena;
};

/* Its file, which another program may have renamed since the index was made. */
static const char *
file_of(struct look *l, const char *name, struct stat *st)
{
	struct slice base = { name + 1, names_base_len(name + 1) };
	const struct name *now;

	if (fstatat(l->d.sub[NAME_SUB(name)], name + 1, st,
		AT_SYMLINK_NOFOLLOW) == 0)
		return name;
	if (maildir_names(l->m, &l->d, l->eb) != E_OK ||
	    (now = names_only(l->m->names, base, NULL)) == NULL ||
	    fstatat(l->d.sub[NAME_SUB(now->s)], now->s + 1, st,
		AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	return now->s;
}

static enum err
read_entry(struct look *l, uint32_t msgno, struct view_entry *v, struct uid *u)
{
	enum err e = maildir_view_get(l->m, &l->index, msgno, v);

	if (e == E_OK)
		e = maildir_view_uid(l->m, &l->index, msgno, u);
	return e == E_OK ? E_OK : err_set(l->eb, e, "the index cannot be read");
}

static enum err
list_one(struct look *l, uint32_t msgno)
{
	struct control_message *c = inspection_message(l->x);
	struct message_facts facts = { .size = 0 };
	struct view_entry v;
	const char *name;
	struct stat st;
	struct uid u;
	enum err e;

	if (c == NULL)
		return err_set(l->eb, E_NOMEM, "out of memory");
	if ((e = read_entry(l, msgno, &v, &u)) != E_OK)
		return e;
	c->number = msgno;
	c->octets = v.wire;
	memcpy(c->uid, u.s, u.n);
	if ((name = file_of(l, v.name, &st)) == NULL)
		return E_OK;
	c->date = (uint32_t)st.st_mtime;
	message_facts(&facts, l->d.sub[NAME_SUB(name)], name + 1);
	if (memchr(facts.id, '\0', facts.id_len) == NULL)
		memcpy(c->id, facts.id, facts.id_len);
	return E_OK;
}

static enum err
list(struct look *l)
{
	struct inspection *x = l->x;
	uint32_t i, count = l->m->trailer.count;
	enum err e = E_OK;

	for (i = x->number; e == E_OK && i <= count; i++) {
		if (x->n == INSPECTED_MAX) {
			x->next = i;
			break;
		}
		e = list_one(l, i);
	}
	return e;
}

/* ---- one of them ---- */

static void
show_fields(struct look *l, const char *name)
{
	static const char *const fields[][2] = { { "from", "From" },
		{ "to", "To" }, { "subject", "Subject" }, { "date", "Date" },
		{ "message_id", "Message-ID" } };
	char head[MESSAGE_HEAD];
	size_t n = message_head(head, l->d.sub[NAME_SUB(name)], name + 1);

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		inspection_text(l->x, fields[i][0],
		    message_field((struct slice){ head, n }, fields[i][1]));
}

static void
show_file(struct look *l, const char *name, const struct stat *st)
{
	const char *flags = strstr(name, ":2,");
	char when[CLOCK_STAMP];

	inspection_words(
	    l->x, "folder", NAME_SUB(name) == SUB_NEW ? "new" : "cur");
	inspection_words(l->x, "file", name + 1);
	inspection_words(l->x, "flags", flags != NULL ? flags + 3 : "");
	inspection_number(l->x, "file_octets", (uint64_t)st->st_size);
	inspection_words(l->x, "delivered",
	    clock_stamp(when, (uint64_t)st->st_mtime * 1000));
	show_fields(l, name);
}

static enum err
show(struct look *l)
{
	uint32_t msgno = l->x->number;
	struct view_entry v;
	const char *name;
	struct stat st;
	struct uid u;
	enum err e;

	if (msgno > l->m->trailer.count)
		return err_set(l->eb, E_NOENT,
		    "there is no message %u: there are %u", msgno,
		    l->m->trailer.count);
	if ((e = read_entry(l, msgno, &v, &u)) != E_OK)
		return e;
	inspection_number(l->x, "number", msgno);
	inspection_text(l->x, "unique_id", (struct slice){ u.s, u.n });
	inspection_number(l->x, "octets", v.wire);
	if ((name = file_of(l, v.name, &st)) != NULL)
		show_file(l, name, &st);
	else
		inspection_words(l->x, "file", "it is not there any more");
	return E_OK;
}

/* ---- all of it ---- */

static enum err
take_uid(void *arg, const struct indexfile_entry *entry)
{
	struct look *l = arg;
	char *p = arena_put(&l->arena, entry->uid.p, entry->uid.n);
	uint32_t *value;

	if (entry->msgno > LOOKED_AT)
		return E_OK;
	if (p == NULL || (value = map_put(&l->uids,
			      (struct slice){ p, entry->uid.n })) == NULL)
		return E_NOMEM;
	if (*value != MAP_NONE)
		inspection_problem(
		    l->x, entry->uid, "two messages have this unique-id");
	*value = entry->msgno;
	return E_OK;
}

static enum err
check(struct look *l)
{
	struct index_trailer t;
	uint64_t end;
	enum err e;

	inspection_number(l->x, "messages", l->m->trailer.count);
	inspection_number(l->x, "octets", l->m->trailer.octets);
	inspection_number(l->x, "left_out", l->m->left_out);
	map_init(&l->uids);
	arena_init(&l->arena);
	e = indexfile_load(l->index.fd, l->m->end, take_uid, l, &end, &t);
	map_free(&l->uids);
	arena_free(&l->arena);
	if (e != E_OK)
		return err_set(l->eb, e, "reading the index: %s", err_str(e));
	inspection_number(l->x, "problems_in_all", l->x->problems);
	return E_OK;
}

static enum err
look(struct look *l)
{
	switch (l->x->what) {
	case INQUIRY_LIST: return list(l);
	case INQUIRY_MESSAGE: return show(l);
	default: return check(l);
	}
}

enum err
maildir_inspect(struct hold *h, struct inspection *x, struct errbuf *eb)
{
	struct look l = { .m = (struct maildir *)h, .x = x, .eb = eb };
	enum err e = maildir_enter(l.m->path, false, &l.d, eb);
	int fd;

	if (e != E_OK)
		return maildir_about(e, "the Maildir", eb);
	if ((e = maildir_view_open(l.m, l.d.root, false, &fd, eb)) == E_OK) {
		maildir_view_begin(&l.index, fd, false);
		e = look(&l);
		maildir_view_close(l.m, fd);
	}
	maildir_leave(&l.d);
	return e;
}
