/*
 * request.h - what a session asks for: its view, messages, marks, its end.
 */
#ifndef SERVER_STORE_REQUEST_H
#define SERVER_STORE_REQUEST_H

#include "base/str.h"
#include "server/store/claim.h"

/* Each is answered later, if only that it cannot be had now.  E_FORMAT: the
 * worker asks for what does not exist. */
enum err claim_view(struct claim *c) NODISCARD;
enum err claim_fetch(
    struct claim *c, const uint32_t *msgno, unsigned n) NODISCARD;
/* The worker has closed messages that the store had made, of so many octets. */
enum err claim_closed(struct claim *c, uint64_t octets) NODISCARD;
enum err claim_doubt(struct claim *c, uint32_t msgno) NODISCARD;
enum err claim_mark(struct claim *c, enum mark_kind kind, uint32_t first,
    struct slice bitmap) NODISCARD;

/* Removes what was marked, answers, and ends the session. */
enum err claim_commit(struct claim *c) NODISCARD;

/* Ends the session without an answer; nothing is removed.  c may be freed. */
void claim_release(struct claim *c);

#endif
