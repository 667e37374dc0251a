/*
 * scheme_cost.h - how long a hash takes, by what it says of itself.
 *
 * Some can say that they take hours.  Nothing ends a computation that has begun,
 * so one such hash in a database would keep everybody else waiting.
 */
#ifndef SERVER_USERS_SCHEME_COST_H
#define SERVER_USERS_SCHEME_COST_H

#include <stdbool.h>

/* hash: "$...", of crypt(5) or Argon2.  Is it one that takes more than some
 * seconds on an ordinary machine? */
bool hash_takes_too_long(const char *hash);

#endif
