/*
 * checked.h - what a checkpassword program executes when the password is right:
 * ourselves, to say as whom we run and what HOME is.
 */
#ifndef SERVER_HELPER_CHECKED_H
#define SERVER_HELPER_CHECKED_H

#define CHECKED_ROLE "checked"

/* A variable of the environment: the name that was asked for. */
#define CHECKED_NAME "MALOTE_NAME"

/* fd: where to say it.  Returns what to exit with: never 1, which is what a program
 * says of a wrong password. */
int checked_main(int fd);

#endif
