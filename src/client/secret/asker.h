/*
 * asker.h - a thread that needs a secret has the loop ask for it, and waits.
 */
#ifndef CLIENT_SECRET_ASKER_H
#define CLIENT_SECRET_ASKER_H

#include <stdbool.h>
#include <stddef.h>

#include "client/secret/secret.h"

struct asker;

/* state_dir: of tokens, and of what was refused.  insist: that is offered again.
 * Borrowed until asker_free().  NULL: memory. */
struct asker *asker_new(struct ev_loop *loop, const char *state_dir,
    bool terminal, bool insist) NODISCARD;

/* On a thread: the password of an account, or its token, with a NUL in `secret`,
 * which has room for `size` octets and is wiped by the caller.  anew: the token of
 * before was refused.  E_CLOSED: asker_close(); E_AGAIN: it comes by itself;
 * E_NOMEM; E_CONFIG: a person must mend something, or just that was refused before. */
enum err asker_ask(struct asker *a, const struct account *login, bool anew,
    char *secret, size_t size, struct errbuf *eb) NODISCARD;

/* On the same thread: it was let in by what asker_ask() has given last, or refused
 * with these words (else NULL). */
void asker_judged(
    struct asker *a, const struct account *login, const char *refused);

/* In the loop: whoever waits or asks from now on gets E_CLOSED. */
void asker_close(struct asker *a);

/* In the loop, when no thread asks any more.  NULL is a no-op. */
void asker_free(struct asker *a);

#endif
