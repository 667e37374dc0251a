/*
 * address.h - the addresses that listeners of the configuration name.
 */
#ifndef SERVER_CONF_ADDRESS_H
#define SERVER_CONF_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "server/conf/conf.h"

struct listen_addr {
	struct sockaddr_storage sa;
	socklen_t len;
	bool optional; /* of "*": the machine may lack its kind */
};

/* The addresses of a listener, at most `room`, else E_FULL; E_CONFIG: one is
 * none. */
enum err address_list(const struct conf_listener *l, struct listen_addr *out,
    unsigned room, unsigned *n_r, struct errbuf *eb) NODISCARD;

enum { ADDRESS_SHOWN = 80 };
/* "[::1]:110"; returns out. */
char *address_show(char out[ADDRESS_SHOWN], const struct listen_addr *a);

/* One cannot be bound beside the other. */
bool address_overlap(const struct listen_addr *a, const struct listen_addr *b);

#endif
