/*
 * certificate_name.h - by which name clients reach this server.
 */
#ifndef SERVER_CONF_CERTIFICATE_NAME_H
#define SERVER_CONF_CERTIFICATE_NAME_H

#include <stdbool.h>

enum { SERVER_NAME_MAX = 256 };

/* The name `wanted' if the certificate in that PEM file is for it, else the first
 * one that it is for and that is no pattern (RFC 6125 s6.4.3).  False: neither, or
 * the file cannot be read. */
bool certificate_name(
    const char *file, const char *wanted, char out[SERVER_NAME_MAX]);

#endif
