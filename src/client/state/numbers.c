/* Rows of the table of numbers.  See state.h. */
#include <stdlib.h>

#include "base/array.h"
#include "client/state/db.h"
#include "client/state/state.h"

static void
get_numbered(struct query *q, struct numbered *m)
{
	*m = (struct numbered){ .number = (uint32_t)query_get(q) };
	if (!query_get_digest(q, &m->key) && q->rc == SQLITE_ROW)
		q->rc = SQLITE_CORRUPT;
	m->size = (uint64_t)query_get(q);
	m->has_header = query_get_digest(q, &m->header);
	m->seen_at = query_get(q);
	m->stub_at = query_get(q);
}

enum err
state_numbers(struct state *s, int64_t account, struct numbered **v_r,
    size_t *n_r, struct errbuf *eb)
{
	struct query q = query(s, NUMBER_LIST);
	struct numbered *v = NULL, *more;
	size_t n = 0, room = 0;
	enum err e;

	*v_r = NULL;
	*n_r = 0;
	query_add(&q, account);
	while (query_row(&q)) {
		if ((more = array_room(v, n, &room, sizeof(*v))) == NULL) {
			q.rc = SQLITE_NOMEM;
			break;
		}
		v = more;
		get_numbered(&q, &v[n++]);
	}
	if ((e = query_end(&q, eb)) != E_OK) {
		free(v);
		return e;
	}
	*v_r = v;
	*n_r = n;
	return E_OK;
}

static enum err
save_numbered(struct state *s, int64_t account, const struct numbered *m,
    struct errbuf *eb)
{
	struct query q = query(s, NUMBER_SET);

	query_add(&q, account);
	query_add(&q, m->number);
	query_add_digest(&q, true, &m->key);
	query_add(&q, (int64_t)m->size);
	query_add_digest(&q, m->has_header, &m->header);
	query_add(&q, m->seen_at);
	query_add(&q, m->stub_at);
	return query_run(&q, eb);
}

static enum err
forget_numbers(
    struct state *s, int64_t account, int64_t time, struct errbuf *eb)
{
	struct query q = query(s, NUMBER_FORGET);

	query_add(&q, account);
	query_add(&q, time);
	return query_run(&q, eb);
}

enum err
state_numbers_save(struct state *s, int64_t account, const struct numbered *v,
    size_t n, int64_t time, struct errbuf *eb)
{
	enum err e = state_db_begin(s, eb);

	if (e != E_OK)
		return e;
	for (size_t i = 0; i < n && e == E_OK; i++)
		e = save_numbered(s, account, &v[i], eb);
	if (e == E_OK)
		e = forget_numbers(s, account, time, eb);
	return state_db_end(s, e, eb);
}
