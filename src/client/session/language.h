/*
 * language.h - the answers to UTF8 and LANG, which may come in the next step.
 */
#ifndef CLIENT_SESSION_LANGUAGE_H
#define CLIENT_SESSION_LANGUAGE_H

#include "client/session/core.h"

/* True if it is one of them.  A refusal changes nothing in this session; it is
 * remembered, as it may cost a turn. */
bool language_answered(struct visit *v, const struct pop3_event *ev);

#endif
