/*
 * sendmail.h - malote as the program `sendmail` that others call to send mail.
 */
#ifndef CLIENT_COMMAND_SENDMAIL_H
#define CLIENT_COMMAND_SENDMAIL_H

#include "client/command/options.h"

/* Is that what was called: `sendmail ...` by a link, or `malote [OPTION..]
 * sendmail ...`?  Then *at_r is the place of the word in argv. */
bool sendmail_is_meant(int argc, char **argv, int *at_r);

/* argv[0] is the word; o: what stood before it.  The exit code. */
int sendmail_run(struct options *o, int argc, char **argv);

#endif
