/*
 * request.h - what a session asks for: its view, messages, marks, its end.
 */
#ifndef SERVER_STORE_REQUEST_H
#define SERVER_STORE_REQUEST_H

#include "base/str.h"
#include "server/store/tenant.h"

/* Answered later; that it cannot be had now is an answer too.  E_FORMAT: the
 * pop3 process asks for what does not exist. */
enum err tenant_view(struct tenant *s) NODISCARD;
enum err tenant_fetch(
    struct tenant *s, const uint32_t *msgno, unsigned n) NODISCARD;
enum err tenant_doubt(struct tenant *s, uint32_t msgno) NODISCARD;
enum err tenant_mark(struct tenant *s, enum mark_kind kind, uint32_t first,
    struct slice bitmap) NODISCARD;

/* Removes what was marked, answers, and ends the session. */
enum err tenant_commit(struct tenant *s) NODISCARD;

/* Ends it: nothing is removed; no answer.  s may be freed. */
void tenant_release(struct tenant *s);

#endif
