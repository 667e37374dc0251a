/*
 * verify_process.h - what happens in the process of a question (verify_driver.h).
 *
 * It has what it is to answer by, and else nothing of ours.  It says VERIFY_ASK_AGAIN
 * where the settings want several questions of it, all that can be seen of it is as
 * it was before the first one, and what was typed has been wiped.
 */
#ifndef SERVER_HELPER_VERIFY_PROCESS_H
#define SERVER_HELPER_VERIFY_PROCESS_H

#include "server/helper/verify_driver.h"

/* Behind fork(): answers q, which is wiped, by fd; then those that come by it as a
 * struct verify_question each, as both ends are the same program. */
void verify_process_run(const struct verify_driver *driver,
    const struct pam_conf *c, struct verify_question *q, int fd)
    __attribute__((noreturn));

#endif
