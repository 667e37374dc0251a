/*
 * probe.h - a server that does not greet may wait for TLS: a connection beside
 * that of the session asks it.
 *
 * Only where the session begins in plain text.  Nothing but the beginning of a
 * handshake is sent; what a server answers to it is no proof of who it is, and
 * ends the session with words for the person.
 */
#ifndef CLIENT_SESSION_PROBE_H
#define CLIENT_SESSION_PROBE_H

struct visit;

/* The greeting is awaited: some seconds later the server is asked, unless the
 * probe is stopped before. */
void probe_begin(struct visit *v);
void probe_stop(struct visit *v);
void probe_free(struct visit *v);

#endif
