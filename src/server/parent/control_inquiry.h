/*
 * control_inquiry.h - `malotectl uidl' and `malotectl expire': the parent asks
 * auth where the user's mail is, and then that store.
 *
 * It reads neither: what auth says is handed to the store, which takes no other
 * place than one below the mail root, and what the store says is handed to
 * malotectl.
 */
#ifndef SERVER_PARENT_CONTROL_INQUIRY_H
#define SERVER_PARENT_CONTROL_INQUIRY_H

#include "server/parent/child.h"
#include "server/parent/control_client.h"

void control_inquire(
    struct control_client *k, const char *user, enum inquiry_kind what);

/* IPC_WHERE_IS, of auth: `store' is the index of one, and `words' a location or
 * why there is none. */
void control_inquiry_where(struct parent *p, uint64_t token,
    enum control_outcome outcome, uint16_t store, const char *words);

/* Who has asked this store; NULL: nobody who waits. */
struct control_client *control_asker_of(
    const struct child *store, uint64_t token);

/* IPC_UIDL_IS.  Only the store that was asked is listened to. */
void control_uidl_is(const struct child *store, uint64_t token,
    const struct control_uidl *uidl, const struct control_done *done);

/* The same of IPC_EXPIRY_IS. */
void control_expiry_is(const struct child *store, uint64_t token,
    const struct control_expire *expire, const struct control_done *done);

/* A process that was asked is no more. */
void control_inquiry_gone(const struct child *c);

#endif
