#include "server/store/maildir/view.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/format.h"
#include "server/store/maildir/dir.h"
#include "server/store/maildir/indexfile.h"
#include "server/store/mounts.h"

/* When it was written last. */
static struct index_time
written(const struct stat *st)
{
	return (struct index_time){ st->st_mtim.tv_sec,
		(uint32_t)st->st_mtim.tv_nsec };
}

void
maildir_view_set(struct maildir *m, int fd, const struct stat *st)
{
	m->index_dev = st->st_dev;
	m->index_ino = st->st_ino;
	m->index_time = written(st);
	if (m->index_fd >= 0)
		close(m->index_fd);
	m->index_fd = m->keeps_index ? fd : -1;
	if (!m->keeps_index)
		close(fd);
}

/* now: after open_index(). */
static bool
sub_time(int root, const char *name, bool now, struct index_time *time_r)
{
	struct statx st;
	struct stat old;

	if (!now) {
		if (fstatat(root, name, &old, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
		*time_r = names_dir_time(&old);
		return mounts_believe(old.st_dev);
	}
	if (statx(root, name,
		AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		STATX_CTIME, &st) < 0)
		return false;
	*time_r =
	    (struct index_time){ st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec };
	return mounts_believe(makedev(st.stx_dev_major, st.stx_dev_minor));
}

/* now: by a way that leads through both folders.  So they are in memory, too, and
 * on no other file system, and to look at them is no wait. */
static enum err
open_index(const struct maildir *m, int root, bool now, int *fd_r,
    struct stat *st_r, struct errbuf *eb)
{
	const char *name = indexfile_name(m->utf8);
	char way[64];

	if (now) {
		format(way, sizeof(way), "new/../cur/../%s", name);
		name = way;
	}
	return maildir_file(root, name, O_RDONLY, now, fd_r, st_r, eb);
}

bool
maildir_view_find(struct maildir *m, int root, enum view_which which, bool now)
{
	struct index_time new_time, cur_time;
	struct stat index;
	struct errbuf eb;
	int fd;

	if (open_index(m, root, now, &fd, &index, &eb) != E_OK)
		return false;
	m->end = (uint64_t)index.st_size;
	if (sub_time(root, "new", now, &new_time) &&
	    sub_time(root, "cur", now, &cur_time) &&
	    indexfile_trailer(fd, m->end, now, &m->trailer) == E_OK &&
	    (which == VIEW_LAST ||
		(names_same_time(new_time, m->trailer.new_time) &&
		    names_same_time(cur_time, m->trailer.cur_time)))) {
		maildir_view_set(m, fd, &index);
		return true;
	}
	close(fd);
	return false;
}

enum err
maildir_view_open(
    struct maildir *m, int root, bool now, int *fd_r, struct errbuf *eb)
{
	struct index_trailer t;
	struct stat st;
	enum err e;

	if (m->index_fd >= 0) {
		*fd_r = m->index_fd;
		return E_OK;
	}
	e = maildir_file(
	    root, indexfile_name(m->utf8), O_RDONLY, now, fd_r, &st, eb);
	if (e != E_OK)
		return e == E_NOENT ? E_FORMAT : e;
	/* Whoever has the lock is the only one who writes. */
	if (st.st_ino == m->index_ino && st.st_dev == m->index_dev &&
	    names_same_time(written(&st), m->index_time) &&
	    indexfile_trailer(*fd_r, m->end, now, &t) == E_OK &&
	    index_same_totals(&t, &m->trailer))
		return E_OK;
	close(*fd_r);
	return err_set(eb, E_FORMAT, "the index was changed by somebody else");
}

void
maildir_view_close(const struct maildir *m, int fd)
{
	if (fd != m->index_fd)
		close(fd);
}

/* So many blocks are walked on the loop: their number is the owner's choice. */
enum { NOW_BLOCKS = 1024 };

/* Where the blocks are; found out once, as walking them grows with n. */
static enum err
find_blocks(struct maildir *m, int fd, bool now)
{
	uint32_t n = m->trailer.blocks;
	struct index_block b = index_start;
	enum err e = E_OK;

	/* A block has a header and a trailer: so many cannot be a lie. */
	if (n > m->end / (INDEX_HEADER + INDEX_TRAILER))
		return E_FORMAT;
	if (now && n > NOW_BLOCKS)
		return E_AGAIN;
	if ((m->blocks = calloc(n, sizeof(*m->blocks))) == NULL)
		return E_NOMEM;
	for (uint32_t i = 0; i < n && e == E_OK; i++) {
		struct index_block next;

		e = indexfile_block(
		    fd, &b, m->end, m->trailer.count, now, &next);
		if (e != E_OK)
			break;
		m->blocks[i] = (struct maildir_block){ next.off, next.first };
		b = next;
	}
	if (e == E_OK &&
	    (b.next != m->end || b.first + b.n != m->trailer.count + 1))
		e = E_FORMAT;
	if (e != E_OK) {
		free(m->blocks);
		m->blocks = NULL;
	}
	return e;
}

/* The last block that begins at or before the message; one that is not empty
 * is behind all empty ones with the same first message. */
static const struct maildir_block *
block_with(const struct maildir *m, uint32_t msgno)
{
	uint32_t low = 0, high = m->trailer.blocks;

	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (m->blocks[mid].first <= msgno)
			low = mid;
		else
			high = mid;
	}
	return &m->blocks[low];
}

void
maildir_view_begin(struct view_reader *r, int fd, bool now)
{
	r->fd = fd;
	r->now = now;
	r->block.n = 0;
	r->records.n = r->names.n = 0;
}

/* n octets of the view at `off`, and as many behind them as there is room
 * for: the next message will want those.  NULL: they cannot be read. */
static const char *
piece_at(const struct maildir *m, const struct view_reader *r,
    struct view_piece *p, uint64_t off, size_t n)
{
	size_t want = sizeof(p->octets);

	if (off >= p->off && off - p->off <= p->n &&
	    n <= p->n - (size_t)(off - p->off))
		return p->octets + (off - p->off);
	if (want > m->end - off)
		want = (size_t)(m->end - off);
	p->off = off;
	p->n = 0;
	if (indexfile_read(r->fd, p->octets, want, off, r->now) != E_OK)
		return NULL;
	p->n = want;
	return p->octets;
}

static enum err
view_block(const struct maildir *m, struct view_reader *r, uint32_t msgno)
{
	const struct maildir_block *at;
	struct index_block before = index_start;

	if (r->block.n != 0 && msgno >= r->block.first &&
	    msgno - r->block.first < r->block.n)
		return E_OK;
	at = block_with(m, msgno);
	before.next = at->off;
	before.first = at->first;
	if (indexfile_block(r->fd, &before, m->end, m->trailer.count, r->now,
		&r->block) != E_OK ||
	    msgno - r->block.first >= r->block.n) {
		r->block.n = 0;
		return E_FORMAT;
	}
	return E_OK;
}

static enum err
read_record(struct maildir *m, struct view_reader *r, uint32_t msgno,
    struct index_record *rec_r)
{
	const char *p;
	enum err e;

	if (msgno == 0 || msgno > m->trailer.count)
		return E_FORMAT;
	if (m->blocks == NULL && (e = find_blocks(m, r->fd, r->now)) != E_OK)
		return e;
	if (view_block(m, r, msgno) != E_OK ||
	    (p = piece_at(m, r, &r->records,
		 index_record_place(&r->block, msgno), INDEX_RECORD)) == NULL ||
	    index_get_record(p, &r->block, msgno, rec_r) != E_OK)
		return E_FORMAT;
	return E_OK;
}

enum err
maildir_view_get(struct maildir *m, struct view_reader *r, uint32_t msgno,
    struct view_entry *v_r)
{
	struct index_record rec;
	const char *p;
	enum err e;

	if ((e = read_record(m, r, msgno, &rec)) != E_OK)
		return e;
	if ((p = piece_at(m, r, &r->names, rec.name_off, rec.name_len)) ==
		NULL ||
	    index_check_name(p, &rec) != E_OK)
		return E_FORMAT;
	memcpy(v_r->name, p, rec.name_len);
	v_r->name[rec.name_len] = '\0';
	v_r->wire = rec.wire;
	v_r->stamp = rec.stamp;
	return E_OK;
}

enum err
maildir_view_uid(
    struct maildir *m, struct view_reader *r, uint32_t msgno, struct uid *u_r)
{
	struct index_record rec;
	enum err e;

	if ((e = read_record(m, r, msgno, &rec)) != E_OK ||
	    (e = indexfile_read(
		 r->fd, u_r->s, rec.uid_len, rec.uid_off, r->now)) != E_OK)
		return e;
	u_r->n = rec.uid_len;
	return index_check_uid(u_r->s, &rec);
}

enum err
maildir_names(
    struct maildir *m, const struct maildir_dirs *d, struct errbuf *eb)
{
	if (m->names == NULL) {
		if ((m->names = malloc(sizeof(*m->names))) == NULL)
			return err_set(eb, E_NOMEM, "names");
		names_init(m->names);
	}
	return names_read(m->names, d, eb);
}
