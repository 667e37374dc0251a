/*
 * share.h - what can be shown to a helpdesk: no secrets, and nobody's name.
 */
#ifndef CLIENT_COMMAND_SHARE_H
#define CLIENT_COMMAND_SHARE_H

#include <stddef.h>

#include "client/conf/account.h"

/* Copies the line.  What stands before the @ of any address becomes its first
 * letter and ***, and so does the account's user name; the home becomes ~.
 * Passwords and tokens are not in what a session tells.  Returns out. */
char *share_mask(
    char *out, size_t size, const char *line, const struct account *a);

#endif
