#include "server/store/maildir/foreign.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "server/store/maildir/dir.h"
#include "server/store/maildir/lines.h"

enum { TRIES = 3 };

void
foreign_init(struct foreign *f, enum store_uidl kind)
{
	*f = (struct foreign){ .kind = kind };
	map_init(&f->by_base);
	arena_init(&f->arena);
}

void
foreign_free(struct foreign *f)
{
	free(f->v);
	map_free(&f->by_base);
	arena_free(&f->arena);
	foreign_init(f, f->kind);
}

/* ---- reading ---- */

static bool
keep_octets(struct foreign *f, struct slice *s)
{
	if (s->p == NULL)
		return true;
	s->p = arena_put(&f->arena, s->p, s->n);
	return s->p != NULL;
}

static size_t
base_len(struct slice file)
{
	const char *colon = memchr(file.p, ':', file.n);

	return colon != NULL ? (size_t)(colon - file.p) : file.n;
}

/* Of two lines for one message the first is believed. */
static enum err
add_entry(struct foreign *f, struct foreign_record *r)
{
	struct slice base = { r->file.p, base_len(r->file) };
	struct foreign_entry *v;
	uint32_t *at;

	if (map_get(&f->by_base, base) != MAP_NONE) {
		f->junk++;
		return E_OK;
	}
	if ((v = array_room(f->v, f->n, &f->room, sizeof(*v))) == NULL)
		return E_NOMEM;
	f->v = v;
	if (!keep_octets(f, &base) || !keep_octets(f, &r->entry.pop3) ||
	    !keep_octets(f, &r->entry.guid) ||
	    (at = map_put(&f->by_base, base)) == NULL)
		return E_NOMEM;
	f->v[f->n] = r->entry;
	*at = f->n++;
	return E_OK;
}

enum err
foreign_line(struct foreign *f, struct slice line)
{
	bool dovecot = f->kind == UIDL_DOVECOT;
	struct foreign_record r = { .file = { NULL, 0 } };

	if (f->version == 0)
		return line.p != NULL && (dovecot ? uidlist_header(f, line)
						  : courier_header(f, line))
			   ? E_OK
			   : E_FORMAT;
	if (line.p == NULL || !(dovecot ? uidlist_record(f, line, &r)
					: courier_record(f, line, &r))) {
		f->junk++;
		return E_OK;
	}
	return add_entry(f, &r);
}

static enum err
take_foreign_line(void *arg, struct slice line)
{
	return foreign_line(arg, line);
}

const char *
foreign_name(enum store_uidl kind)
{
	return kind == UIDL_DOVECOT ? "dovecot-uidlist"
				    : "courierpop3dsizelist";
}

/* Reads what stands there; *same_r: it stands there still. */
static enum err
read_once(
    struct foreign *f, int root, uid_t owner, bool *same_r, struct errbuf *eb)
{
	const char *name = foreign_name(f->kind);
	struct stat st, now;
	enum err e;
	bool torn;
	int fd;

	e = maildir_file_of(owner, root, name, O_RDONLY, false, &fd, &st, eb);
	if (e != E_OK)
		return e;
	e = lines_read(fd, take_foreign_line, f, &torn, eb);
	close(fd);
	if (e == E_FORMAT || (e == E_OK && f->version == 0))
		return err_set(eb, E_FORMAT, "the first line makes no sense");
	*same_r = fstatat(root, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		  now.st_ino == st.st_ino && now.st_dev == st.st_dev;
	return e;
}

enum err
foreign_read(struct foreign *f, int root, uid_t owner, struct errbuf *eb)
{
	bool same = false;
	enum err e = E_OK;

	for (unsigned i = 0; i < TRIES && e == E_OK && !same; i++) {
		foreign_free(f);
		e = read_once(f, root, owner, &same, eb);
	}
	return e;
}

/* ---- asking ---- */

static bool
dovecot_uid(const struct foreign_entry *entry, struct slice base,
    const char *format, struct uid *u_r)
{
	struct uid_vars vars = { entry->uid, entry->validity, base,
		entry->guid.n != 0 ? entry->guid : base };

	if (entry->pop3.p != NULL)
		return uid_set(u_r, entry->pop3.n != 0 ? entry->pop3 : base);
	return uid_format(u_r, format, &vars);
}

static bool
courier_uid(
    const struct foreign_entry *entry, struct slice base, struct uid *u_r)
{
	char text[INDEX_UID_MAX];
	int n;

	if (entry->uid == 0)
		return uid_set(u_r, base);
	if (entry->validity == 0)
		n = snprintf(text, sizeof(text), "UID%u", entry->uid);
	else
		n = snprintf(text, sizeof(text), "UID%u-%u", entry->uid,
		    entry->validity);
	return uid_set(u_r, (struct slice){ text, (size_t)n });
}

bool
foreign_uid(const struct foreign *f, struct slice base, const char *format,
    struct uid *u_r)
{
	uint32_t i = map_get(&f->by_base, base);

	if (i == MAP_NONE)
		return false;
	return f->kind == UIDL_DOVECOT
		   ? dovecot_uid(&f->v[i], base, format, u_r)
		   : courier_uid(&f->v[i], base, u_r);
}
