#include "client/session/destination.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/i18n.h"
#include "client/conf/place.h"
#include "client/secret/refused.h"
#include "client/session/fence.h"

enum {
	REFUSALS_MAX = 5, /* in a row, and no others are downloaded */
	LATELY = 600,     /* seconds */
};

struct destination {
	struct storer_job job;
	bool tried;        /* right now */
	bool foreseen;     /* that was begun before mail was wanted */
	bool wanted;       /* there is mail for it */
	bool scouted;      /* it has not taken a message yet */
	unsigned refusals; /* in a row, that are new */
};

/* ---- all messages ---- */

void
destination_words(char *out, size_t size, const struct account *a,
    const char *state_dir, bool insist, const char *why)
{
	char noted[REFUSED_WORDS];

	const struct account *login = place_login(&a->dest);

	if (!insist && login != NULL &&
	    refused_is_noted(state_dir, login, noted))
		refused_say(out, size, why, a->name);
	else
		snprintf(out, size, "%s", why);
}

void
destination_failed(struct visit *v, enum err e, const char *why)
{
	enum outcome o = outcome_of_destination(e), before = v->result.outcome;
	uint32_t n = v->n_wanted - v->result.tally.collected;
	char words[STATE_WORDS];

	destination_words(words, sizeof(words), v->conf.account,
	    v->conf.state_dir, v->conf.insist, why);
	if (before != OUTCOME_OK)
		snprintf(v->result.notice, sizeof(v->result.notice), "%s", why);
	else if (o == OUTCOME_DESTINATION || o == OUTCOME_CONFIG)
		visit_fail(v, o,
		    ngettext(
			"%s; mend that, or \"deliver\" of account %s: until "
			"then %u message waits on the server",
			"%s; mend that, or \"deliver\" of account %s: until "
			"then %u messages wait on the server",
			n),
		    words, v->conf.account->name, n);
	else
		visit_fail(v, o, "%s", why);
	v->enough = true;
	/* What is still to come would come for nothing. */
	if (v->n_asked > fence_n_held(v))
		visit_finish(v);
}

static void
tried(struct storer_job *job)
{
	struct visit *v = job->arg;
	struct destination *d = v->destination;

	d->tried = false;
	if (d->wanted && job->err != E_OK)
		destination_failed(v, job->err, job->eb.text);
	if (d->wanted || v->step == STEP_SAVE)
		visit_go_on(v);
}

static void
begin_to_try(struct visit *v)
{
	struct destination *d = v->destination;

	d->tried = true;
	d->job = (struct storer_job){
		.kind = STORER_TRY,
		.done = tried,
		.arg = v,
	};
	storer_do(v->conf.storer, &d->job);
}

/* As long as there is none, each run would sign in there for nothing. */
static bool
is_mail_likely(const struct record *r)
{
	const struct state_account *a = &r->account;
	bool likely = a->tried_at == 0 || time(NULL) - a->tried_at > LATELY;

	for (size_t i = 0; i < r->n_messages && !likely; i++)
		likely = r->messages[i].stored_at > a->tried_at - LATELY;
	return likely;
}

void
destination_foresee(struct visit *v)
{
	const struct account *a = v->conf.account;

	/* Nobody is to be asked for what is perhaps not needed. */
	if (v->conf.storer == NULL || v->conf.earlier != NULL ||
	    !dest_signs_in(&a->dest) || !place_has_secret(&a->dest) ||
	    !is_mail_likely(v->record) || !destination_new(v))
		return;
	v->destination->foreseen = true;
	begin_to_try(v);
}

/* What a program does with a message cannot be tried: there one message goes
 * ahead of the others. */
void
destination_try(struct visit *v)
{
	enum dest_kind kind = v->conf.account->dest.kind;
	struct destination *d = v->destination;

	d->scouted = kind == DEST_COMMAND || kind == DEST_LMTP;
	d->wanted = true;
	if (!d->foreseen)
		begin_to_try(v);
	else if (!d->tried && d->job.err != E_OK)
		destination_failed(v, d->job.err, d->job.eb.text);
}

bool
destination_is_busy(const struct visit *v)
{
	return v->destination != NULL && v->destination->tried;
}

bool
destination_is_tried(const struct visit *v)
{
	return destination_is_busy(v) && v->destination->wanted;
}

/* ---- one message ---- */

bool
destination_is_scouted(const struct visit *v)
{
	return v->destination->scouted;
}

void
destination_took(struct visit *v)
{
	v->destination->scouted = false;
	v->destination->refusals = 0;
}

/* A message that has been refused all along says nothing about the others. */
void
destination_refused(struct visit *v, const struct parcel *p)
{
	struct destination *d = v->destination;
	bool is_new = trouble_note(v, p->item,
	    p->result == E_AGAIN ? TROUBLE_LATER : TROUBLE_REFUSED, p->why);

	if (!is_new || ++d->refusals != REFUSALS_MAX)
		return;
	v->enough = true;
	snprintf(v->result.notice, sizeof(v->result.notice),
	    _("%u messages in a row could not be delivered; no others are "
	      "tried in this run"),
	    d->refusals);
}

/* ---- life ---- */

bool
destination_new(struct visit *v)
{
	if (v->destination == NULL)
		v->destination = calloc(1, sizeof(*v->destination));
	return v->destination != NULL;
}

void
destination_free(struct visit *v)
{
	free(v->destination);
}
