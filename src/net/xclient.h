/*
 * xclient.h - what a proxy of Dovecot's kind says of its client by the command
 * XCLIENT: NAME=VALUE, with spaces between them.  No I/O.
 *
 *	ADDR	the client's address
 *	PORT	its port
 *	SESSION	what the proxy calls the session, for both logs
 *	TTL	how many proxies may still follow
 *	FORWARD	what the proxy was told of the user; nothing here asks for it
 *
 * Names are taken in either case, one that is not known is passed over.
 */
#ifndef NET_XCLIENT_H
#define NET_XCLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

enum { XCLIENT_SESSION_MAX = 64 };

struct xclient {
	struct sockaddr_storage client; /* AF_UNSPEC: not said */
	uint16_t port;
	struct slice session; /* borrowed from the text */
	uint32_t ttl;         /* UINT32_MAX: not said */
};

/* False: something in it is wrong, or stands there twice. */
bool xclient_parse(struct xclient *out, struct slice text);

#endif
