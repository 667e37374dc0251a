/*
 * add_sign_in.h - the trial of the server of an account that is set up.
 */
#ifndef CLIENT_SETUP_ADD_SIGN_IN_H
#define CLIENT_SETUP_ADD_SIGN_IN_H

#include "client/setup/adding.h"

/* Tries it as far as it goes without a password, then with one, which
 * a->draft.value has then, if it was typed. */
bool adding_sign_in(struct adding *a);

#endif
