/*
 * verify_machine.h - what the machine's own list of users knows (getpwnam(3),
 * wherever nsswitch.conf says that users are).
 */
#ifndef SERVER_HELPER_VERIFY_MACHINE_H
#define SERVER_HELPER_VERIFY_MACHINE_H

#include <pwd.h>

#include "server/helper/verify_driver.h"

/* E_OK: *row gets the uid, gid and home of that user; *pw_r is static.  E_NOENT:
 * there is none.  E_DENIED: it is not between first_uid and last_uid: whose
 * password is not to be tried here.  E_AGAIN with words: nobody can say. */
enum err machine_find(const struct pam_conf *c, const char *name,
    struct db_row *row, const struct passwd **pw_r,
    struct errbuf *eb) NODISCARD;

/* The password is right, but nobody signs in: why is for the log.  The row says it
 * as a line of the users file would. */
enum err machine_lock(struct verify_answer *a, const char *why) NODISCARD;

#endif
