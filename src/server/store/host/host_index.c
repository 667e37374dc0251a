#include "server/store/host/host_index.h"

#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/array.h"
#include "server/store/maildir/indexfile.h"

/* A unique-id, as far as it must be compared. */
struct mark {
	uint64_t uid;
	uint32_t msgno;
};

struct host_index {
	struct indexfile_writer out;
	struct mark *v;
	size_t n, room;
	struct errbuf eb; /* why host_index_take() has failed */
};

struct host_index *
host_index_new(void)
{
	struct host_index *x = calloc(1, sizeof(*x));
	struct errbuf eb;

	if (x != NULL && indexfile_begin(&x->out, INDEXFILE_TEMPORARY, -1, "",
			     NULL, 0, &eb) != E_OK) {
		host_index_free(x);
		x = NULL;
	}
	return x;
}

void
host_index_free(struct host_index *x)
{
	if (x == NULL)
		return;
	indexfile_clear(&x->out);
	free(x->v);
	free(x);
}

static enum err
take_entry(void *arg, const struct indexfile_entry *entry)
{
	struct host_index *x = arg;
	struct mark *more = array_room(x->v, x->n, &x->room, sizeof(*more));

	if (more == NULL)
		return err_set(&x->eb, E_NOMEM, "out of memory");
	x->v = more;
	x->v[x->n] = (struct mark){ XXH3_64bits(entry->uid.p, entry->uid.n),
		(uint32_t)x->n + 1 };
	x->n++;
	return indexfile_add(&x->out, entry, &x->eb);
}

enum err
host_index_add(struct host_index *x, struct hold *h, uint32_t count,
    uint64_t octets, struct errbuf *eb)
{
	struct index_trailer t;
	uint64_t end, whole;
	enum err e;
	int fd;

	err_set(&x->eb, E_IO, "its index cannot be read");
	if ((e = h->kind->view(h, false, &fd, &end)) == E_OK) {
		e = indexfile_load(fd, end, take_entry, x, &whole, &t);
		close(fd);
	}
	if (e == E_OK &&
	    (whole != end || t.count != count || t.octets != octets))
		e = E_FORMAT;
	if (e == E_FORMAT)
		h->kind->doubt(h, 0);
	if (e != E_OK)
		*eb = x->eb;
	return e;
}

static int
by_uid(const void *va, const void *vb)
{
	const struct mark *a = va, *b = vb;

	if (a->uid != b->uid)
		return a->uid < b->uid ? -1 : 1;
	return a->msgno < b->msgno ? -1 : a->msgno > b->msgno;
}

static bool
find_twins(struct host_index *x, uint32_t twins_r[2])
{
	if (x->n != 0)
		qsort(x->v, x->n, sizeof(*x->v), by_uid);
	for (size_t i = 1; i < x->n; i++)
		if (x->v[i].uid == x->v[i - 1].uid) {
			twins_r[0] = x->v[i - 1].msgno;
			twins_r[1] = x->v[i].msgno;
			return true;
		}
	return false;
}

enum err
host_index_end(struct host_index *x, int *fd_r, uint64_t *end_r,
    uint32_t twins_r[2], struct errbuf *eb)
{
	static const struct index_time unknown = { 0, INDEX_TIME_UNKNOWN };
	struct index_trailer t;

	if (find_twins(x, twins_r))
		return err_set(
		    eb, E_CONFIG, "two messages have the same unique-id");
	return indexfile_end(&x->out, unknown, unknown, fd_r, end_r, &t, eb);
}
