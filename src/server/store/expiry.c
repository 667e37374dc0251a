#include "server/store/expiry.h"

#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/log.h"
#include "server/store/idle.h"

struct expiry {
	struct job job; /* first */
	struct store *store;
	struct maildrop *maildrop;
	struct terms *terms;
	expiry_ended *ended;
	struct hold_open open;
	struct hold_expire expire;
	char tag[HOLD_TAG_MAX];
	char user[];
};

static bool
is_free(const struct maildrop *md)
{
	return TAILQ_EMPTY(&md->sessions) && md->readers == 0;
}

/* On a thread. */
static void
run(struct job *job)
{
	struct expiry *x = (struct expiry *)job;

	x->maildrop->kind->expire(&x->open, &x->expire);
}

static void
queue(struct expiry *x)
{
	x->expire.more = false;
	job_add(x->store->pool, &x->maildrop->line, &x->job);
}

static void
on_done(struct job *job)
{
	struct expiry *x = (struct expiry *)job;
	struct store *st = x->store;

	x->expire.told = false;
	if (x->expire.more && is_free(x->maildrop) && !st->stopping) {
		queue(x);
		return;
	}
	maildrop_put(x->maildrop);
	if (x->ended != NULL)
		x->ended(st);
	terms_put(x->terms);
	free(x);
	if (--st->n_sessions == 0)
		idle_begin(st);
}

static struct expiry *
expiry_new(struct store *st, struct maildrop *md, const struct expiry_of *of)
{
	size_t n = strlen(of->user) + 1;
	struct expiry *x = calloc(1, sizeof(*x) + n);
	char shown[HOLD_TAG_MAX - 64];

	if (x == NULL)
		return NULL;
	memcpy(x->user, of->user, n);
	format(x->tag, sizeof(x->tag), "user=%s",
	    str_escape(shown, sizeof(shown), of->user, n - 1));
	x->store = st;
	x->maildrop = md;
	x->terms = terms_get(st->terms);
	x->open = (struct hold_open){ .conf = &x->terms->conf,
		.path = md->path,
		.user = x->user,
		.tag = x->tag,
		.expires = true };
	x->expire = (struct hold_expire){ .days = of->days, .told = of->told };
	x->job = (struct job){
		.run = run, .done = on_done, .of = md->file_system, .slow = true
	};
	return x;
}

void
expiry_begin(struct store *st, struct maildrop *md, const struct expiry_of *of,
    expiry_ended *ended)
{
	struct expiry *x;

	if (md->kind->expire == NULL || !is_free(md) || st->stopping ||
	    (x = expiry_new(st, md, of)) == NULL) {
		if (ended != NULL)
			ended(st); /* another time */
		return;
	}
	x->ended = ended;
	if (st->n_sessions++ == 0)
		idle_end(st);
	queue(x);
}
