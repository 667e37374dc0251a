#include "server/store/maildir/uidlfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/array.h"
#include "server/store/maildir/dir.h"
#include "server/store/maildir/lines.h"

#define TEMP_NAME UIDLFILE_NAME ".tmp"
#define HEADER    "malote-uidl 1"

enum {
	CHECK = 8,       /* hexadecimal digits */
	DEAD_MIN = 1024, /* unused lines that are worth a new file */
	OUT_FLUSH = 256 * 1024,
	OUT_MAX = 2 * OUT_FLUSH,
};

static const char *const decision[] = {
	[UIDL_AUTO] = "",
	[UIDL_FILENAME] = "filename",
	[UIDL_DOVECOT] = "dovecot",
	[UIDL_COURIER] = "courier",
};

const char *
uidlfile_decision(enum store_uidl decided)
{
	return decision[decided];
}

void
uidlfile_init(struct uidlfile *u)
{
	*u = (struct uidlfile){ 0 };
	map_init(&u->by_key);
	arena_init(&u->arena);
}

void
uidlfile_free(struct uidlfile *u)
{
	free(u->v);
	map_free(&u->by_key);
	arena_free(&u->arena);
	uidlfile_init(u);
}

/* ---- the table ---- */

struct uidl_line *
uidlfile_find(const struct uidlfile *u, struct slice key, uint64_t ino)
{
	for (uint32_t i = map_get(&u->by_key, key); i != MAP_NONE;
	     i = u->v[i].next)
		if (u->v[i].ino == ino)
			return &u->v[i];
	return NULL;
}

const struct uidl_line *
uidlfile_by_uid(const struct uidlfile *u, struct slice key, struct slice uid)
{
	for (uint32_t i = map_get(&u->by_key, key); i != MAP_NONE;
	     i = u->v[i].next)
		if (uid_is(u->v[i].uid, uid))
			return &u->v[i];
	return NULL;
}

bool
uidlfile_is_several(const struct uidlfile *u, struct slice key)
{
	for (uint32_t i = u->several != 0 ? map_get(&u->by_key, key) : MAP_NONE;
	     i != MAP_NONE; i = u->v[i].next)
		if (u->v[i].ino != 0)
			return true;
	return false;
}

bool
uidlfile_is_its_file(
    const struct uidlfile *u, struct slice key, struct slice uid, uint64_t ino)
{
	const struct uidl_line *l;

	if (!uidlfile_is_several(u, key))
		return true;
	l = uidlfile_by_uid(u, key, uid);
	return l != NULL && l->ino != 0 ? l->ino == ino
					: uidlfile_find(u, key, ino) == NULL;
}

/* What an older line says of the same message holds no more: its file has
 * another inode now. */
static void
supersede(struct uidlfile *u, uint32_t *first, struct slice uid)
{
	for (uint32_t *at = first; *at != MAP_NONE; at = &u->v[*at].next) {
		struct uidl_line *old = &u->v[*at];

		if (uid_is(old->uid, uid)) {
			*at = old->next;
			old->used = false;
			u->several -= old->ino != 0;
			return;
		}
	}
}

enum err
uidlfile_add(
    struct uidlfile *u, struct slice uid, struct slice key, uint64_t ino)
{
	struct uidl_line l = { .ino = ino, .next = MAP_NONE, .used = true };
	struct uidl_line *v;
	uint32_t *first;

	if ((v = array_room(u->v, u->n, &u->room, sizeof(*v))) == NULL)
		return E_NOMEM;
	u->v = v;
	l.uid = (struct slice){ arena_put(&u->arena, uid.p, uid.n), uid.n };
	l.key = (struct slice){ arena_put(&u->arena, key.p, key.n), key.n };
	if (l.uid.p == NULL || l.key.p == NULL ||
	    (first = map_put(&u->by_key, l.key)) == NULL)
		return E_NOMEM;
	supersede(u, first, uid);
	l.next = *first;
	u->v[u->n] = l;
	*first = u->n++;
	u->several += ino != 0;
	return E_OK;
}

/* ---- reading ---- */

static void
check_of(char out[CHECK + 1], const char *p, size_t n)
{
	snprintf(out, CHECK + 1, "%08x", (unsigned)XXH3_64bits(p, n));
}

/* The setting of that name; UIDL_AUTO if there is none. */
static enum store_uidl
decision_of(struct slice word)
{
	for (enum store_uidl i = UIDL_FILENAME; i <= UIDL_COURIER; i++)
		if (slice_eq(word, decision[i]))
			return i;
	return UIDL_AUTO;
}

/* "m" and "i" */
static enum err
take_setting(struct uidlfile *u, bool ignored, struct slice word)
{
	enum store_uidl which = decision_of(word);

	if (which == UIDL_AUTO)
		return E_FORMAT;
	if (ignored)
		u->ignored = u->saved_ignored = u->ignored | 1u << which;
	else
		u->decided = u->saved_decided = which;
	return E_OK;
}

/* What stands behind the check. */
static enum err
take_words(struct uidlfile *u, struct slice rest)
{
	struct slice kind, uid, key, word;
	struct uid valid;
	uint64_t ino = 0;
	enum err e;

	if (!lines_word(&rest, ' ', &kind))
		return E_FORMAT;
	if (slice_eq(kind, "m") || slice_eq(kind, "i"))
		return take_setting(u, kind.p[0] == 'i', rest);
	if (!lines_word(&rest, ' ', &uid) || !uid_set(&valid, uid) ||
	    !lines_word(&rest, ' ', &key) || !uid_set(&valid, key))
		return E_FORMAT;
	if (slice_eq(kind, "d")) {
		if (!lines_word(&rest, ' ', &word) || !str_to_u64(word, &ino) ||
		    ino == 0)
			return E_FORMAT;
	} else if (!slice_eq(kind, "u")) {
		return E_FORMAT;
	}
	/* The first word on a message stands. */
	if (rest.n != 0 || uidlfile_find(u, key, ino) != NULL)
		return E_FORMAT;
	if ((e = uidlfile_add(u, uid, key, ino)) == E_OK)
		u->v[u->n - 1].used = false;
	return e;
}

enum err
uidlfile_line(struct uidlfile *u, struct slice line)
{
	char check[CHECK + 1];
	enum err e = E_FORMAT;

	if (line.p != NULL && slice_eq(line, HEADER)) {
		u->headed = true;
		return E_OK;
	}
	if (line.p != NULL && line.n > CHECK + 1 && line.p[CHECK] == ' ') {
		struct slice rest = { line.p + CHECK + 1, line.n - CHECK - 1 };

		check_of(check, rest.p, rest.n);
		if (memcmp(check, line.p, CHECK) == 0)
			e = take_words(u, rest);
	}
	if (e == E_FORMAT) {
		u->bad++;
		e = E_OK;
	}
	return e;
}

static enum err
take_uidl_line(void *arg, struct slice line)
{
	return uidlfile_line(arg, line);
}

enum err
uidlfile_load(struct uidlfile *u, int root, struct errbuf *eb)
{
	struct stat st;
	enum err e;
	int fd;

	e = maildir_file(root, UIDLFILE_NAME, O_RDONLY, false, &fd, &st, eb);
	if (e == E_NOENT)
		return E_OK;
	if (e != E_OK)
		return maildir_about(e, UIDLFILE_NAME, eb);
	e = lines_read(fd, take_uidl_line, u, &u->torn, eb);
	close(fd);
	u->exists = true;
	u->saved = u->n;
	return e;
}

/* ---- writing ---- */

struct out {
	int fd;
	struct buf buf;
};

static enum err
write_failed(struct errbuf *eb, const char *what)
{
	bool denied = errno == EROFS || errno == EACCES || errno == EPERM ||
		      errno == ENOSPC || errno == EDQUOT || errno == EFBIG;

	return err_sys(eb, denied ? E_DENIED : E_IO, "%s " UIDLFILE_NAME, what);
}

static enum err
out_flush(struct out *o, struct errbuf *eb)
{
	while (o->buf.len != 0) {
		ssize_t n = write(o->fd, buf_data(&o->buf), o->buf.len);

		if (n < 0)
			return write_failed(eb, "writing");
		buf_consume(&o->buf, (size_t)n);
	}
	return E_OK;
}

static enum err
out_line(struct out *o, const char *text, int n, struct errbuf *eb)
{
	char check[CHECK + 1];
	enum err e;

	check_of(check, text, (size_t)n);
	e = buf_printf(&o->buf, "%s %.*s\n", check, n, text);
	if (e != E_OK)
		return err_set(eb, e, "writing " UIDLFILE_NAME);
	return o->buf.len >= OUT_FLUSH ? out_flush(o, eb) : E_OK;
}

static enum err
out_setting(
    struct out *o, char letter, enum store_uidl which, struct errbuf *eb)
{
	char text[32];

	return out_line(o, text,
	    snprintf(text, sizeof(text), "%c %s", letter, decision[which]), eb);
}

/* The lines from `first` on, or all of those that are used, and what was
 * decided if it is new. */
static enum err
out_lines(struct out *o, const struct uidlfile *u, uint32_t first,
    bool used_only, struct errbuf *eb)
{
	char text[2 * INDEX_UID_MAX + 32];
	enum err e = E_OK;

	for (uint32_t i = first; i < u->n && e == E_OK; i++) {
		const struct uidl_line *l = &u->v[i];
		int n;

		if (used_only && !l->used)
			continue;
		n = snprintf(text, sizeof(text), "%c %.*s %.*s",
		    l->ino != 0 ? 'd' : 'u', (int)l->uid.n, l->uid.p,
		    (int)l->key.n, l->key.p);
		if (l->ino != 0)
			n += snprintf(text + n, sizeof(text) - (size_t)n,
			    " %llu", (unsigned long long)l->ino);
		e = out_line(o, text, n, eb);
	}
	for (enum store_uidl i = UIDL_FILENAME; i <= UIDL_COURIER; i++) {
		unsigned bit = 1u << i;

		if (e == E_OK && (u->ignored & bit) != 0 &&
		    (used_only || (u->saved_ignored & bit) == 0))
			e = out_setting(o, 'i', i, eb);
	}
	if (e == E_OK && u->decided != UIDL_AUTO &&
	    (used_only || u->decided != u->saved_decided))
		e = out_setting(o, 'm', u->decided, eb);
	return e == E_OK ? out_flush(o, eb) : e;
}

/* Ends a line that was torn first, so that it spoils no other. */
static enum err
append_lines(struct uidlfile *u, int root, struct errbuf *eb)
{
	struct out o = { .fd = openat(root, UIDLFILE_NAME,
			     O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW |
				 O_NONBLOCK | O_CLOEXEC,
			     0600) };
	enum err e = E_OK;

	if (o.fd < 0)
		return write_failed(eb, "opening");
	buf_init(&o.buf, OUT_MAX, false);
	if (u->torn)
		e = buf_put(&o.buf, "\n", 1);
	if (!u->headed && e == E_OK)
		e = buf_put(&o.buf, HEADER "\n", sizeof(HEADER));
	if (e == E_OK)
		e = out_lines(&o, u, u->saved, false, eb);
	if (e == E_OK && fdatasync(o.fd) < 0)
		e = write_failed(eb, "syncing");
	if (e == E_OK && !u->exists && fsync(root) < 0)
		e = write_failed(eb, "syncing the directory of");
	buf_free(&o.buf);
	close(o.fd);
	return e;
}

static enum err
rewrite_lines(struct uidlfile *u, int root, struct errbuf *eb)
{
	struct out o;
	enum err e;

	unlinkat(root, TEMP_NAME, 0);
	o.fd = openat(root, TEMP_NAME,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (o.fd < 0)
		return write_failed(eb, "opening the new");
	buf_init(&o.buf, OUT_MAX, false);
	e = buf_put(&o.buf, HEADER "\n", sizeof(HEADER));
	if (e == E_OK)
		e = out_lines(&o, u, 0, true, eb);
	if (e == E_OK && fsync(o.fd) < 0)
		e = write_failed(eb, "syncing the new");
	buf_free(&o.buf);
	close(o.fd);
	if (e == E_OK && renameat(root, TEMP_NAME, root, UIDLFILE_NAME) < 0)
		e = write_failed(eb, "replacing");
	if (e != E_OK)
		unlinkat(root, TEMP_NAME, 0);
	else if (fsync(root) < 0)
		e = write_failed(eb, "syncing the directory of");
	return e;
}

enum err
uidlfile_save(struct uidlfile *u, int root, struct errbuf *eb)
{
	uint32_t used = 0, dead;
	enum err e;

	for (uint32_t i = 0; i < u->n; i++)
		used += u->v[i].used;
	dead = u->n - used;
	if (u->exists && !u->partial && dead >= DEAD_MIN && dead / 4 >= used)
		e = rewrite_lines(u, root, eb);
	else if (u->saved == u->n && u->decided == u->saved_decided &&
		 u->ignored == u->saved_ignored)
		return E_OK;
	else
		e = append_lines(u, root, eb);
	if (e != E_OK)
		return e;
	u->exists = u->headed = true;
	u->torn = false;
	u->saved = u->n;
	u->saved_decided = u->decided;
	u->saved_ignored = u->ignored;
	return E_OK;
}
