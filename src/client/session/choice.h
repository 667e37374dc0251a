/*
 * choice.h - a session that collects only what the person has chosen.
 *
 * All that holds for a run holds for it; it deletes nothing, and max_size is no
 * matter.  A message that is not the one that the person was shown, whatever the
 * server calls it, is not stored.
 */
#ifndef CLIENT_SESSION_CHOICE_H
#define CLIENT_SESSION_CHOICE_H

#include "client/session/core.h"

/* Is it such a session? */
static inline bool
choice_is_made(const struct visit *v)
{
	return v->conf.hand == HAND_NONE && v->conf.chosen != NULL;
}

/* Is item i to be collected?  Also where nothing was chosen. */
bool choice_has(const struct visit *v, size_t i);
/* Is what has come for it what the person was shown? */
bool choice_fits(
    const struct visit *v, size_t i, const struct identity *identity);
/* Says what is not there, or is here already. */
void choice_notice(struct visit *v);

#endif
