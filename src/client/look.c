#include "client/look.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/conf/client_conf.h"
#include "client/state/account_lock.h"

enum {
	SESSIONS_MAX = 5,          /* a server is learned from in each */
	REMEMBER = 180 * 24 * 3600 /* seconds, of what has gone */
};

struct look {
	struct look_conf conf;
	const struct account *account;
	char maildrop[DIGEST_TEXT];
	struct state_key key;
	struct account_lock lock;
	struct state *state;
	struct record record;
	struct visit *visit;
	unsigned sessions, typed; /* for what was learned; passwords */
	bool anew;                /* the token that is kept was refused */
	enum outcome outcome;
	char words[STATE_WORDS];
	uint32_t *numbers; /* beside the items */
	ev_timer timer;
};

/* ---- the record ---- */

static enum err
look_open(struct look *l, struct errbuf *eb)
{
	bool put_aside;
	enum err e;

	if (account_maildrop(l->maildrop, l->account) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	l->key = (struct state_key){ l->account->name, l->maildrop,
		client_conf_has, l->conf.conf };
	if ((e = account_lock_take(&l->lock, l->conf.state_dir,
		 l->account->name, l->maildrop, eb)) != E_OK)
		return e;
	return state_open(&l->state, l->conf.state_dir, &put_aside, eb);
}

static enum err
look_read(struct look *l, struct errbuf *eb)
{
	struct record *r = &l->record;
	enum err e = state_account_look(l->state, &l->key, &r->account, eb);

	if (e != E_OK || r->account.id == 0)
		return e;
	if ((e = state_messages(l->state, r->account.id, &r->messages,
		 &r->n_messages, eb)) != E_OK)
		return e;
	return state_troubles(
	    l->state, r->account.id, &r->troubles, &r->n_troubles, eb);
}

/* ---- numbers ---- */

static int
by_key(const void *va, const void *vb)
{
	const struct numbered *a = va, *b = vb;

	return memcmp(a->key.v, b->key.v, DIGEST_SIZE);
}

/* What an item is called by; false: by nothing that is its own. */
static bool
key_of(const struct hand_item *h, struct digest *key_r)
{
	*key_r = h->listed.has_uid ? h->listed.uid : h->identity.header;
	return !h->is_twin &&
	       (h->listed.has_uid || (h->is_shown && h->identity.strong));
}

/* A unique-id that comes back for another message is no reason to call that one
 * by the number of the first. */
static bool
is_of(const struct numbered *m, const struct hand_item *h,
    const struct digest *key)
{
	return digest_eq(m->key, *key) &&
	       (!m->has_header || !h->is_shown ||
		   digest_eq(m->header, h->identity.header));
}

/* v: sorted by their keys. */
static struct numbered *
find_numbered(struct numbered *v, size_t n, const struct hand_item *h,
    const struct digest *key)
{
	size_t low = 0, high = n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memcmp(v[middle].key.v, key->v, DIGEST_SIZE) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < n && digest_eq(v[low].key, *key); low++)
		if (is_of(&v[low], h, key))
			return &v[low];
	return NULL;
}

/* Adds what has no number behind the n that have one; returns how many there are
 * then. */
static size_t
give_numbers(struct look *l, struct numbered *v, size_t n, uint32_t next)
{
	const struct hand_items *all = visit_items(l->visit);
	int64_t now = time(NULL);
	size_t more = n;

	for (size_t i = 0; i < all->n; i++) {
		const struct hand_item *h = &all->v[i];
		struct digest key;
		struct numbered *m;

		if (!key_of(h, &key))
			continue;
		if ((m = find_numbered(v, n, h, &key)) == NULL) {
			m = &v[more++];
			*m = (struct numbered){ .number = next++, .key = key };
		}
		m->size = h->listed.size;
		if (h->is_shown) {
			m->has_header = true;
			m->header = h->identity.header;
		}
		m->seen_at = now;
		l->numbers[i] = m->number;
	}
	return more;
}

static enum err
number_items(struct look *l, struct errbuf *eb)
{
	const struct hand_items *all = visit_items(l->visit);
	struct numbered *v, *more;
	struct state_account a;
	uint32_t next = 1;
	size_t n;
	enum err e = state_account(l->state, &l->key, &a, eb);

	if (e != E_OK ||
	    (e = state_numbers(l->state, a.id, &v, &n, eb)) != E_OK)
		return e;
	if (n != 0)
		next = v[n - 1].number + 1;
	more = reallocarray(v, n + all->n + 1, sizeof(*v));
	l->numbers = calloc(all->n + 1, sizeof(*l->numbers));
	if (more == NULL || l->numbers == NULL) {
		free(more != NULL ? more : v);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	if (n != 0)
		qsort(more, n, sizeof(*more), by_key);
	n = give_numbers(l, more, n, next);
	e = state_numbers_save(
	    l->state, a.id, more, n, time(NULL) - REMEMBER, eb);
	free(more);
	return e;
}

/* ---- what was deleted ---- */

/* The rows of those that were collected are to say so, or the next run would miss
 * them. */
static enum err
note_deleted(struct look *l, struct errbuf *eb)
{
	const struct hand_items *all = visit_items(l->visit);
	struct message *v = calloc(all->n + 1, sizeof(*v));
	size_t n = 0;
	enum err e = E_OK;

	if (v == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	for (size_t i = 0; i < all->n; i++) {
		if (!all->v[i].is_deleted || all->v[i].message < 0)
			continue;
		v[n] = l->record.messages[all->v[i].message];
		v[n].where = MESSAGE_GONE;
		v[n++].gone_at = time(NULL);
	}
	if (n != 0)
		e = state_messages_save(
		    l->state, l->record.account.id, v, n, eb);
	free(v);
	return e;
}

/* ---- the sessions ---- */

static void
look_ended(struct look *l, enum outcome o, const char *words)
{
	l->outcome = o;
	snprintf(l->words, sizeof(l->words), "%s", words);
}

static void
session_over(void *arg)
{
	struct look *l = arg;

	ev_timer_set(&l->timer, 0, 0);
	ev_timer_start(l->conf.loop, &l->timer);
}

static void
session_trace(void *arg, bool received, const char *line)
{
	struct look *l = arg;

	l->conf.trace(l->conf.arg, received, line);
}

static void
begin_session(struct look *l)
{
	static const struct visit_hooks quiet = { .over = session_over };
	static const struct visit_hooks loud = {
		.trace = session_trace,
		.over = session_over,
	};
	struct visit_conf conf = {
		.loop = l->conf.loop,
		.dialer = l->conf.dialer,
		.account = l->account,
		.hooks = l->conf.trace != NULL ? &loud : &quiet,
		.arg = l,
		.state_dir = l->conf.state_dir,
		.anew = l->anew,
		.terminal = l->conf.terminal,
		.insist = true,
		.hand = l->conf.hand,
		.chosen = l->conf.chosen,
		.n_chosen = l->conf.n_chosen,
	};
	struct errbuf eb;

	if (visit_new(&l->visit, &conf, &l->record, &eb) == E_OK) {
		visit_start(l->visit);
	} else {
		look_ended(l, OUTCOME_INTERNAL, eb.text);
		ev_break(l->conf.loop, EVBREAK_ALL);
	}
}

/* The next session may do better: by what was learned, by another token, or by a
 * password without a slip. */
static bool
is_tried_again(struct look *l, const struct visit_result *r)
{
	bool was_anew = l->anew;

	if (r->mistyped && ++l->typed < VISIT_TYPED_MAX) {
		l->conf.mistyped(l->conf.arg, r->words);
		return true;
	}
	l->anew = r->refused_token;
	return r->again && r->outcome != OUTCOME_OK && !(was_anew && l->anew) &&
	       ++l->sessions < SESSIONS_MAX;
}

static void
session_ended(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct look *l = w->data;
	const struct visit_result *r = visit_result(l->visit);

	if (is_tried_again(l, r)) {
		visit_free(l->visit);
		l->visit = NULL;
		begin_session(l);
		return;
	}
	look_ended(l, r->outcome, r->words);
	ev_break(loop, EVBREAK_ALL);
}

/* ---- all ---- */

/* What was shown or deleted is put on record. */
static enum err
look_keep(struct look *l, struct errbuf *eb)
{
	if (l->visit == NULL || l->conf.hand == HAND_PLAN)
		return E_OK;
	if (l->conf.hand == HAND_DELETE)
		return note_deleted(l, eb);
	return l->outcome == OUTCOME_OK ? number_items(l, eb) : E_OK;
}

struct look *
look_run(const struct look_conf *conf)
{
	struct look *l = calloc(1, sizeof(*l));
	struct errbuf eb;
	enum err e;

	if (l == NULL)
		return NULL;
	l->conf = *conf;
	l->account = &conf->conf->v[conf->index];
	l->lock = (struct account_lock)ACCOUNT_LOCK_NONE;
	ev_timer_init(&l->timer, session_ended, 0, 0);
	l->timer.data = l;
	if ((e = look_open(l, &eb)) != E_OK ||
	    (e = look_read(l, &eb)) != E_OK) {
		look_ended(
		    l, e == E_BUSY ? OUTCOME_BUSY : OUTCOME_DISK, eb.text);
		return l;
	}
	begin_session(l);
	ev_run(conf->loop, 0);
	if (look_keep(l, &eb) != E_OK)
		look_ended(l, OUTCOME_DISK, eb.text);
	return l;
}

void
look_free(struct look *l)
{
	if (l == NULL)
		return;
	ev_timer_stop(l->conf.loop, &l->timer);
	visit_free(l->visit);
	record_clear(&l->record);
	state_close(l->state);
	account_lock_release(&l->lock);
	free(l->numbers);
	free(l);
}

enum outcome
look_outcome(const struct look *l)
{
	return l->outcome;
}

const char *
look_words(const struct look *l)
{
	return l->words;
}

const struct hand_items *
look_items(const struct look *l)
{
	static const struct hand_items none = { NULL, 0, false };

	return l->visit != NULL ? visit_items(l->visit) : &none;
}

uint32_t
look_number(const struct look *l, size_t i)
{
	return l->numbers != NULL ? l->numbers[i] : 0;
}

/* ---- numbers that were typed ---- */

static const struct numbered *
number_find(const struct numbered *v, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].number == number)
			return &v[i];
	return NULL;
}

static enum err
pick(struct numbered *picked, const uint32_t *numbers, size_t n,
    const struct numbered *v, size_t n_v, struct errbuf *eb)
{
	for (size_t i = 0; i < n; i++) {
		const struct numbered *m = number_find(v, n_v, numbers[i]);

		if (m == NULL)
			return err_set(eb, E_NOENT,
			    _("there is no message %u; malote list shows "
			      "which there are"),
			    numbers[i]);
		picked[i] = *m;
	}
	return E_OK;
}

static enum err
read_numbers(
    struct look *l, struct numbered **v_r, size_t *n_r, struct errbuf *eb)
{
	enum err e = look_open(l, eb);

	*v_r = NULL;
	*n_r = 0;
	if (e == E_OK)
		e = state_account_look(
		    l->state, &l->key, &l->record.account, eb);
	if (e == E_OK && l->record.account.id != 0)
		e = state_numbers(l->state, l->record.account.id, v_r, n_r, eb);
	return e;
}

enum err
look_chosen(const struct client_conf *conf, size_t index, const char *state_dir,
    const uint32_t *numbers, size_t n, struct numbered **v_r, struct errbuf *eb)
{
	struct look l = {
		.conf = { .conf = conf, .state_dir = state_dir },
		.account = &conf->v[index],
		.lock = ACCOUNT_LOCK_NONE,
	};
	struct numbered *all = NULL;
	size_t n_all = 0;
	enum err e = read_numbers(&l, &all, &n_all, eb);

	*v_r = NULL;
	if (e == E_OK && (*v_r = calloc(n + 1, sizeof(**v_r))) == NULL)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if (e == E_OK)
		e = pick(*v_r, numbers, n, all, n_all, eb);
	free(all);
	state_close(l.state);
	account_lock_release(&l.lock);
	if (e != E_OK) {
		free(*v_r);
		*v_r = NULL;
	}
	return e;
}
