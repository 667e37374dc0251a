#include "client/session/hand.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/i18n.h"
#include "client/session/steps.h"

enum { HEADER_MAX = 64 * 1024 }; /* octets that are looked at */

struct hand_work {
	struct step_row rows[STEPS];
	struct hand_items items; /* beside those of the plan */
	struct buf header;       /* that is coming */
};

/* ---- headers ---- */

bool
hand_wants(const struct visit *v, size_t i)
{
	return v->hand->items.v[i].is_wanted;
}

void
hand_data(struct visit *v, struct slice data)
{
	struct buf *b = &v->hand->header;
	size_t room = HEADER_MAX - b->len;

	/* What does not fit is not shown. */
	if (buf_put(b, data.p, data.n < room ? data.n : room) != E_OK)
		return;
}

void
hand_header_ends(struct visit *v, size_t i)
{
	struct buf *b = &v->hand->header;

	summary_read(&v->hand->items.v[i].summary,
	    b->len != 0 ? buf_data(b) : "", b->len);
	buf_consume(b, b->len);
}

/* Without a unique-id only the header says which one it is. */
static void
choose_by_header(struct visit *v, struct hand_item *h)
{
	for (size_t k = 0; k < v->conf.n_chosen; k++)
		if (digest_eq(v->conf.chosen[k].key, h->identity.header))
			h->chosen = k;
}

void
hand_header(struct visit *v, size_t i, const struct identity *id)
{
	struct hand_item *h = &v->hand->items.v[i];

	v->items.v[i].progress = ITEM_DONE;
	h->is_shown = id != NULL;
	if (id == NULL)
		return;
	h->identity = *id;
	if (!h->listed.has_uid)
		choose_by_header(v, h);
}

/* ---- all headers are known ---- */

static int
by_header(const void *a, const void *b)
{
	const struct hand_item *const *x = a, *const *y = b;

	return memcmp(
	    (*x)->identity.header.v, (*y)->identity.header.v, DIGEST_SIZE);
}

/* Of those without a unique-id; of the others the plan knows it.  False:
 * memory. */
static bool
find_twins(struct hand_items *all)
{
	struct hand_item **v = calloc(all->n + 1, sizeof(struct hand_item *));
	size_t n = 0;

	if (v == NULL)
		return false;
	for (size_t i = 0; i < all->n; i++)
		if (!all->v[i].listed.has_uid && all->v[i].is_shown)
			v[n++] = &all->v[i];
	qsort(v, n, sizeof(*v), by_header);
	for (size_t i = 1; i < n; i++)
		if (by_header(&v[i - 1], &v[i]) == 0)
			v[i - 1]->is_twin = v[i]->is_twin = true;
	free(v);
	return true;
}

/* Of two that are called alike neither is meant. */
static bool
is_as_shown(const struct visit *v, const struct hand_item *h)
{
	const struct chosen *c;

	if (h->chosen == SIZE_MAX || !h->is_shown || h->is_twin)
		return false;
	c = &v->conf.chosen[h->chosen];
	return digest_eq(c->header, h->identity.header) &&
	       c->size == h->listed.size;
}

enum step
hand_next(struct visit *v)
{
	struct hand_items *all = &v->hand->items;

	if (!find_twins(all)) {
		visit_fail(v, OUTCOME_INTERNAL, "%s", _("out of memory"));
		return STEP_QUIT;
	}
	if (v->conf.hand != HAND_DELETE)
		return STEP_QUIT;
	for (size_t i = 0; i < all->n; i++)
		if (is_as_shown(v, &all->v[i]))
			items_delete(&v->items, i);
	return STEP_DELETE;
}

/* ---- the plan ---- */

static void
choose_by_uid(struct visit *v, struct hand_item *h)
{
	for (size_t k = 0; k < v->conf.n_chosen; k++)
		if (h->listed.has_uid &&
		    digest_eq(v->conf.chosen[k].key, h->listed.uid))
			h->chosen = k;
}

static void
fill_item(struct visit *v, size_t i)
{
	const struct plan_item *it = &v->plan->v[i];
	struct hand_item *h = &v->hand->items.v[i];
	const struct account *a = v->conf.account;

	*h = (struct hand_item){
		.listed = it->listed,
		.action = it->action,
		.message = it->message,
		.is_large = it->listed.size > a->max_size ||
			    it->listed.size > a->headers_above,
		.is_twin = it->twin,
		.chosen = SIZE_MAX,
	};
	choose_by_uid(v, h);
	h->is_wanted = v->conf.hand == HAND_SHOW ||
		       (v->conf.hand == HAND_DELETE &&
			   (h->chosen != SIZE_MAX || !h->listed.has_uid));
}

static void
plan_enter(struct visit *v)
{
	struct hand_items *all = &v->hand->items;

	plan_decide(v->plan);
	all->held = v->plan->braked != 0;
	all->v = calloc(v->plan->n + 1, sizeof(*all->v));
	if (all->v == NULL) {
		visit_memory(v);
		return;
	}
	for (; all->n < v->plan->n; all->n++) {
		fill_item(v, all->n);
		v->items.v[all->n].progress = ITEM_IDLE;
	}
	visit_enter(v, v->conf.hand == HAND_PLAN ? STEP_QUIT : STEP_SHOW);
}

/* ---- the end ---- */

/* DELE counts only once QUIT was answered, and a header only once a fence has told
 * whose it is. */
static void
unsaved_enter(struct visit *v)
{
	struct hand_items *all = &v->hand->items;

	for (size_t i = 0; i < all->n; i++) {
		all->v[i].is_deleted = v->items.v[i].dele_ok && v->quit_ok;
		if (!all->v[i].is_shown)
			summary_clear(&all->v[i].summary);
	}
	visit_enter(v, STEP_OVER);
}

bool
hand_new(struct visit *v, const struct step_row *steps)
{
	struct hand_work *w = calloc(1, sizeof(*w));

	v->hand = w;
	if (w == NULL)
		return false;
	memcpy(w->rows, steps, sizeof(w->rows));
	w->rows[STEP_ENVELOPE] =
	    (struct step_row){ "LIST", 5, plan_enter, NULL, NULL, NULL };
	w->rows[STEP_SAVE] =
	    (struct step_row){ "save", 0, unsaved_enter, NULL, NULL, NULL };
	buf_init(&w->header, HEADER_MAX, false);
	v->steps = w->rows;
	return true;
}

void
hand_free(struct visit *v)
{
	struct hand_work *w = v->hand;

	if (w == NULL)
		return;
	for (size_t i = 0; i < w->items.n; i++)
		summary_clear(&w->items.v[i].summary);
	free(w->items.v);
	buf_free(&w->header);
	free(w);
}

const struct hand_items *
visit_items(const struct visit *v)
{
	return &v->hand->items;
}
