#include "client/state/mine.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/conf/account.h"

/* A file. */
struct seen {
	struct digest header, uid;
	bool has_uid;
	bool is_ours; /* its name says whose it is */
	bool deleted;
};

struct mine {
	const struct account *account;
	struct digest name;    /* of the account */
	struct digest *others; /* of those that there are besides */
	size_t n_others, others_room;
	struct seen *v;
	size_t n, room;
};

struct mine *
mine_new(const struct account *a)
{
	struct mine *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->account = a;
	w->name = digest_of((struct slice){ a->name, strlen(a->name) });
	return w;
}

void
mine_free(struct mine *w)
{
	if (w == NULL)
		return;
	free(w->others);
	free(w->v);
	free(w);
}

enum err
mine_other(void *mine, const char *name)
{
	struct mine *w = mine;
	struct digest *v =
	    array_room(w->others, w->n_others, &w->others_room, sizeof(*v));

	if (v == NULL)
		return E_NOMEM;
	w->others = v;
	v[w->n_others++] = digest_of((struct slice){ name, strlen(name) });
	return E_OK;
}

/* A name that no account has is one that this account perhaps had. */
static bool
is_of_another(const struct mine *w, const struct delivery_file *f)
{
	if (!f->is_ours || digest_eq(f->account, w->name))
		return false;
	for (size_t i = 0; i < w->n_others; i++)
		if (digest_eq(f->account, w->others[i]))
			return true;
	return false;
}

static enum err
see(void *arg, const struct delivery_file *f)
{
	struct mine *w = arg;
	struct seen *v;

	if (!f->identity.strong || is_of_another(w, f))
		return E_OK;
	if ((v = array_room(w->v, w->n, &w->room, sizeof(*v))) == NULL)
		return E_NOMEM;
	w->v = v;
	v[w->n++] = (struct seen){ .header = f->identity.header,
		.uid = f->uid,
		.has_uid = f->has_uid,
		.is_ours = f->is_ours,
		.deleted = f->deleted };
	return E_OK;
}

enum err
mine_read(struct mine *w, struct delivery *d, struct errbuf *eb)
{
	return delivery_files(d, w->account->trash, see, w, eb);
}

static int
by_header(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return memcmp(x->header.v, y->header.v, DIGEST_SIZE);
}

/* The first one of that header, or where it would stand. */
static size_t
find(const struct mine *w, const struct digest *header)
{
	size_t low = 0, high = w->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memcmp(w->v[middle].header.v, header->v, DIGEST_SIZE) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_of(const struct seen *s, const struct message *m)
{
	return !s->is_ours || !s->has_uid || !m->has_uid ||
	       digest_eq(s->uid, m->uid);
}

static bool
is_deleted(const struct mine *w, const struct message *m)
{
	bool deleted = false;

	for (size_t i = find(w, &m->identity.header);
	     i < w->n && digest_eq(w->v[i].header, m->identity.header); i++) {
		if (!is_of(&w->v[i], m))
			continue;
		if (!w->v[i].deleted)
			return false;
		deleted = true;
	}
	return deleted;
}

void
mine_mark(struct mine *w, struct message *v, size_t n)
{
	if (w->n != 0)
		qsort(w->v, w->n, sizeof(*w->v), by_header);
	for (size_t i = 0; i < n; i++)
		v[i].deleted_here = v[i].where != MESSAGE_GONE &&
				    v[i].has_identity && v[i].identity.strong &&
				    is_deleted(w, &v[i]);
}
