#include "client/session/refusal.h"

#include <stdio.h>
#include <time.h>

#include "base/i18n.h"
#include "client/secret/refused.h"
#include "client/session/core.h"

static unsigned
mark_of(const struct visit *v, const char *secret, int64_t at)
{
	return refused_mark(v->conf.account, secret, at);
}

/* The same words at each run, so that the first one says all of it. */
static void
say_refusal(struct visit *v)
{
	const char *why = v->record->account.refused_why;

	v->result.outcome = OUTCOME_DENIED;
	refused_say(v->result.words, sizeof(v->result.words),
	    why[0] != '\0' ? why : _("sign-in refused"), v->conf.account->name);
}

void
visit_note_refusal(struct visit *v, const char *secret)
{
	struct state_account *a = &v->record->account;

	a->refused_at = time(NULL);
	a->refused_mark = mark_of(v, secret, a->refused_at);
	snprintf(a->refused_why, sizeof(a->refused_why), "%s", v->result.words);
	if (!v->conf.insist)
		say_refusal(v);
}

bool
visit_is_refused(struct visit *v, const char *secret)
{
	const struct state_account *a = &v->record->account;

	if (v->conf.insist || a->refused_at == 0 ||
	    a->refused_mark != mark_of(v, secret, a->refused_at))
		return false;
	say_refusal(v);
	return true;
}
