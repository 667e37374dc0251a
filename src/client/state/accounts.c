/* Rows of the table of accounts.  See state.h. */
#include <string.h>

#include "client/state/db.h"
#include "client/state/state.h"

static void
get_account(struct query *q, struct state_account *a)
{
	*a = (struct state_account){ .id = query_get(q) };
	a->fresh = query_get(q) == 0;
	a->braked = query_get(q) != 0;
	a->serial_until = query_get(q);
	a->no_capa_until = query_get(q);
	a->auth_rank = (int)query_get(q);
	a->not_before = query_get(q);
	a->tried_at = query_get(q);
	a->collected_at = query_get(q);
	a->exit_code = (int)query_get(q);
	query_get_text(q, a->error, sizeof(a->error));
	query_get_text(q, a->notice, sizeof(a->notice));
	a->collected = (uint64_t)query_get(q);
	a->collected_octets = (uint64_t)query_get(q);
	a->deleted = (uint64_t)query_get(q);
	a->freed_octets = (uint64_t)query_get(q);
	a->left = (uint32_t)query_get(q);
	a->left_octets = (uint64_t)query_get(q);
	a->sizes_lie = query_get(q) != 0;
}

/* E_NOENT: there is none. */
static enum err
find_account(struct state *s, const char *name, struct state_account *a_r,
    struct errbuf *eb)
{
	struct query q = query(s, ACCOUNT_GET);
	bool found = false;
	enum err e;

	query_add_text(&q, name);
	while (query_row(&q)) {
		get_account(&q, a_r);
		found = true;
	}
	e = query_end(&q, eb);
	return e != E_OK || found ? e : E_NOENT;
}

enum err
state_account(struct state *s, const char *name, struct state_account *a_r,
    struct errbuf *eb)
{
	enum err e = find_account(s, name, a_r, eb);
	struct query q;

	if (e != E_NOENT)
		return e;
	q = query(s, ACCOUNT_MAKE);
	query_add_text(&q, name);
	if ((e = query_run(&q, eb)) != E_OK)
		return e;
	e = find_account(s, name, a_r, eb);
	return e == E_NOENT ? state_db_damaged(s, eb) : e;
}

enum err
state_account_save(
    struct state *s, const struct state_account *a, struct errbuf *eb)
{
	struct query q = query(s, ACCOUNT_SET);

	query_add(&q, a->id);
	query_add(&q, a->braked);
	query_add(&q, a->serial_until);
	query_add(&q, a->no_capa_until);
	query_add(&q, a->auth_rank);
	query_add(&q, a->not_before);
	query_add(&q, a->tried_at);
	query_add(&q, a->collected_at);
	query_add(&q, a->exit_code);
	query_add_text(&q, a->error);
	query_add_text(&q, a->notice);
	query_add(&q, (int64_t)a->collected);
	query_add(&q, (int64_t)a->collected_octets);
	query_add(&q, (int64_t)a->deleted);
	query_add(&q, (int64_t)a->freed_octets);
	query_add(&q, a->left);
	query_add(&q, (int64_t)a->left_octets);
	query_add(&q, a->sizes_lie);
	return query_run(&q, eb);
}
