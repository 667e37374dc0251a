#include "client/session/destination.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/i18n.h"
#include "client/session/fence.h"

enum { REFUSALS_MAX = 5 }; /* in a row, and no others are downloaded */

struct destination {
	struct storer_job job;
	bool tried;        /* right now */
	bool scouted;      /* it has not taken a message yet */
	unsigned refusals; /* in a row, that are new */
};

/* ---- all messages ---- */

void
destination_failed(struct session *s, enum err e, const char *why)
{
	enum outcome o = outcome_of_destination(e), before = s->result.outcome;
	uint32_t n = s->n_wanted - s->result.tally.collected;

	if (before != OUTCOME_OK)
		snprintf(s->result.notice, sizeof(s->result.notice), "%s", why);
	else if (o == OUTCOME_DESTINATION)
		session_fail(s, o,
		    ngettext(
			"%s; mend that, or \"deliver\" of account %s: until "
			"then %u message waits on the server",
			"%s; mend that, or \"deliver\" of account %s: until "
			"then %u messages wait on the server",
			n),
		    why, s->conf.account->name, n);
	else
		session_fail(s, o, "%s", why);
	s->enough = true;
	/* What is still to come would come for nothing. */
	if (s->n_asked > session_n_held(s))
		session_finish(s);
}

static void
tried(struct storer_job *job)
{
	struct session *s = job->arg;

	s->destination->tried = false;
	if (job->err != E_OK)
		destination_failed(s, job->err, job->eb.text);
	session_go_on(s);
}

/* What a program does with a message cannot be tried: there one message goes
 * ahead of the others. */
void
destination_try(struct session *s)
{
	enum dest_kind kind = s->conf.account->dest.kind;
	struct destination *d = s->destination;

	d->scouted = kind == DEST_COMMAND || kind == DEST_LMTP;
	d->tried = true;
	d->job = (struct storer_job){
		.kind = STORER_TRY,
		.done = tried,
		.arg = s,
	};
	storer_do(s->conf.storer, &d->job);
}

bool
destination_is_tried(const struct session *s)
{
	return s->destination != NULL && s->destination->tried;
}

/* ---- one message ---- */

bool
destination_is_scouted(const struct session *s)
{
	return s->destination->scouted;
}

void
destination_took(struct session *s)
{
	s->destination->scouted = false;
	s->destination->refusals = 0;
}

/* A message that has been refused all along says nothing about the others. */
void
destination_refused(struct session *s, const struct parcel *p)
{
	struct destination *d = s->destination;
	bool is_new = session_trouble(s, p->item,
	    p->result == E_AGAIN ? TROUBLE_LATER : TROUBLE_REFUSED, p->why);

	if (!is_new || ++d->refusals != REFUSALS_MAX)
		return;
	s->enough = true;
	snprintf(s->result.notice, sizeof(s->result.notice),
	    _("%u messages in a row could not be delivered; no others are "
	      "tried in this run"),
	    d->refusals);
}

/* ---- life ---- */

bool
destination_new(struct session *s)
{
	s->destination = calloc(1, sizeof(*s->destination));
	return s->destination != NULL;
}

void
destination_free(struct session *s)
{
	free(s->destination);
}
