/*
 * auth_messages.h - the pop3 processes, as sign-ins see them.
 */
#ifndef SERVER_AUTH_AUTH_MESSAGES_H
#define SERVER_AUTH_AUTH_MESSAGES_H

#include "server/auth/process.h"

/* IPC_ATTACH of a pop3 process.  Takes fd. */
void client_attach(struct auth *a, uint16_t index, int fd);

struct auth *client_auth(const struct client *c);
uint16_t client_index(const struct client *c);

/* A session's sign-in is over without success, or asks for more. */
void client_refuse(struct client *c, uint64_t sid, enum sign_in_code code,
    const char *user, const char *why);
void client_challenge(struct client *c, uint64_t sid, struct slice challenge);

/* It is over; store: the serial number of the one it was given to, or 0. */
void client_signed_in(struct client *c, uint64_t sid, uint32_t store);

/* Refuses the sessions that were given to it: those that have heard from it
 * take no notice. */
void clients_store_died(struct auth *a, uint32_t store);

#endif
