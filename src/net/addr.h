/*
 * addr.h - addresses in print, and that of this machine.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <sys/socket.h>

enum { ADDR_TEXT = 48 };

/* "203.0.113.7", "2001:db8::7"; an IPv4 address mapped into IPv6 is printed as
 * IPv4.  Returns out. */
char *addr_text(char out[ADDR_TEXT], const struct sockaddr_storage *a);

/* 127.0.0.1: of who comes by a Unix socket, which has no address but is on this
 * machine. */
void addr_set_loopback(struct sockaddr_storage *a);

#endif
