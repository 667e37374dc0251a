/*
 * round.h - has every maildrop from which mail goes by itself looked at, one after
 * the other, where nobody signs in.  The parent says when; the stores do it.
 *
 * They are those of the users file: databases do not say who there is.  Where a
 * database stands before the file it may know a name otherwise, so there is no
 * round.
 */
#ifndef SERVER_AUTH_ROUND_H
#define SERVER_AUTH_ROUND_H

#include "server/auth/process.h"

/* Begins one, unless one is under way or nothing expires. */
void round_begin(struct auth *a);

#endif
