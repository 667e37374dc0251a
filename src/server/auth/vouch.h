/*
 * vouch.h - from where a client comes: as its connection says, of which the worker
 * has sent a descriptor.  What the worker says counts only where the other end is a
 * proxy, by the settings; so one that was broken into can blame nobody who has not
 * connected to it, and passes no network of the users file.
 */
#ifndef SERVER_AUTH_VOUCH_H
#define SERVER_AUTH_VOUCH_H

#include "server/auth/process.h"

enum vouched {
	VOUCHED,
	VOUCHED_GONE, /* the client has gone, and hears no answer */
	VOUCHED_ODD,  /* that is no connection of a client */
};

/* peer: what the worker says; afterwards, what is so. */
enum vouched vouch(const struct auth *a, int fd, char peer[PEER_MAX]);

/* Reads the networks of settings.  E_NOMEM, E_FORMAT: those from before hold. */
enum err vouch_learn(
    struct auth *a, const struct auth_conf *conf, struct errbuf *eb) NODISCARD;

#endif
