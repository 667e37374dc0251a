/*
 * socks.h - SOCKS5 as a client, without I/O (RFC 1928, 1929).
 *
 * The name goes to the proxy as it is.  After the proxy's last octet comes the
 * server's first, so no more is ever read than socks_wants() says.
 */
#ifndef NET_SOCKS_H
#define NET_SOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/host.h"

struct socks_proxy {
	char host[HOST_MAX];
	uint16_t port;
	bool signs_in;
	char user[256];
	char password[256];
};

/* "[socks5://][USER:PASSWORD@]HOST[:PORT]"; an IPv6 address is in brackets;
 * the last @ and the first : of what is before it count.  E_CONFIG with words
 * that show no password.  The caller wipes *p. */
enum err socks_proxy_parse(
    struct socks_proxy *p, const char *text, struct errbuf *eb) NODISCARD;

enum socks_phase {
	SOCKS_METHOD,
	SOCKS_AUTH,
	SOCKS_HEAD,
	SOCKS_TYPE,
	SOCKS_BOUND
};

struct socks {
	const struct socks_proxy *proxy;
	const char *host;
	uint16_t port;
	enum socks_phase phase;
	unsigned char in[260];
	size_t in_n, need;
	unsigned char out[516]; /* to be sent before anything is read */
	size_t out_n;
};

/* Borrows proxy and host (as of host_ascii()) until it is over. */
void socks_start(struct socks *s, const struct socks_proxy *proxy,
    const char *host, uint16_t port);

size_t socks_wants(const struct socks *s);

/* Takes n octets, at most socks_wants().  E_AGAIN: go on.  E_OK: the
 * connection is the server's from here on.  Else what failed, in words:
 * E_DENIED: the proxy refuses us; E_IO: it cannot reach the server;
 * E_FORMAT: it is no SOCKS5 proxy. */
enum err socks_take(
    struct socks *s, const void *p, size_t n, struct errbuf *eb) NODISCARD;

#endif
