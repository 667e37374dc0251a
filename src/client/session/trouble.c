/* Messages that could not be had. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/session/session_impl.h"

enum {
	TRIES = 3,          /* runs, until a message is reported */
	TROUBLES_MAX = 256, /* that are remembered */
	DAY = 24 * 3600,
};

static struct trouble *
trouble_find(const struct session *s, const struct listed *l)
{
	struct record *r = s->record;

	for (size_t i = 0; i < r->n_troubles; i++) {
		struct trouble *t = &r->troubles[i];

		if (t->has_uid == l->has_uid && t->size == l->size &&
		    (!t->has_uid || digest_eq(t->uid, l->uid)))
			return t;
	}
	return NULL;
}

/* Room for one more; NULL: there is none.  What breaks sessions drives out what
 * does not. */
static struct trouble *
trouble_add(struct session *s, bool breaks)
{
	struct record *r = s->record;
	struct trouble *t;

	if (r->n_troubles >= TROUBLES_MAX) {
		for (size_t i = 0; breaks && i < r->n_troubles; i++)
			if (!r->troubles[i].breaks)
				return &r->troubles[i];
		return NULL;
	}
	t = reallocarray(r->troubles, r->n_troubles + 1, sizeof(*t));
	if (t == NULL)
		return NULL;
	r->troubles = t;
	return &r->troubles[r->n_troubles++];
}

void
session_trouble(struct session *s, size_t i, bool breaks, const char *why)
{
	const struct listed *l = &s->plan->v[i].listed;
	struct trouble *t = trouble_find(s, l);

	s->result.tally.failed += !s->items[i].troubled;
	if (t == NULL) {
		if ((t = trouble_add(s, breaks)) == NULL)
			return;
		*t = (struct trouble){ .has_uid = l->has_uid,
			.uid = l->uid,
			.size = l->size,
			.first_at = time(NULL) };
	}
	t->tries += !s->items[i].troubled;
	s->items[i].troubled = true;
	t->breaks |= breaks;
	t->last_at = time(NULL);
	snprintf(t->why, sizeof(t->why), "%s", why);
}

void
session_trouble_clear(struct session *s, size_t i)
{
	struct record *r = s->record;
	struct trouble *t = trouble_find(s, &s->plan->v[i].listed);

	if (t != NULL)
		*t = r->troubles[--r->n_troubles];
}

void
session_troubles_prune(struct session *s)
{
	struct record *r = s->record;
	size_t n = 0;

	for (size_t i = 0; i < s->plan->n; i++) {
		struct trouble *t = trouble_find(s, &s->plan->v[i].listed);

		if (t != NULL)
			t->listed = true;
	}
	for (size_t i = 0; i < r->n_troubles; i++)
		if (r->troubles[i].listed) {
			r->troubles[n] = r->troubles[i];
			r->troubles[n++].listed = false;
		}
	r->n_troubles = n;
}

static bool
waits_for_tomorrow(const struct trouble *t)
{
	return t->tries >= TRIES && t->last_at + DAY > time(NULL);
}

bool
session_is_shunned(struct session *s, const struct listed *l)
{
	const struct trouble *t = trouble_find(s, l);

	if (t == NULL || !t->breaks)
		return false;
	if (waits_for_tomorrow(t))
		return true;
	s->result.troubled_left |= !s->conf.only_troubled;
	return !s->conf.only_troubled;
}

bool
session_is_for_now(struct session *s, const struct listed *l)
{
	const struct trouble *t = trouble_find(s, l);

	if (t == NULL || !t->breaks)
		return !s->conf.only_troubled;
	return !session_is_shunned(s, l);
}

void
session_troubles_report(struct session *s)
{
	const struct record *r = s->record;
	const char *why = NULL;
	size_t n = 0;

	for (size_t i = 0; i < r->n_troubles; i++)
		if (r->troubles[i].tries >= TRIES) {
			why = r->troubles[i].why;
			n++;
		}
	if (n != 0)
		session_fail(s, OUTCOME_SOME,
		    ngettext("%zu message could not be collected in "
			     "several runs: %s",
			"%zu messages could not be collected in "
			"several runs: %s",
			n),
		    n, why);
}
