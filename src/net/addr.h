/*
 * addr.h - addresses in print.
 */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <sys/socket.h>

enum { ADDR_TEXT = 48 };

/* "203.0.113.7", "2001:db8::7"; an IPv4 address mapped into IPv6 is printed as
 * IPv4.  Returns out. */
char *addr_text(char out[ADDR_TEXT], const struct sockaddr_storage *a);

#endif
