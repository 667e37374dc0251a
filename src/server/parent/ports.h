/*
 * ports.h - where connections arrive: sockets of each worker for each address.
 *
 * Those that were there before us (inherited.h) are taken over; what is missing is
 * made: a socket for each worker, but a Unix socket is one that all have.  When the
 * settings are read again, an address that stays keeps its sockets, with the
 * connections that wait there.
 */
#ifndef SERVER_PARENT_PORTS_H
#define SERVER_PARENT_PORTS_H

#include "server/conf/address.h"
#include "server/ipc/control.h"
#include "server/parent/inherited.h"

struct ports {
	int socket[WORKERS_MAX][LISTENERS_MAX];
	unsigned workers, n; /* sockets of each worker */
	struct listen_addr at[LISTENERS_MAX];
	struct unix_made made[LISTENERS_MAX]; /* of a Unix socket */
	/* For who asks.  Without `at': more of the one before. */
	struct control_listener is[LISTENERS_MAX];
};

/* Opens what c's listeners are at, but for what is open in `now`, which has as
 * many workers or none, or is among `in`, which may be NULL; c->worker.listener
 * becomes what is told of each.  When it fails nothing has been opened. */
enum err ports_open(struct ports *p, const struct ports *now,
    struct inherited *in, struct conf *c, struct errbuf *eb) NODISCARD;

/* Closes what is not in `kept`: nobody arrives there any more, in whatever process,
 * unless it is shared with another maloted, or with systemd.  A Unix socket is
 * removed then, too. */
void ports_close(struct ports *p, const struct ports *kept, bool shared);

/* Logs what is not in `was`, and what is only there. */
void ports_log(
    const struct ports *p, const struct ports *was, const struct conf *c);

#endif
