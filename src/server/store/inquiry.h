/*
 * inquiry.h - what the admin asks about a maildrop, or wants done there.  The
 * parent alone can ask; the answer is IPC_UIDL_IS, IPC_EXPIRY_IS, or of its messages
 * IPC_MESSAGES or IPC_FACT, and IPC_ASKED.
 */
#ifndef SERVER_STORE_INQUIRY_H
#define SERVER_STORE_INQUIRY_H

#include "server/store/store_process.h"

/* mail: the location of the maildrop, which is checked as a session's is.
 * number: of a message, or of the first. */
void inquiry_begin(struct store *st, uint64_t token, const char *mail,
    enum inquiry_kind what, uint32_t number);

#endif
