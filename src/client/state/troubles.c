/*
 * Rows of the table of troubles: messages that could not be collected, and
 * why.  See state.h.
 */
#include <stdlib.h>

#include "client/state/db.h"
#include "client/state/state.h"

static void
get_trouble(struct query *q, struct trouble *t)
{
	*t = (struct trouble){ 0 };
	t->has_uid = query_get_digest(q, &t->uid);
	t->size = (uint64_t)query_get(q);
	t->tries = (unsigned)query_get(q);
	t->breaks = query_get(q) != 0;
	t->first_at = query_get(q);
	t->last_at = query_get(q);
	query_get_words(q, t->why, sizeof(t->why));
	t->msgno = (uint32_t)query_get(q);
}

enum err
state_troubles(struct state *s, int64_t account, struct trouble **v_r,
    size_t *n_r, struct errbuf *eb)
{
	struct query q = query(s, TROUBLE_LIST);
	struct trouble *v = NULL, *more;
	size_t n = 0;
	enum err e;

	*v_r = NULL;
	*n_r = 0;
	query_add(&q, account);
	while (query_row(&q)) {
		more = realloc(v, (n + 1) * sizeof(*v));
		if (more == NULL) {
			q.rc = SQLITE_NOMEM;
			break;
		}
		v = more;
		get_trouble(&q, &v[n++]);
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
add_trouble(struct state *s, int64_t account, const struct trouble *t,
    struct errbuf *eb)
{
	struct query q = query(s, TROUBLE_ADD);

	query_add(&q, account);
	query_add_digest(&q, t->has_uid, &t->uid);
	query_add(&q, (int64_t)t->size);
	query_add(&q, t->tries);
	query_add(&q, t->breaks);
	query_add(&q, t->first_at);
	query_add(&q, t->last_at);
	query_add_text(&q, t->why);
	query_add(&q, t->msgno);
	return query_run(&q, eb);
}

enum err
state_troubles_save(struct state *s, int64_t account, const struct trouble *v,
    size_t n, struct errbuf *eb)
{
	enum err e = state_db_begin(s, eb);
	struct query q;

	if (e != E_OK)
		return e;
	q = query(s, TROUBLE_CLEAR);
	query_add(&q, account);
	e = query_run(&q, eb);
	for (size_t i = 0; i < n && e == E_OK; i++)
		e = add_trouble(s, account, &v[i], eb);
	return state_db_end(s, e, eb);
}
