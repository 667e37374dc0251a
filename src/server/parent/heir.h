/*
 * heir.h - we take another maloted's place: what handover.h says, on the side of
 * the heir.
 */
#ifndef SERVER_PARENT_HEIR_H
#define SERVER_PARENT_HEIR_H

#include "server/parent/parent_state.h"

/* Listens to the elder, if there is one. */
void heir_open(struct parent *p);

/* We are to end, and with us those whose place we have taken: they have so many
 * seconds, and are waited for. */
void heir_stop_elder(struct parent *p, unsigned seconds);

#endif
