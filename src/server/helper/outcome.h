/*
 * outcome.h - what a question came to: as auth is told, and as the log is.
 */
#ifndef SERVER_HELPER_OUTCOME_H
#define SERVER_HELPER_OUTCOME_H

#include "server/helper/db_driver.h"
#include "server/ipc/ipc.h"

/* why: of LOOKUP_FAILED.  What cannot be sent auth learns by its own deadline. */
void outcome_send(struct ipc_chan *auth, uint64_t id, enum lookup_result result,
    const struct db_row *row, const char *why);

/* That a database cannot be asked, and why, or that it answers again, is said once.
 * users: the name of its block; *is_down: what was said last. */
void outcome_log(const char *users, bool *is_down, enum lookup_result result,
    const char *why);

#endif
