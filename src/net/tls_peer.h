/*
 * tls_peer.h - what a TLS client remembers of a server whose handshake fails,
 * for the words.  Between tls_client.c and tls_why.c only.
 */
#ifndef NET_TLS_PEER_H
#define NET_TLS_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls_peer {
	X509 *leaf;  /* NULL: none was seen */
	X509 *at;    /* the one that did not pass */
	int error;   /* X509_V_... */
	bool pinned; /* there was a pin, which did not match */
	bool heard;  /* the first record's head has come */
	unsigned char head[5];
};

/* Of a connection that tls_client_start() began; else NULL. */
struct tls_peer *tls_peer_of(const SSL *ssl);

#endif
