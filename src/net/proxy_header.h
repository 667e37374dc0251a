/*
 * proxy_header.h - what a proxy says before its client's first octet: HAProxy's
 * PROXY protocol, versions 1 and 2.  No I/O.
 *
 * What is read decides the same however the octets are cut: as long as the
 * header is not whole they all belong to it, so they may be taken at once, and
 * nothing behind it is looked at.
 */
#ifndef NET_PROXY_HEADER_H
#define NET_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A segment of TCP that every network takes; the protocol asks for no more. */
enum { PROXY_HEADER_MAX = 536 };

enum proxy_result {
	PROXY_MORE, /* it goes on */
	PROXY_READ,
	PROXY_BAD, /* ->why */
};

/* What the client has spoken to the proxy. */
enum proxy_tls {
	PROXY_TLS_UNSAID,
	PROXY_TLS_NONE, /* the header says that it was not inside TLS */
	PROXY_TLS_SPOKEN,
};

struct proxy_header {
	/* The proxy speaks for itself: it looks whether the server is well. */
	bool local;
	/* The client's address; ss_family is AF_UNSPEC if the proxy does not say
	 * it: then, and for `local`, it is that of the connection. */
	struct sockaddr_storage client;
	enum proxy_tls tls;
	char tls_version[16]; /* "TLSv1.3"; may be empty, is printable */
	const char *why;      /* a word for the log, static */
};

/* Looks at n octets; with PROXY_READ *used_r of them are the header. */
enum proxy_result proxy_header_read(
    struct proxy_header *out, const char *p, size_t n, size_t *used_r);

#endif
