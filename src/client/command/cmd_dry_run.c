/* malote collect --dry-run: what a run would do, and nothing is done. */
#include <stdio.h>

#include "base/i18n.h"
#include "client/command/commands.h"
#include "client/command/looks.h"
#include "client/message/size.h"

struct counts {
	bool held;
	unsigned collect, identify, keep, remove, large;
	uint64_t collect_octets, remove_octets;
};

static struct counts
count(const struct hand_items *all)
{
	struct counts c = { .held = all->held };

	for (size_t i = 0; i < all->n; i++) {
		const struct hand_item *h = &all->v[i];
		bool comes =
		    h->action == PLAN_COLLECT || h->action == PLAN_IDENTIFY;

		if (comes && h->is_large) {
			c.large++;
		} else if (h->action == PLAN_COLLECT) {
			c.collect++;
			c.collect_octets += h->listed.size;
		} else if (h->action == PLAN_IDENTIFY) {
			c.identify++;
		} else if (h->action == PLAN_LEAVE) {
			c.keep++;
		} else {
			c.remove++;
			c.remove_octets += h->listed.size;
		}
	}
	return c;
}

static void
print_counts(const struct account *a, const struct counts *c)
{
	char size[REPORT_SIZE], brake[OUTCOME_BRAKE_WORDS];

	printf(_("%s: would collect %u (%s), delete %u on the server, and "
		 "leave %u there\n"),
	    a->name, c->collect, report_size(size, c->collect_octets),
	    c->remove, c->keep + c->large);
	if (c->identify != 0)
		printf(
		    ngettext("    %u is to be downloaded to see whether it is "
			     "here already\n",
			"    %u are to be downloaded to see whether they "
			"are here already\n",
			c->identify),
		    c->identify);
	if (c->large != 0)
		printf(ngettext(
			   "    %u is larger than max_size or headers_above\n",
			   "    %u are larger than max_size or headers_above\n",
			   c->large),
		    c->large);
	if (c->held)
		printf("    %s\n", outcome_brake_words(brake, a));
	else if (a->keep == 0 && c->collect != 0)
		puts(_("    what is collected would be deleted there at "
		       "once (keep = no)"));
}

static json_t *
json_counts(
    const struct account *a, const struct look *l, const struct counts *c)
{
	json_t *account = looks_json(a, l);

	json_object_update_new(account,
	    json_pack("{s:i, s:I, s:i, s:i, s:I, s:i, s:i, s:b}", "collect",
		(int)c->collect, "collect_octets",
		(json_int_t)c->collect_octets, "identify", (int)c->identify,
		"delete", (int)c->remove, "delete_octets",
		(json_int_t)c->remove_octets, "keep", (int)c->keep, "large",
		(int)c->large, "held", c->held));
	return account;
}

int
cmd_dry_run(struct call *call)
{
	const struct client_conf *conf = &call->set->conf;
	struct looks k;
	int code = looks_begin(&k, call);

	if (code != -1)
		return code;
	for (size_t i = 0; i < conf->n; i++) {
		struct look *l;
		struct counts c;

		if (!call->set->chosen[i] ||
		    (l = looks_at(&k, i, HAND_PLAN, NULL, 0)) == NULL)
			continue;
		c = count(look_items(l));
		if (k.json != NULL)
			json_array_append_new(
			    k.json, json_counts(&conf->v[i], l, &c));
		else if (look_outcome(l) == OUTCOME_OK)
			print_counts(&conf->v[i], &c);
		look_free(l);
	}
	return looks_end(&k);
}
