/*
 * address.h - the addresses that listeners of the configuration name; that of a
 * Unix socket is its path.
 */
#ifndef SERVER_CONF_ADDRESS_H
#define SERVER_CONF_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "server/conf/conf.h"

struct listen_addr {
	struct sockaddr_storage sa;
	socklen_t len;
	bool optional; /* of "*": the machine may lack its kind */
	/* Of a Unix socket, when it is made. */
	uint16_t mode;
	uint32_t gid; /* AUTH_NO_UID: that of this process */
};

/* The addresses of a listener, at most `room`, else E_FULL; E_CONFIG: one is
 * none. */
enum err address_list(const struct conf_listener *l, struct listen_addr *out,
    unsigned room, unsigned *n_r, struct errbuf *eb) NODISCARD;

/* Of a Unix socket; NULL: it is none. */
const char *address_path(const struct listen_addr *a);

enum { ADDRESS_SHOWN = 112 };
/* "[::1]:110", or a path; returns out. */
char *address_show(char out[ADDRESS_SHOWN], const struct listen_addr *a);

/* One cannot be bound beside the other. */
bool address_overlap(const struct listen_addr *a, const struct listen_addr *b);

#endif
