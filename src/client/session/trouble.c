#include "client/session/trouble.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/message/size.h"
#include "client/session/core.h"

enum {
	TRIES = 3,          /* runs, until a message is reported */
	TROUBLES_MAX = 256, /* that are remembered */
	DAY = 24 * 3600,
	NAMED = CLOCK_DATE + 128,
};

/* By its unique-id; without one, its number tells it from others of its size:
 * see renumber(). */
static bool
is_of(const struct trouble *t, const struct listed *l)
{
	return t->has_uid == l->has_uid && t->size == l->size &&
	       (t->has_uid ? digest_eq(t->uid, l->uid) : t->msgno == l->msgno);
}

static struct trouble *
trouble_find(const struct visit *v, const struct listed *l)
{
	struct record *r = v->record;

	for (size_t i = 0; i < r->n_troubles; i++)
		if (is_of(&r->troubles[i], l))
			return &r->troubles[i];
	return NULL;
}

/* Room for one more; NULL: there is none.  If they are too many, one that may
 * break sessions takes the place of one that does not. */
static struct trouble *
trouble_add(struct visit *v, bool breaks)
{
	struct record *r = v->record;
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

bool
trouble_is_known(const struct visit *v, const struct listed *l)
{
	return trouble_find(v, l) != NULL;
}

static void
note_first(struct visit *v, size_t i, const char *why)
{
	struct failures *f = &v->failures;

	if (!v->items.v[i].troubled && v->result.tally.failed++ == 0) {
		f->first = i;
		snprintf(f->why, sizeof(f->why), "%s", why);
	}
	v->items.v[i].troubled = true;
}

bool
trouble_note(struct visit *v, size_t i, enum trouble_kind kind, const char *why)
{
	const struct listed *l = &v->plan->v[i].listed;
	struct trouble *t = trouble_find(v, l);
	bool known = t != NULL;

	note_first(v, i, why);
	v->failures.refused |= kind == TROUBLE_REFUSED;
	if (!known) {
		if ((t = trouble_add(v, kind == TROUBLE_LINE)) == NULL)
			return true;
		*t = (struct trouble){
			.has_uid = l->has_uid,
			.uid = l->uid,
			.size = l->size,
			.msgno = l->msgno,
			.first_at = time(NULL),
		};
	}
	t->tries += !t->counted;
	t->counted = true;
	t->breaks |= kind == TROUBLE_LINE;
	t->last_at = time(NULL);
	snprintf(t->why, sizeof(t->why), "%s", why);
	return !known;
}

void
trouble_clear(struct visit *v, size_t i)
{
	struct record *r = v->record;
	struct trouble *t = trouble_find(v, &v->plan->v[i].listed);

	if (t != NULL)
		*t = r->troubles[--r->n_troubles];
}

void
trouble_forgive(struct visit *v)
{
	struct record *r = v->record;
	size_t n = 0;

	for (size_t i = 0; i < r->n_troubles; i++) {
		const struct trouble *t = &r->troubles[i];

		if (!t->breaks || !t->counted || t->tries > 1)
			r->troubles[n++] = *t;
	}
	r->n_troubles = n;
}

static void
mark_listed(struct visit *v)
{
	struct trouble *t;

	for (size_t i = 0; i < v->record->n_troubles; i++)
		v->record->troubles[i].listed = false;
	for (size_t i = 0; i < v->plan->n; i++)
		if ((t = trouble_find(v, &v->plan->v[i].listed)) != NULL) {
			t->msgno = v->plan->v[i].listed.msgno;
			t->listed = true;
		}
}

/* Where messages before it were deleted, one without a unique-id has another
 * number now: it is the next one of its size that has no trouble. */
static bool
renumber(struct visit *v, struct trouble *t)
{
	for (size_t i = 0; i < v->plan->n; i++) {
		const struct listed *l = &v->plan->v[i].listed;

		if (l->has_uid || l->size != t->size ||
		    trouble_find(v, l) != NULL)
			continue;
		t->msgno = l->msgno;
		return true;
	}
	return false;
}

void
trouble_prune(struct visit *v)
{
	struct record *r = v->record;
	size_t n = 0;

	mark_listed(v);
	for (size_t i = 0; i < r->n_troubles; i++) {
		struct trouble *t = &r->troubles[i];

		if (!t->listed && !t->has_uid)
			t->listed = renumber(v, t);
		if (t->listed)
			r->troubles[n++] = *t;
	}
	r->n_troubles = n;
}

static bool
waits_for_tomorrow(const struct trouble *t)
{
	return t->tries >= TRIES && t->last_at + DAY > time(NULL);
}

bool
trouble_is_shunned(struct visit *v, const struct listed *l)
{
	const struct trouble *t = trouble_find(v, l);

	if (t == NULL || !t->breaks)
		return false;
	if (waits_for_tomorrow(t))
		return true;
	v->result.troubled_left |= v->conf.earlier == NULL;
	return v->conf.earlier == NULL;
}

bool
trouble_is_for_now(struct visit *v, const struct listed *l)
{
	const struct trouble *t = trouble_find(v, l);

	if (t == NULL || !t->breaks)
		return v->conf.earlier == NULL;
	return !trouble_is_shunned(v, l);
}

/* ---- what the person is told ---- */

/* "message 3 (1.2 MB) and 2 others" */
static void
name_messages(char out[NAMED], uint32_t msgno, uint64_t size, size_t n)
{
	char one[NAMED / 2], text[REPORT_SIZE];

	if (size != 0)
		snprintf(one, sizeof(one), _("message %u (%s)"), msgno,
		    report_size(text, size));
	else
		snprintf(one, sizeof(one), _("message %u"), msgno);
	if (n > 1)
		snprintf(out, NAMED,
		    ngettext("%s and %zu other", "%s and %zu others", n - 1),
		    one, n - 1);
	else
		snprintf(out, NAMED, "%s", one);
}

/* It is here: only DELE has failed. */
static bool
is_collected(const struct visit *v, size_t i)
{
	return i < v->plan->n &&
	       (v->plan->v[i].message >= 0 || v->items.v[i].is_fresh);
}

/* What failed in several runs; false: nothing. */
static bool
report_lasting(struct visit *v)
{
	const struct record *r = v->record;
	const struct trouble *t = NULL;
	char which[NAMED], since[NAMED];
	size_t n = 0;

	for (size_t i = r->n_troubles; i-- > 0;)
		if (r->troubles[i].tries >= TRIES) {
			t = &r->troubles[i];
			n++;
		}
	if (t == NULL)
		return false;
	name_messages(which, t->msgno, t->size, n);
	visit_fail(v, OUTCOME_SOME,
	    is_collected(v, visit_find(v, t->msgno))
		? _("collected, but not deleted on the server, in several "
		    "runs since %s: %s: %s")
		: _("not collected, in several runs since %s: %s: %s"),
	    clock_date(since, t->first_at), which, t->why);
	return true;
}

static void
report_failed(struct visit *v)
{
	const struct listed *l = &v->plan->v[v->failures.first].listed;
	char which[NAMED];

	name_messages(which, l->msgno, l->size, v->result.tally.failed);
	if (v->failures.refused)
		visit_fail(v, OUTCOME_REFUSED, _("not delivered: %s: %s"),
		    which, v->failures.why);
	else
		visit_fail(v, OUTCOME_LEFT,
		    is_collected(v, v->failures.first)
			? _("collected, but not deleted on the server: %s: %s; "
			    "the next run tries again")
			: _("not collected: %s: %s; the next run tries again"),
		    which, v->failures.why);
}

static void
notice_back(struct visit *v)
{
	uint32_t n = v->plan->n_back;

	if (n != 0 && v->result.notice[0] == '\0')
		snprintf(v->result.notice, sizeof(v->result.notice),
		    ngettext("%u message that had been deleted on the server "
			     "is there again",
			"%u messages that had been deleted on the server are "
			"there again",
			n),
		    n);
}

/* Lists and RETR say that they are not there. */
static void
notice_absent(struct visit *v)
{
	if (v->n_absent != 0 && v->result.notice[0] == '\0')
		snprintf(v->result.notice, sizeof(v->result.notice),
		    _("%s counts %u messages, but neither lists nor sends "
		      "more than %zu"),
		    v->conf.account->server, v->stat_count,
		    v->plan->n - v->n_absent);
}

void
trouble_report(struct visit *v)
{
	notice_back(v);
	notice_absent(v);
	if ((v->failures.refused || !report_lasting(v)) &&
	    v->result.tally.failed != 0)
		report_failed(v);
	if (v->n_unlisted != 0 && v->n_absent < v->n_counted)
		visit_fail(v, OUTCOME_LEFT,
		    _("%s says that it has %u messages; %zu of them it does "
		      "not list"),
		    v->conf.account->server, v->stat_count, v->n_unlisted);
	if (v->top_refused && v->plan->n_unsure != 0)
		visit_fail(v, OUTCOME_LEFT, "%s", v->result.notice);
}
