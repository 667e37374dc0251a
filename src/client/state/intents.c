/*
 * Rows of the table of intents: messages that are about to be stored.  See
 * state.h.
 */
#include <stdlib.h>

#include "client/state/db.h"
#include "client/state/state.h"

/* ---- before and after ---- */

static enum err
add_intent(struct state *s, int64_t account, const char *dest, struct parcel *p,
    int64_t now, struct errbuf *eb)
{
	struct query q = query(s, INTENT_ADD);
	enum err e;

	query_add(&q, account);
	query_add(&q, now);
	query_add_text(&q, dest);
	query_add_digest(&q, p->has_uid, &p->uid);
	query_add(&q, (int64_t)p->size);
	query_add_digest(&q, true, &p->identity.header);
	query_add(&q, p->identity.strong);
	query_add(&q, p->to_delete);
	query_add_text(&q, p->tmp);
	query_add_text(&q, p->file);
	query_add(&q, (int64_t)p->octets);
	query_add(&q, (int64_t)p->offset);
	query_add(&q, (int64_t)p->length);
	query_add_digest(&q, true, &p->content);
	query_add_text(&q, p->folder);
	query_add(&q, p->number);
	query_add(&q, p->epoch);
	if ((e = query_run(&q, eb)) == E_OK)
		p->intent = sqlite3_last_insert_rowid(s->db);
	return e;
}

/* The number stands in the stub: it is to be nobody else's. */
static enum err
add_number(struct state *s, int64_t account, const struct parcel *p,
    int64_t now, struct errbuf *eb)
{
	struct query q = query(s, NUMBER_ADD);

	query_add(&q, account);
	query_add(&q, p->number);
	query_add_digest(&q, true, &p->key);
	query_add(&q, (int64_t)p->size);
	query_add(&q, now);
	return query_run(&q, eb);
}

enum err
state_intend(struct state *s, int64_t account, const char *dest,
    struct parcel **v, size_t n, int64_t now, struct errbuf *eb)
{
	enum err e = state_db_begin(s, eb);

	for (size_t i = 0; i < n && e == E_OK; i++) {
		if (v[i]->number != 0)
			e = add_number(s, account, v[i], now, eb);
		if (e == E_OK)
			e = add_intent(s, account, dest, v[i], now, eb);
	}
	e = state_db_end(s, e, eb);
	for (size_t i = 0; i < n && e != E_OK; i++)
		v[i]->intent = 0;
	return e;
}

static enum err
remove_intent(
    struct state *s, int64_t account, const struct parcel *p, struct errbuf *eb)
{
	struct query q = query(s, INTENT_REMOVE);

	query_add(&q, account);
	query_add(&q, p->intent);
	return query_run(&q, eb);
}

static enum err
add_message(struct state *s, int64_t account, struct parcel *p, int64_t now,
    struct errbuf *eb)
{
	struct query q = query(s, MESSAGE_ADD);
	enum err e;

	query_add(&q, account);
	query_add_digest(&q, p->has_uid, &p->uid);
	query_add(&q, (int64_t)p->size);
	query_add_digest(&q, true, &p->identity.header);
	query_add(&q, p->identity.strong);
	query_add(&q, p->to_delete ? MESSAGE_DELETING : MESSAGE_THERE);
	query_add(&q, now);
	query_add(&q, 0);
	if ((e = query_run(&q, eb)) == E_OK)
		p->message = sqlite3_last_insert_rowid(s->db);
	return e;
}

/* A stub is no message that was collected: nothing is to be deleted for it. */
static enum err
note_stub(struct state *s, int64_t account, const struct parcel *p, int64_t now,
    struct errbuf *eb)
{
	struct query q = query(s, NUMBER_STUB);

	query_add(&q, account);
	query_add(&q, p->number);
	query_add(&q, now);
	return query_run(&q, eb);
}

enum err
state_stored(struct state *s, int64_t account, struct parcel **v, size_t n,
    int64_t now, struct errbuf *eb)
{
	enum err e = state_db_begin(s, eb);

	if (e != E_OK)
		return e;
	e = state_account_known(s, account, eb);
	for (size_t i = 0; i < n && e == E_OK; i++) {
		v[i]->message = 0;
		if (v[i]->in_doubt)
			continue;
		e = remove_intent(s, account, v[i], eb);
		if (e != E_OK || v[i]->result != E_OK)
			continue;
		e = v[i]->number != 0 ? note_stub(s, account, v[i], now, eb)
				      : add_message(s, account, v[i], now, eb);
	}
	e = state_db_end(s, e, eb);
	for (size_t i = 0; i < n; i++) {
		if (e != E_OK)
			v[i]->message = 0;
		else if (!v[i]->in_doubt)
			v[i]->intent = 0;
	}
	return e;
}

/* ---- after a run that ended early ---- */

static void
get_intent(struct query *q, struct state_intent *t)
{
	struct parcel *p = &t->parcel;

	*t = (struct state_intent){ .parcel.fd = -1 };
	p->intent = query_get(q);
	t->at = query_get(q);
	t->dest = query_get_copy(q);
	p->has_uid = query_get_digest(q, &p->uid);
	p->size = (uint64_t)query_get(q);
	query_get_digest(q, &p->identity.header);
	p->identity.strong = query_get(q) != 0;
	p->to_delete = query_get(q) != 0;
	p->tmp = query_get_copy(q);
	p->file = query_get_copy(q);
	p->octets = (uint64_t)query_get(q);
	p->offset = (uint64_t)query_get(q);
	p->length = (uint64_t)query_get(q);
	query_get_digest(q, &p->content);
	p->folder = t->folder = query_get_copy(q);
	p->number = (uint32_t)query_get(q);
	p->epoch = (uint32_t)query_get(q);
}

enum err
state_intents(struct state *s, int64_t account, struct state_intent **v_r,
    size_t *n_r, struct errbuf *eb)
{
	struct query q = query(s, INTENT_LIST);
	struct state_intent *v = NULL, *more;
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
		get_intent(&q, &v[n++]);
	}
	if ((e = query_end(&q, eb)) != E_OK) {
		state_intents_free(v, n);
		return e;
	}
	*v_r = v;
	*n_r = n;
	return E_OK;
}

void
state_intents_free(struct state_intent *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].parcel.tmp);
		free(v[i].parcel.file);
		free(v[i].dest);
		free(v[i].folder);
	}
	free(v);
}
