/*
 * service_sockets.h - the sockets at which other programs ask who signs in to
 * them: those of the blocks `sasl`.  The parent keeps them open, so that the
 * connections that wait for a process that died are not lost.
 */
#ifndef SERVER_PARENT_SERVICE_SOCKETS_H
#define SERVER_PARENT_SERVICE_SOCKETS_H

#include "server/parent/parent_state.h"

/* Fills in the descriptors of c->sasl: those of `now`, unless that is NULL, where
 * the path is the same, and those that are among `in`, unless that is NULL.  The
 * words name the socket; nothing has been opened then. */
enum err service_sockets_open(struct conf *c, const struct conf *now,
    struct inherited *in, struct errbuf *eb) NODISCARD;
/* But for those that are in `kept`, unless that is NULL.  Shared: somebody else has
 * them, too, so they are not removed. */
void service_sockets_close(
    const struct conf *c, const struct conf *kept, bool shared);
/* What it was when its socket was made, for other settings; NULL: it is new. */
const struct conf_service *service_sockets_kept(
    const struct conf *c, unsigned i, const struct conf *was);

#endif
