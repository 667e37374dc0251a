/*
 * trial_place.h - would the destination of an account take mail?  On a thread, as
 * it may have to wait for a disk, a lock or a server.
 */
#ifndef CLIENT_SETUP_TRIAL_PLACE_H
#define CLIENT_SETUP_TRIAL_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "client/conf/account.h"

struct ev_loop;
struct trial_place;

/* Called once, from the loop; trial_place_free() is permitted within. */
typedef void trial_place_done(void *arg, enum err e, const char *words);

/* Borrows the account and state_dir until it is freed.  terminal: a person can be
 * asked for a password.  NULL: memory. */
struct trial_place *trial_place_start(struct ev_loop *loop,
    const struct account *a, const char *state_dir, bool terminal,
    trial_place_done *done, void *arg) NODISCARD;
/* Waits for the thread.  NULL is a no-op. */
void trial_place_free(struct trial_place *p);

/* Once it is done, and good: octets that are left on its disk; and whether it is
 * still to be made, which is left to the first run. */
uint64_t trial_place_space(const struct trial_place *p);
bool trial_place_is_new(const struct trial_place *p);

#endif
