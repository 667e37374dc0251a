/* What a run that was killed had begun is finished or begun again. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/state/recover.h"

/* Where an intent went to, if that is configured no more. */
struct other {
	const char *dest;
	struct delivery *d; /* NULL: there is nothing */
};

static bool
same_kind(const char *a, const char *b)
{
	size_t n = strcspn(a, ":");

	return strncmp(a, b, n + 1) == 0;
}

static enum err
other_open(
    struct other *o, struct recovery *r, const char *dest, struct errbuf *eb)
{
	if (o->dest != NULL && strcmp(o->dest, dest) == 0)
		return E_OK;
	r->n_untold += delivery_untold(o->d);
	delivery_close(o->d);
	o->d = NULL;
	o->dest = dest;
	return r->open(r->arg, dest, &o->d, eb);
}

/* A Maildir that has gone may be the one that is configured now, moved; but
 * that a file is nowhere in it says nothing. */
static enum err
recover_moved(struct recovery *r, struct state_intent *in, bool *stored_r,
    struct errbuf *eb)
{
	*stored_r = false;
	if (!same_kind(delivery_text(r->delivery), in->dest)) {
		/* Of the kind that is asked, there is nobody to ask. */
		r->n_untold += in->parcel.epoch != 0;
		return E_OK;
	}
	return delivery_recover(r->delivery, &in->parcel, 0, stored_r, eb);
}

static enum err
recover_one(struct recovery *r, struct other *o, struct state_intent *in,
    struct errbuf *eb)
{
	struct parcel *p = &in->parcel;
	bool stored = false;
	enum err e;

	if (in->dest == NULL ||
	    strcmp(in->dest, delivery_text(r->delivery)) == 0)
		e = delivery_recover(r->delivery, p, in->at, &stored, eb);
	else if ((e = other_open(o, r, in->dest, eb)) != E_OK)
		return e;
	else if (o->d != NULL)
		e = delivery_recover(o->d, p, in->at, &stored, eb);
	else
		e = recover_moved(r, in, &stored, eb);
	p->result = stored ? E_OK : E_AGAIN;
	return e;
}

enum err
storer_recover(struct recovery *r, struct errbuf *eb)
{
	struct other o = { NULL, NULL };
	struct state_intent *v;
	struct parcel **p = NULL;
	size_t n;
	enum err e = state_intents(r->state, r->id, &v, &n, eb);

	if (e != E_OK)
		return e;
	if (n != 0 && (p = calloc(n, sizeof(struct parcel *))) == NULL)
		e = err_set(eb, E_NOMEM, "%s", err_str(E_NOMEM));
	for (size_t i = 0; i < n && e == E_OK; i++) {
		p[i] = &v[i].parcel;
		e = recover_one(r, &o, &v[i], eb);
	}
	if (e == E_OK && n != 0)
		e = state_stored(r->state, r->id, p, n, time(NULL), eb);
	r->n_untold += delivery_untold(r->delivery) + delivery_untold(o.d);
	if (e == E_OK && o.d != NULL)
		e = delivery_sweep(o.d, eb);
	if (e == E_OK)
		e = delivery_sweep(r->delivery, eb);
	delivery_close(o.d);
	free(p);
	state_intents_free(v, n);
	return e;
}
