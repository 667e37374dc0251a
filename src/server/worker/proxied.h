/*
 * proxied.h - a connection that a proxy has made for a client, and what the proxy
 * says of it: by the PROXY protocol's header before anything else, or by XCLIENT
 * (enum listen_proxy).  From then on the client's address is the session's: for
 * networks, limits, penalties and the log, which has the proxy's beside it.
 *
 * A proxy that speaks for itself (to see whether the server is well), or does not
 * know its client, is a client at its own address, and not counted by it.
 */
#ifndef SERVER_WORKER_PROXIED_H
#define SERVER_WORKER_PROXIED_H

#include "server/worker/session_state.h"

/* The other end is a proxy; before the greeting.  False: memory. */
bool proxied_begin(struct session *s);
void proxied_free(struct session *s);

/* With WAIT_PROXY: takes the header, and not an octet more, as TLS may begin
 * behind it.  GO_ON: the client begins. */
enum go proxied_read(struct session *s);

/* For POP3_WANT_XCLIENT. */
enum go proxied_xclient(struct session *s);

/* What stands behind ip= in the log: " by=" and the proxy, or nothing. */
const char *proxied_by(const struct session *s);
/* And behind tls=: the version that is spoken with us, "proxy", "local" or
 * "none". */
const char *proxied_tls(const struct session *s);

#endif
