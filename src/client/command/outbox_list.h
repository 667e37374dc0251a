/*
 * outbox_list.h - what is in the outbox, for people or as JSON.
 */
#ifndef CLIENT_COMMAND_OUTBOX_LIST_H
#define CLIENT_COMMAND_OUTBOX_LIST_H

#include "client/command/options.h"

/* The exit code. */
int outbox_print(const struct options *o);

/* One line, or none if nothing is in it. */
void outbox_print_count(const struct options *o);

#endif
