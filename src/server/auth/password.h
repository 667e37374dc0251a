/*
 * password.h - a password, or APOP's digest, is verified.
 */
#ifndef SERVER_AUTH_PASSWORD_H
#define SERVER_AUTH_PASSWORD_H

#include "server/auth/signin_state.h"

/* A name and a password have been claimed; password: NULL for APOP, whose
 * timestamp and digest are in s. */
void signin_claim(
    struct signin *s, struct slice name, const struct slice *password);

#endif
