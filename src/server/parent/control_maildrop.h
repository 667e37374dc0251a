/*
 * control_maildrop.h - `malotectl maildrop': which messages are there, what one
 * is, and whether all is well.
 *
 * It goes as control_inquiry.h says.  The list comes in pieces, each of which is
 * asked for when malotectl has taken most of the last one.
 */
#ifndef SERVER_PARENT_CONTROL_MAILDROP_H
#define SERVER_PARENT_CONTROL_MAILDROP_H

#include "server/parent/child.h"
#include "server/parent/control_client.h"

/* number: of the message; 0: none is meant. */
void control_maildrop(struct control_client *k, const char *user,
    enum inquiry_kind what, uint32_t number);

/* Of the store that was asked; others are not listened to.  E_FORMAT: that is
 * more than it may say. */
enum err control_maildrop_messages(struct child *store, uint64_t token,
    const struct control_messages *m) NODISCARD;
enum err control_maildrop_fact(struct child *store, uint64_t token,
    const struct control_fact *fact) NODISCARD;
void control_maildrop_done(
    struct child *store, uint64_t token, const struct control_done *done);

#endif
