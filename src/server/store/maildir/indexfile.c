#include "server/store/maildir/indexfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define TEMP_NAME INDEXFILE_NAME ".tmp"

const char *
indexfile_name(enum store_utf8 utf8)
{
	static const char *const names[] = {
		[UTF8_PASS] = INDEXFILE_NAME,
		[UTF8_CONVERT] = INDEXFILE_NAME "-convert",
		[UTF8_SIMPLE] = INDEXFILE_NAME "-simple",
		[UTF8_REFUSE] = INDEXFILE_NAME "-refuse",
	};

	return names[utf8];
}

void
indexfile_sweep(int root, enum store_utf8 now)
{
	for (enum store_utf8 i = UTF8_PASS + 1; i <= UTF8_REFUSE; i++)
		if (i != now)
			unlinkat(root, indexfile_name(i), 0);
}

enum { OUT_FLUSH = 512 * 1024, OUT_MAX = 2 * OUT_FLUSH };

enum err
indexfile_read(int fd, void *buf, size_t n, uint64_t at, bool now)
{
	struct iovec iov = { buf, n };
	ssize_t k = now ? preadv2(fd, &iov, 1, (off_t)at, RWF_NOWAIT)
			: pread(fd, buf, n, (off_t)at);

	if (now && k != (ssize_t)n)
		return E_AGAIN;
	if (k < 0)
		return E_IO;
	return (size_t)k == n ? E_OK : E_FORMAT;
}

enum err
indexfile_trailer(int fd, uint64_t end, bool now, struct index_trailer *t_r)
{
	uint8_t q[INDEX_TRAILER];
	enum err e;

	if (end < INDEX_HEADER + INDEX_TRAILER)
		return E_FORMAT;
	if ((e = indexfile_read(fd, q, sizeof(q), end - sizeof(q), now)) !=
	    E_OK)
		return e;
	return index_get_trailer(q, t_r);
}

enum err
indexfile_block(int fd, const struct index_block *before, uint64_t end,
    uint32_t count, bool now, struct index_block *b_r)
{
	uint8_t h[INDEX_HEADER];
	enum err e = indexfile_read(fd, h, sizeof(h), before->next, now);

	return e == E_OK ? index_get_block(h, before, end, count, b_r) : e;
}

/* ---- reading all ---- */

/* p: the whole block. */
static enum err
check_block(const char *p, const struct index_block *b,
    const struct index_trailer *before, struct index_trailer *t_r)
{
	enum err e;

	if ((e = index_check_section(p + (b->list.off - b->off), &b->list)) !=
		E_OK ||
	    (e = index_check_section(p + (b->uidl.off - b->off), &b->uidl)) !=
		E_OK ||
	    (e = index_check_section(p + (b->names.off - b->off), &b->names)) !=
		E_OK ||
	    (e = index_get_trailer(
		 p + (b->next - INDEX_TRAILER - b->off), t_r)) != E_OK)
		return e;
	return t_r->count == before->count + b->n &&
		       t_r->blocks == before->blocks + 1
		   ? E_OK
		   : E_FORMAT;
}

/* *octets_r: the sum of their wire octets. */
static enum err
take_block(const char *p, const struct index_block *b, indexfile_take take,
    void *arg, uint64_t *octets_r)
{
	struct index_record r;
	enum err e = E_OK;

	*octets_r = 0;
	for (uint32_t i = 0; i < b->n && e == E_OK; i++) {
		struct indexfile_entry entry = { .msgno = b->first + i };

		if (index_get_record(
			p + (index_record_place(b, entry.msgno) - b->off), b,
			entry.msgno, &r) != E_OK ||
		    index_check_uid(p + (r.uid_off - b->off), &r) != E_OK ||
		    index_check_name(p + (r.name_off - b->off), &r) != E_OK)
			return E_FORMAT;
		entry.wire = r.wire;
		entry.stamp = r.stamp;
		entry.seen = r.seen;
		entry.uid =
		    (struct slice){ p + (r.uid_off - b->off), r.uid_len };
		entry.name =
		    (struct slice){ p + (r.name_off - b->off), r.name_len };
		*octets_r += r.wire;
		e = take(arg, &entry);
	}
	return e;
}

/* The file as far as it has been read. */
struct reading {
	int fd;
	uint64_t end;
	uint32_t count; /* messages that there may be */
	bool lines;     /* index_check_lines() */
	char *p;        /* the last block */
	struct index_block block;
	struct index_trailer trailer;
};

/* The next block, whole, into r->p. */
static enum err
load_block(struct reading *r, struct index_block *b)
{
	enum err e =
	    indexfile_block(r->fd, &r->block, r->end, r->count, false, b);
	char *grown;

	if (e != E_OK)
		return e;
	if ((grown = realloc(r->p, b->next - b->off)) == NULL)
		return E_NOMEM;
	r->p = grown;
	return indexfile_read(r->fd, r->p, b->next - b->off, b->off, false);
}

static enum err
next_block(struct reading *r, indexfile_take take, void *arg)
{
	struct index_trailer t;
	struct index_block b;
	uint64_t octets;
	enum err e;

	if ((e = load_block(r, &b)) != E_OK ||
	    (e = check_block(r->p, &b, &r->trailer, &t)) != E_OK ||
	    (r->lines && (e = index_check_lines(r->p, &b)) != E_OK) ||
	    (e = take_block(r->p, &b, take, arg, &octets)) != E_OK)
		return e;
	if (t.octets != r->trailer.octets + octets)
		return E_FORMAT;
	r->block = b;
	r->trailer = t;
	return E_OK;
}

static enum err
load_blocks(struct reading *r, indexfile_take take, void *arg)
{
	enum err e = E_OK;

	r->block = index_start;
	while (e == E_OK && r->block.next < r->end)
		e = next_block(r, take, arg);
	free(r->p);
	return e;
}

enum err
indexfile_load(int fd, uint64_t end, indexfile_take take, void *arg,
    uint64_t *end_r, struct index_trailer *t_r)
{
	struct reading r = {
		.fd = fd, .end = end, .count = INDEX_MESSAGES_MAX
	};
	enum err e = load_blocks(&r, take, arg);

	*end_r = r.block.next;
	*t_r = r.trailer;
	return e;
}

enum err
indexfile_verify(int fd, uint64_t end, const struct index_trailer *totals,
    indexfile_take take, void *arg)
{
	struct reading r = {
		.fd = fd, .end = end, .count = totals->count, .lines = true
	};
	enum err e = load_blocks(&r, take, arg);

	if (e == E_OK &&
	    (r.block.next != end || !index_same_totals(&r.trailer, totals)))
		e = E_FORMAT;
	return e;
}

/* ---- writing ---- */

enum err
indexfile_begin(struct indexfile_writer *f, enum indexfile_how how, int root,
    const char *name, const struct index_trailer *have, uint64_t end,
    struct errbuf *eb)
{
	static const struct index_trailer nothing;
	bool append = how == INDEXFILE_APPEND;

	*f = (struct indexfile_writer){
		.how = how, .name = name, .root = root, .fd = -1
	};
	buf_init(&f->out, OUT_MAX, false);
	if ((f->w = index_writer_new(append ? have : &nothing)) == NULL)
		return err_set(eb, E_NOMEM, "index");
	if (append) {
		f->fd = openat(
		    root, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		f->start = f->at = end;
	} else if (how == INDEXFILE_REPLACE) {
		/* What a crash has left is ours: only one writes at a time. */
		unlinkat(root, TEMP_NAME, 0);
		f->fd = openat(root, TEMP_NAME,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	} else {
		f->fd = memfd_create("malote.index", MFD_CLOEXEC);
	}
	if (f->fd < 0 || (append && ftruncate(f->fd, (off_t)end) < 0))
		return err_sys(eb, E_DENIED, "writing malote.index");
	return E_OK;
}

static enum err
write_out(struct indexfile_writer *f, struct errbuf *eb)
{
	while (f->out.len != 0) {
		ssize_t n =
		    pwrite(f->fd, buf_data(&f->out), f->out.len, (off_t)f->at);

		if (n < 0)
			return err_sys(eb, E_DENIED, "writing malote.index");
		f->at += (uint64_t)n;
		buf_consume(&f->out, (size_t)n);
	}
	return E_OK;
}

enum err
indexfile_add(struct indexfile_writer *f, const struct indexfile_entry *entry,
    struct errbuf *eb)
{
	enum err e = index_writer_add(f->w, &f->out, entry->wire, entry->stamp,
	    entry->seen, entry->uid, entry->name);

	if (e != E_OK)
		return err_set(eb, e, "index: %s", err_str(e));
	return f->out.len >= OUT_FLUSH ? write_out(f, eb) : E_OK;
}

/* A second descriptor of the same file, that cannot write. */
static int
reopen_for_reading(const struct indexfile_writer *f)
{
	char path[32];

	if (f->how != INDEXFILE_TEMPORARY)
		return openat(f->root,
		    f->how == INDEXFILE_APPEND ? f->name : TEMP_NAME,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

enum err
indexfile_end(struct indexfile_writer *f, struct index_time new_time,
    struct index_time cur_time, int *fd_r, uint64_t *end_r,
    struct index_trailer *t_r, struct errbuf *eb)
{
	enum err e;

	e = index_writer_end(
	    f->w, &f->out, new_time, cur_time, f->expires, t_r);
	if (e != E_OK)
		return err_set(eb, e, "index: %s", err_str(e));
	if ((e = write_out(f, eb)) != E_OK)
		return e;
	if ((*fd_r = reopen_for_reading(f)) < 0)
		return err_sys(eb, E_DENIED, "opening malote.index anew");
	if (f->how == INDEXFILE_REPLACE &&
	    renameat(f->root, TEMP_NAME, f->root, f->name) < 0) {
		close(*fd_r);
		return err_sys(eb, E_DENIED, "replacing malote.index");
	}
	*end_r = f->at;
	close(f->fd);
	f->fd = -1;
	return E_OK;
}

void
indexfile_clear(struct indexfile_writer *f)
{
	if (f->fd >= 0) {
		if (f->how == INDEXFILE_APPEND)
			(void)!ftruncate(f->fd, (off_t)f->start);
		else if (f->how == INDEXFILE_REPLACE)
			unlinkat(f->root, TEMP_NAME, 0);
		close(f->fd);
	}
	index_writer_free(f->w);
	buf_free(&f->out);
}
