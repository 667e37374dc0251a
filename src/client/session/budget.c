#include "client/session/budget.h"

#include <time.h>

#include "client/session/core.h"

enum {
	REMEMBER = 30 * 24 * 3600, /* seconds */
	HEADERS_MIN = 4,           /* commands */
};

/* Well below what was too much. */
static uint64_t
below(uint64_t n)
{
	return n - (n < 4 ? n != 0 : n / 4);
}

static bool
is_believed(const struct state_account *a)
{
	return a->cut_until > time(NULL);
}

/* UINT64_MAX: there is none. */
static uint64_t
limit(uint64_t cut)
{
	return cut != 0 ? below(cut) : UINT64_MAX;
}

void
budget_begin(struct visit *v)
{
	const struct state_account *a = &v->record->account;

	v->budget = (struct budget){
		.limited =
		    is_believed(a) && a->cut_met && v->conf.earlier == NULL,
		.commands = UINT64_MAX,
		.octets = UINT64_MAX,
	};
	if (!v->budget.limited)
		return;
	v->budget.commands = limit(a->cut_commands);
	v->budget.octets = limit(a->cut_octets);
}

bool
budget_has(const struct visit *v, uint32_t commands, uint64_t octets)
{
	const struct budget *b = &v->budget;

	return (commands <= b->commands && octets <= b->octets) || !b->used;
}

void
budget_take(struct visit *v, uint32_t commands, uint64_t octets)
{
	struct budget *b = &v->budget;

	b->commands -= commands < b->commands ? commands : b->commands;
	b->octets -= octets < b->octets ? octets : b->octets;
	b->messages++;
	b->used = true;
}

bool
budget_is_tiny(const struct visit *v)
{
	const struct state_account *a = &v->record->account;

	return v->budget.limited && limit(a->cut_commands) < below(HEADERS_MIN);
}

bool
budget_is_half_gone(const struct visit *v)
{
	const struct state_account *a = &v->record->account;

	return v->budget.limited &&
	       v->budget.commands <= limit(a->cut_commands) / 2;
}

/* As much, but for what was under way. */
static bool
is_near(uint64_t a, uint64_t b)
{
	return a != 0 && b != 0 && a <= b + b / 2 + 1 && b <= a + a / 2 + 1;
}

static uint64_t
lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What two sessions agree in is the limit. */
static bool
is_met(struct state_account *a, uint32_t commands, uint64_t octets)
{
	bool by_commands = is_near(commands, a->cut_commands);
	bool by_octets = is_near(octets, a->cut_octets);

	if (!is_believed(a) || (!by_commands && !by_octets))
		return false;
	a->cut_commands =
	    by_commands ? (uint32_t)lesser(commands, a->cut_commands) : 0;
	a->cut_octets = by_octets ? lesser(octets, a->cut_octets) : 0;
	return true;
}

/* It is lower than what was taken for it, or a message was the reason. */
static void
lower(struct state_account *a, uint32_t commands, uint64_t octets)
{
	if (a->cut_commands / 2 > commands)
		commands = a->cut_commands / 2;
	if (a->cut_octets / 2 > octets)
		octets = a->cut_octets / 2;
	a->cut_commands = commands;
	a->cut_octets = octets;
}

/* A session for messages that were in one that was cut shows, if it is cut too,
 * that they are the reason. */
static void
forget(struct state_account *a)
{
	if (!a->cut_met)
		a->cut_until = 0;
}

void
budget_cut(struct visit *v)
{
	struct state_account *a = &v->record->account;
	struct budget *b = &v->budget;

	if (v->conf.earlier != NULL) {
		forget(a);
		return;
	}
	if (b->answered == 0)
		return;
	b->met = is_met(a, b->answered, b->came);
	if (!b->met && b->limited) {
		lower(a, b->answered, b->came);
	} else if (!b->met) {
		a->cut_commands = b->answered;
		a->cut_octets = b->came;
	}
	a->cut_met = b->met || b->limited;
	a->cut_until = time(NULL) + REMEMBER;
	v->result.cut = true;
}
