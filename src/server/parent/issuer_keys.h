/*
 * issuer_keys.h - the keys of issuers of tokens, as the process that has fetched
 * them says them: for the one that comes in its place with new settings, since the
 * issuer may not answer just then.
 *
 * They are octets, which nobody looks at here.  What a process that was broken into
 * has said is good until the next one has asked the issuer; one that has died leaves
 * nothing.
 */
#ifndef SERVER_PARENT_ISSUER_KEYS_H
#define SERVER_PARENT_ISSUER_KEYS_H

#include "server/parent/child.h"

/* IPC_ISSUER_KEYS.  E_FORMAT: it has no such issuer. */
enum err issuer_keys_are(struct child *net, uint16_t issuer, uint64_t old_at,
    uint64_t ends_at, struct slice keys) NODISCARD;

/* To a process that starts: those of issuers whose settings are the same. */
void issuer_keys_tell(struct child *net);

/* It has died. */
void issuer_keys_forget(struct parent *p);

#endif
