/*
 * advice.h - what the person can do about a failure.
 */
#ifndef CLIENT_SESSION_ADVICE_H
#define CLIENT_SESSION_ADVICE_H

#include <stddef.h>

#include "client/conf/account.h"
#include "client/session/facts.h"

enum { ADVICE = 320 };

/* What a refused sign-in most likely means at the account's server, where the
 * words do not say it: some providers never take the person's own password. */
enum cause advice_provider(const struct account *a);

/* One sentence, translated, without a capital letter or a full stop; empty if
 * there is nothing to be said beyond what is wrong.  Returns out. */
char *advice_write(char out[ADVICE], enum cause cause, const struct account *a);
/* The same for a sign-in at the server that sends: user is that of smtp_user. */
char *advice_write_to_send(
    char out[ADVICE], enum cause cause, const struct account *a);

#endif
