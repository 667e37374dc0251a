/*
 * conn.h - a connection, plain or TLS, that never waits.
 *
 * Under TLS, records that OpenSSL makes are collected and leave in one write
 * (conn_flush), so the last message of a handshake and the first reply travel
 * together, and so do the records of a large write.
 *
 * E_AGAIN: wait until the socket is readable, or, if conn_is_blocked(),
 * writable.  E_CLOSED: the peer has ended it in order.  E_IO: it is broken.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

struct conn {
	int fd;
	bool blocked; /* the socket takes no more for now */
	bool ended;   /* the peer's last octet has been read */
	bool broken;
	bool finished; /* close_notify was sent, or is on its way */
	bool last;     /* what is written leaves with the end, in one segment */
	SSL *ssl;      /* NULL: plain */
	struct buf sealed; /* records on their way */
};

/* Takes fd, a connected non-blocking socket. */
void conn_init(struct conn *c, int fd);

/* Sends close_notify under TLS, if it need not wait for that, and closes. */
void conn_close(struct conn *c);

/* The same, but the socket stays open: it is the caller's. */
int conn_leave(struct conn *c);

/* Nothing more will be written: under TLS, close_notify is put behind what is
 * still to be sent, and leaves with it. */
void conn_finish(struct conn *c);

/* Begins TLS, as the server (as the client: tls_client.h); then
 * conn_handshake() until it is E_OK. */
enum err conn_start_tls(struct conn *c, SSL_CTX *ctx) NODISCARD;
enum err conn_handshake(struct conn *c) NODISCARD;

/* For those who begin TLS: makes c->ssl, neither server nor client yet. */
enum err conn_attach_tls(struct conn *c, SSL_CTX *ctx) NODISCARD;

/* *n_r octets were read, at least one if E_OK. */
enum err conn_read(struct conn *c, char *p, size_t n, size_t *n_r) NODISCARD;

/* *n_r octets were taken; under TLS they may not have left: conn_flush(). */
enum err conn_write(
    struct conn *c, const char *p, size_t n, size_t *n_r) NODISCARD;
enum err conn_flush(struct conn *c) NODISCARD;

/* Has the peer's system acknowledged all octets that were written?  E_AGAIN: not
 * yet, and no event will say so; E_IO: it is broken. */
enum err conn_delivered(const struct conn *c) NODISCARD;

/* True if octets have come that nobody has read, or it has been closed. */
bool conn_is_pending(const struct conn *c);

/* True if TLS has taken octets from the socket that conn_read() has not given
 * out: the loop will have no event for them. */
bool conn_is_buffered(const struct conn *c);

static inline bool
conn_is_blocked(const struct conn *c)
{
	return c->blocked;
}

/* After the handshake: has it a binding (tls_binding.h) that is of this
 * connection alone? */
bool conn_is_bindable(const struct conn *c);

/* "TLSv1.3" and "TLS_AES_256_GCM_SHA384", or "none". */
const char *conn_tls_version(const struct conn *c);
const char *conn_tls_cipher(const struct conn *c);

/* Why TLS failed, for the log; static until the next call. */
const char *conn_tls_error(void);

#endif
