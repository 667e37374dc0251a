/* Rows of the table of accounts.  See state.h. */
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "client/state/db.h"
#include "client/state/state.h"

/* The language in which this process speaks. */
static const char *
words_language(void)
{
	/* TRANSLATORS: the code of your language. */
	return _("en");
}

static void
get_account(struct query *q, struct state_account *a)
{
	char language[16];

	*a = (struct state_account){ .id = query_get(q) };
	a->fresh = query_get(q) == 0;
	a->braked = query_get(q);
	a->serial_until = query_get(q);
	a->no_capa_until = query_get(q);
	a->auth_rank = (int)query_get(q);
	a->not_before = query_get(q);
	a->tried_at = query_get(q);
	a->collected_at = query_get(q);
	a->exit_code = (int)query_get(q);
	query_get_words(q, a->error, sizeof(a->error));
	query_get_words(q, a->notice, sizeof(a->notice));
	a->collected = (uint64_t)query_get(q);
	a->collected_octets = (uint64_t)query_get(q);
	a->deleted = (uint64_t)query_get(q);
	a->freed_octets = (uint64_t)query_get(q);
	a->left = (uint32_t)query_get(q);
	a->left_octets = (uint64_t)query_get(q);
	a->sizes_lie = query_get(q) != 0;
	a->refused_at = query_get(q);
	a->refused_mark = (unsigned)query_get(q);
	query_get_words(q, a->refused_why, sizeof(a->refused_why));
	query_get_text(q, language, sizeof(language));
	a->no_top_until = query_get(q);
	a->no_recapa_until = query_get(q);
	a->no_list_until = query_get(q);
	a->no_uidl_until = query_get(q);
	a->auth_below = (int)query_get(q);
	a->auth_below_until = query_get(q);
	a->crowd = (unsigned)query_get(q);
	a->crowd_until = query_get(q);
	a->cut_until = query_get(q);
	a->cut_commands = (uint32_t)query_get(q);
	a->cut_octets = (uint64_t)query_get(q);
	a->cut_met = query_get(q) != 0;
	a->no_utf8_until = query_get(q);
	/* Of a record of version 1 it is not known. */
	a->foreign =
	    language[0] != '\0' && strcmp(language, words_language()) != 0;
	/* It becomes part of what is said now, in the language of now. */
	if (a->foreign)
		a->refused_why[0] = '\0';
}

/* ---- which record is it? ---- */

enum { NAME_TEXT = 1024 };

/* How a record fits; the best is the least. */
enum fit { FIT_BOTH, FIT_MAILDROP, FIT_NAME, FIT_NONE };

struct candidate {
	enum fit fit;
	int64_t id;    /* of the best */
	bool key_fits; /* the best has name and maildrop already */
	int64_t named; /* the record that has the name now; 0: none */
};

static enum fit
fit_of(const struct state_key *k, const char *name, const char *maildrop)
{
	bool same_name = strcmp(name, k->name) == 0;

	if (same_name &&
	    (maildrop[0] == '\0' || strcmp(maildrop, k->maildrop) == 0))
		return FIT_BOTH;
	if (strcmp(maildrop, k->maildrop) == 0)
		return k->configured(k->arg, name, maildrop) ? FIT_NONE
							     : FIT_MAILDROP;
	return same_name && !k->configured(k->arg, NULL, maildrop) ? FIT_NAME
								   : FIT_NONE;
}

static enum err
find(struct state *s, const struct state_key *k, struct candidate *c,
    struct errbuf *eb)
{
	struct query q = query(s, ACCOUNT_NAMES);
	char name[NAME_TEXT], maildrop[NAME_TEXT];

	*c = (struct candidate){ .fit = FIT_NONE };
	while (query_row(&q)) {
		int64_t id = query_get(&q);
		enum fit fit;

		query_get_text(&q, name, sizeof(name));
		query_get_text(&q, maildrop, sizeof(maildrop));
		if (strcmp(name, k->name) == 0)
			c->named = id;
		if ((fit = fit_of(k, name, maildrop)) >= c->fit)
			continue;
		c->fit = fit;
		c->id = id;
		c->key_fits = fit == FIT_BOTH && maildrop[0] != '\0';
	}
	return query_end(&q, eb);
}

/* The record stays as it is for now. */
static bool
is_kept(const struct candidate *c)
{
	return c->key_fits || c->fit == FIT_NAME;
}

static enum err
set_key(struct state *s, enum statement how, int64_t id, const char *name,
    const char *maildrop, struct errbuf *eb)
{
	struct query q = query(s, how);

	query_add(&q, id);
	query_add_text(&q, name);
	query_add_text(&q, maildrop);
	return query_run(&q, eb);
}

static enum err
set_name(struct state *s, enum statement how, int64_t id, const char *name,
    struct errbuf *eb)
{
	struct query q = query(s, how);

	query_add(&q, id);
	query_add_text(&q, name);
	return query_run(&q, eb);
}

static enum err
make(struct state *s, const struct state_key *k, int64_t *id_r,
    struct errbuf *eb)
{
	struct query q = query(s, ACCOUNT_MAKE);
	enum err e;

	query_add_text(&q, k->name);
	query_add_text(&q, k->maildrop);
	e = query_run(&q, eb);
	*id_r = sqlite3_last_insert_rowid(s->db);
	return e;
}

/* Within a transaction. */
static enum err
find_or_make(struct state *s, const struct state_key *k, int64_t *id_r,
    struct errbuf *eb)
{
	struct candidate c;
	enum err e = find(s, k, &c, eb);

	*id_r = c.id;
	if (e != E_OK || is_kept(&c))
		return e;
	if (c.named != 0 && c.named != c.id &&
	    (e = set_name(s, ACCOUNT_FREE_NAME, c.id, k->name, eb)) != E_OK)
		return e;
	if (c.fit == FIT_NONE)
		return make(s, k, id_r, eb);
	return set_key(s, ACCOUNT_KEY, c.id, k->name, k->maildrop, eb);
}

static enum err
read_account(
    struct state *s, int64_t id, struct state_account *a_r, struct errbuf *eb)
{
	struct query q = query(s, ACCOUNT_GET);
	bool found = false;
	enum err e;

	query_add(&q, id);
	while (query_row(&q)) {
		get_account(&q, a_r);
		found = true;
	}
	e = query_end(&q, eb);
	return e != E_OK || found ? e : state_db_damaged(s, eb);
}

enum err
state_account(struct state *s, const struct state_key *key,
    struct state_account *a_r, struct errbuf *eb)
{
	struct candidate c;
	enum err e = find(s, key, &c, eb);

	if (e == E_OK && !is_kept(&c)) {
		if ((e = state_db_begin(s, eb)) != E_OK)
			return e;
		e = state_db_end(s, find_or_make(s, key, &c.id, eb), eb);
	}
	if (e == E_OK)
		e = read_account(s, c.id, a_r, eb);
	if (e == E_OK)
		a_r->moved = c.fit == FIT_NAME;
	return e;
}

enum err
state_account_look(struct state *s, const struct state_key *key,
    struct state_account *a_r, struct errbuf *eb)
{
	struct candidate c;
	enum err e = find(s, key, &c, eb);

	*a_r = (struct state_account){ .fresh = true };
	if (e == E_OK && c.fit != FIT_NONE)
		e = read_account(s, c.id, a_r, eb);
	return e;
}

enum err
state_account_settle(struct state *s, int64_t account,
    const struct state_key *key, struct errbuf *eb)
{
	return set_key(
	    s, ACCOUNT_SETTLE, account, key->name, key->maildrop, eb);
}

enum err
state_account_there(
    struct state *s, int64_t account, uint64_t *n_r, struct errbuf *eb)
{
	struct query q = query(s, ACCOUNT_THERE);

	query_add(&q, account);
	query_add(&q, MESSAGE_THERE);
	while (query_row(&q))
		*n_r = (uint64_t)query_get(&q);
	return query_end(&q, eb);
}

enum err
state_account_names(struct state *s,
    enum err (*each)(void *arg, const char *name), void *arg, struct errbuf *eb)
{
	struct query q = query(s, ACCOUNT_NAMES);
	char name[NAME_TEXT];
	enum err e = E_OK, end;

	while (e == E_OK && query_row(&q)) {
		query_get(&q);
		query_get_text(&q, name, sizeof(name));
		e = each(arg, name);
	}
	end = query_end(&q, eb);
	return e != E_OK ? e : end;
}

enum err
state_account_find(struct state *s, const char *name, int64_t *id_r,
    char maildrop_r[DIGEST_TEXT], struct errbuf *eb)
{
	struct query q = query(s, ACCOUNT_NAMES);
	char its_name[NAME_TEXT];
	bool found = false;
	enum err e;

	while (!found && query_row(&q)) {
		*id_r = query_get(&q);
		query_get_text(&q, its_name, sizeof(its_name));
		query_get_text(&q, maildrop_r, DIGEST_TEXT);
		found = strcmp(its_name, name) == 0;
	}
	e = query_end(&q, eb);
	if (e == E_OK && !found)
		e = E_NOENT;
	return e;
}

/* ---- another name, or none ---- */

static enum err
run_with(
    struct state *s, enum statement which, int64_t account, struct errbuf *eb)
{
	struct query q = query(s, which);

	query_add(&q, account);
	return query_run(&q, eb);
}

enum err
state_account_rename(
    struct state *s, int64_t account, const char *name, struct errbuf *eb)
{
	enum err e = state_db_begin(s, eb);

	if (e != E_OK)
		return e;
	e = set_name(s, ACCOUNT_FREE_NAME, account, name, eb);
	if (e == E_OK)
		e = set_name(s, ACCOUNT_RENAME, account, name, eb);
	return state_db_end(s, e, eb);
}

enum err
state_account_forget(struct state *s, int64_t account, struct errbuf *eb)
{
	static const enum statement steps[] = { INTENT_CLEAR, TROUBLE_CLEAR,
		MESSAGE_CLEAR, NUMBER_CLEAR, ACCOUNT_REMOVE };
	enum err e = state_db_begin(s, eb);

	if (e != E_OK)
		return e;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (e == E_OK)
			e = run_with(s, steps[i], account, eb);
	return state_db_end(s, e, eb);
}

/* ---- writing ---- */

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
	query_add(&q, a->refused_at);
	query_add(&q, a->refused_mark);
	query_add_text(&q, a->refused_why);
	query_add_text(&q, words_language());
	query_add(&q, a->no_top_until);
	query_add(&q, a->no_recapa_until);
	query_add(&q, a->no_list_until);
	query_add(&q, a->no_uidl_until);
	query_add(&q, a->auth_below);
	query_add(&q, a->auth_below_until);
	query_add(&q, a->crowd);
	query_add(&q, a->crowd_until);
	query_add(&q, a->cut_until);
	query_add(&q, a->cut_commands);
	query_add(&q, (int64_t)a->cut_octets);
	query_add(&q, a->cut_met);
	query_add(&q, a->no_utf8_until);
	return query_run(&q, eb);
}
