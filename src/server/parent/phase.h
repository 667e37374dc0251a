/*
 * phase.h - how far the server as a whole is: starting, serving, draining,
 * stopping, ending.
 */
#ifndef SERVER_PARENT_PHASE_H
#define SERVER_PARENT_PHASE_H

#include "server/parent/parent_state.h"

/* Before all others. */
void phase_init(struct parent *p);

/* A process says that it serves; one has died and is not to be restarted. */
void phase_ready(struct parent *p);
void phase_child_gone(struct parent *p);

/* All processes serve: we do from now on, and systemd is told.  phase_ready() does
 * that itself unless another maloted is still in our place. */
void phase_serve(struct parent *p);

/* Another maloted is in our place: nobody is accepted any more, and sessions may
 * go on for `seconds`; then as phase_stop(). */
void phase_drain(struct parent *p, unsigned seconds);

/* Workers may finish for `seconds`, then the others; when all have gone, the
 * loop is left.  The second time everything ends at once. */
void phase_stop(struct parent *p, unsigned seconds);
/* Everything ends at once, and the parent exits with that status. */
void phase_give_up(struct parent *p, int status);

#endif
