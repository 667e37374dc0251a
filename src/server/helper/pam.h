/*
 * pam.h - the process that has passwords verified which no database gives away: by
 * PAM, by shadow(5), by a program.  One for each such block `users` of the
 * configuration.
 *
 * It runs as pam_user, which is root where passwords of the machine are read.  So it
 * does little: what it gets from auth it hands to a process of its own
 * (verify_child.h), which asks, and is ended when the time for an answer is over.
 * Auth asks no more at a time than there may be such processes.
 */
#ifndef SERVER_HELPER_PAM_H
#define SERVER_HELPER_PAM_H

int pam_main(int ctl);

#endif
