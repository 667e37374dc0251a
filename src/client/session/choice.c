#include "client/session/choice.h"

#include <stdio.h>

#include "base/i18n.h"

/* Only one message that has it can be meant by a unique-id; without one the header
 * says which it is. */
static bool
is_of(const struct plan_item *it, const struct chosen *c)
{
	if (it->listed.has_uid)
		return !it->twin && digest_eq(it->listed.uid, c->key);
	return it->answered && digest_eq(it->identity.header, c->key);
}

static const struct chosen *
find(const struct visit *v, size_t i)
{
	for (size_t k = 0; k < v->conf.n_chosen; k++)
		if (is_of(&v->plan->v[i], &v->conf.chosen[k]))
			return &v->conf.chosen[k];
	return NULL;
}

bool
choice_has(const struct visit *v, size_t i)
{
	return !choice_is_made(v) || find(v, i) != NULL;
}

bool
choice_fits(const struct visit *v, size_t i, const struct identity *identity)
{
	const struct chosen *c = choice_is_made(v) ? find(v, i) : NULL;

	return c == NULL || !c->has_header ||
	       digest_eq(c->header, identity->header);
}

static const struct plan_item *
item_of(const struct visit *v, const struct chosen *c)
{
	for (size_t i = 0; i < v->plan->n; i++)
		if (is_of(&v->plan->v[i], c))
			return &v->plan->v[i];
	return NULL;
}

void
choice_notice(struct visit *v)
{
	for (size_t k = 0; choice_is_made(v) && k < v->conf.n_chosen; k++) {
		const struct chosen *c = &v->conf.chosen[k];
		const struct plan_item *it = item_of(v, c);

		if (it == NULL)
			visit_fail(v, OUTCOME_SOME,
			    _("message %u is not on the server any more"),
			    c->number);
		else if (it->message >= 0)
			snprintf(v->result.notice, sizeof(v->result.notice),
			    _("message %u is here already"), c->number);
	}
}
