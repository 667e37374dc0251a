/* Rows of the table of messages.  See state.h. */
#include <stdlib.h>

#include "base/array.h"
#include "base/i18n.h"
#include "client/state/db.h"
#include "client/state/state.h"

/* ---- reading ---- */

static void
get_message(struct query *q, struct message *m)
{
	int64_t where;

	*m = (struct message){ .id = query_get(q) };
	m->has_uid = query_get_digest(q, &m->uid);
	m->size = (uint64_t)query_get(q);
	m->has_identity = query_get_digest(q, &m->identity.header);
	m->identity.strong = query_get(q) != 0;
	where = query_get(q);
	if (where >= MESSAGE_THERE && where <= MESSAGE_GONE)
		m->where = (enum message_where)where;
	else if (q->rc == SQLITE_ROW)
		q->rc = SQLITE_CORRUPT;
	m->stored_at = query_get(q);
	m->gone_at = query_get(q);
}

enum err
state_messages(struct state *s, int64_t account, struct message **v_r,
    size_t *n_r, struct errbuf *eb)
{
	struct query q = query(s, MESSAGE_LIST);
	struct message *v = NULL, *more;
	size_t n = 0, room = 0;
	enum err e;

	*v_r = NULL;
	*n_r = 0;
	query_add(&q, account);
	while (query_row(&q)) {
		more = array_room(v, n, &room, sizeof(*v));
		if (more == NULL) {
			q.rc = SQLITE_NOMEM;
			break;
		}
		v = more;
		get_message(&q, &v[n++]);
	}
	if ((e = query_end(&q, eb)) != E_OK) {
		free(v);
		return e;
	}
	*v_r = v;
	*n_r = n;
	return E_OK;
}

/* ---- writing ---- */

static enum err
save_message(
    struct state *s, int64_t account, struct message *m, struct errbuf *eb)
{
	struct query q = query(s, m->id == 0 ? MESSAGE_ADD : MESSAGE_SET);
	enum err e;

	query_add(&q, account);
	query_add_digest(&q, m->has_uid, &m->uid);
	query_add(&q, (int64_t)m->size);
	query_add_digest(&q, m->has_identity, &m->identity.header);
	query_add(&q, m->identity.strong);
	query_add(&q, m->where);
	query_add(&q, m->stored_at);
	query_add(&q, m->gone_at);
	if (m->id != 0)
		query_add(&q, m->id);
	e = query_run(&q, eb);
	if (e == E_OK && m->id == 0)
		m->id = -sqlite3_last_insert_rowid(s->db);
	return e;
}

enum err
state_account_known(struct state *s, int64_t account, struct errbuf *eb)
{
	struct query q = query(s, ACCOUNT_KNOWN);

	query_add(&q, account);
	return query_run(&q, eb);
}

/* A row that is new has its id below zero until the commit. */
enum err
state_messages_save(struct state *s, int64_t account, struct message *v,
    size_t n, struct errbuf *eb)
{
	enum err e = state_db_begin(s, eb);

	if (e != E_OK)
		return e;
	e = state_account_known(s, account, eb);
	for (size_t i = 0; i < n && e == E_OK; i++)
		e = save_message(s, account, &v[i], eb);
	e = state_db_end(s, e, eb);
	for (size_t i = 0; i < n; i++)
		if (v[i].id < 0)
			v[i].id = e == E_OK ? -v[i].id : 0;
	return e;
}

enum err
state_messages_forget(
    struct state *s, int64_t account, int64_t time, struct errbuf *eb)
{
	struct query q = query(s, MESSAGE_FORGET);

	query_add(&q, account);
	query_add(&q, MESSAGE_GONE);
	query_add(&q, time);
	return query_run(&q, eb);
}
