/*
 * client_ca.h - certificates by which clients say who they are: asked for by a
 * worker, which sees that the client has the key, and checked by it and by
 * whoever decides.
 */
#ifndef NET_CLIENT_CA_H
#define NET_CLIENT_CA_H

#include "base/err.h"
#include "base/str.h"

struct conn;
struct client_ca;

/* Reads whom we believe: ca_fd is a PEM file with all certificates of those who
 * sign, up to their roots, as what a client sends of them is not looked at;
 * crl_fd, or -1, one with a list of revoked certificates of each of them, which
 * makes one without such a list, or with one that is out of date, worth
 * nothing.  E_CONFIG with words. */
enum err client_ca_read(struct client_ca **ca_r, int ca_fd, int crl_fd,
    struct errbuf *eb) NODISCARD;
void client_ca_free(struct client_ca *ca); /* NULL is a no-op */

/* After conn_start_tls(): the client is asked for a certificate, and may have
 * none.  One that is not good ends the handshake.  Such a connection cannot be
 * resumed: it would be believed longer than its certificate. */
enum err client_ca_ask(const struct client_ca *ca, struct conn *c) NODISCARD;

/* After the handshake: the client's certificate in DER, of n octets at most.
 * 0: it has shown none, or one that is larger. */
size_t client_ca_certificate(const struct conn *c, void *out, size_t n);

/* Who of the certificate is the user. */
enum client_name {
	CLIENT_NAME_EMAIL, /* subjectAltName's address, else emailAddress */
	CLIENT_NAME_CN,
	CLIENT_NAME_UID,
	CLIENT_NAMES
};

/* Is it one of those that are believed, now?  Then *eb is untouched, and *name
 * is what it says of its owner.  E_DENIED with words: it is not, or it says that
 * not exactly once, or not within `size` octets. */
enum err client_ca_check(const struct client_ca *ca, struct slice der,
    enum client_name which, char *name, size_t size,
    struct errbuf *eb) NODISCARD;

#endif
