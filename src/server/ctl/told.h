/*
 * told.h - facts that the server tells (struct control_fact), as JSON, and as
 * people read them.
 */
#ifndef SERVER_CTL_TOLD_H
#define SERVER_CTL_TOLD_H

#include <jansson.h>

#include "server/ctl/call.h"

/* Says a command (see call_server()) and keeps what is told: an object, with the
 * rows of the list in an array of that name.  *all_r is the caller's: what was
 * told before an error, too, or NULL. */
enum err told_ask(const struct options *o, enum control_type command,
    const struct ipc_fields *fields, const void *from, const char *list,
    json_t **all_r, struct errbuf *eb) NODISCARD;

/* A line for each thing in the object that is no list. */
void told_print(const json_t *all);

/* A number, a flag or words of a row; out: of size.  Returns out. */
const char *told_word(
    char *out, size_t size, const json_t *row, const char *name);

#endif
