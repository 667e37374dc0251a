/* malote delete: messages that the person was shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/i18n.h"
#include "client/command/commands.h"
#include "client/command/failure.h"
#include "client/command/looks.h"
#include "client/setup/talk.h"

/* -1: go on; else the exit code. */
static int
confirm(const struct call *call, const struct account *a, size_t n)
{
	if (option_is_given(call->o, OPT_YES))
		return -1;
	if (!talk_is_possible() || option_is_given(call->o, OPT_JSON))
		return mistyped(
		    call->o, "%s", _("nobody is there to be asked: say --yes"));
	if (talk_confirm(false,
		ngettext("Delete %zu message on %s for good?",
		    "Delete %zu messages on %s for good?", n),
		n, a->server) == TALK_YES)
		return -1;
	return done(call->o, "%s", _("nothing has changed"));
}

/* Without a header that was shown, nothing tells that it is still the same. */
static int
check_headers(const struct call *call, const struct numbered *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].has_header)
			return failed_by(call->o, EX_UNAVAILABLE,
			    _("message %u cannot be deleted: the server has "
			      "shown no header of it, so that it cannot be "
			      "told from others"),
			    v[i].number);
	return -1;
}

/* ---- what came of it ---- */

static const char *
outcome_of(const struct look *l, size_t chosen)
{
	const struct hand_items *all = look_items(l);

	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].chosen == chosen)
			return all->v[i].is_deleted ? "deleted" : "kept";
	return "gone";
}

/* was_tried: the session got as far as the messages. */
static void
say_outcome(uint32_t number, const char *what, bool was_tried)
{
	if (strcmp(what, "deleted") == 0)
		printf(_("%u: deleted\n"), number);
	else if (strcmp(what, "gone") == 0)
		printf(_("%u: it is not on the server any more\n"), number);
	else if (!was_tried)
		printf(_("%u: kept\n"), number);
	else
		printf(_("%u: kept; it is not as it was shown, or the server "
			 "did not delete it\n"),
		    number);
}

static void
tell(struct looks *k, const struct account *a, const struct look *l,
    const struct numbered *v, size_t n)
{
	json_t *account = looks_json(a, l), *messages = json_array();
	/* Of one that has failed before its plan nothing is known. */
	bool was_tried = look_items(l)->n != 0 || look_outcome(l) == OUTCOME_OK;

	for (size_t i = 0; i < n; i++) {
		const char *what = was_tried ? outcome_of(l, i) : "kept";

		if (strcmp(what, "kept") == 0 && k->code == EX_OK)
			k->code = EX_DATAERR;
		json_array_append_new(
		    messages, json_pack("{s:i, s:s}", "number",
				  (int)v[i].number, "outcome", what));
		if (k->json == NULL)
			say_outcome(v[i].number, what, was_tried);
	}
	json_object_set_new(account, "messages", messages);
	if (k->json != NULL)
		json_array_append_new(k->json, account);
	else
		json_decref(account);
}

static int
delete_chosen(struct call *call, const struct numbered *v, size_t n)
{
	size_t index = looks_index(call);
	struct chosen *chosen = looks_chosen(v, n);
	struct looks k;
	struct look *l;
	int code;

	if (chosen == NULL)
		return failed_by(call->o, EX_OSERR, "%s", _("out of memory"));
	if ((code = looks_begin(&k, call)) == -1) {
		l = looks_at(&k, index, HAND_DELETE, chosen, n);
		if (l != NULL)
			tell(&k, &call->set->conf.v[index], l, v, n);
		look_free(l);
		code = looks_end(&k);
	}
	free(chosen);
	return code;
}

int
cmd_delete(struct call *call)
{
	const struct account *a = &call->set->conf.v[looks_index(call)];
	struct numbered *v;
	size_t n;
	int code = looks_known(call, &v, &n);

	if (code == -1 && (code = check_headers(call, v, n)) == -1 &&
	    (code = confirm(call, a, n)) == -1)
		code = delete_chosen(call, v, n);
	free(v);
	return code;
}
