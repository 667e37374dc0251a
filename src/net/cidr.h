/*
 * cidr.h - networks, as in "192.0.2.0/24", and whether an address is in one.
 *
 * Addresses are 16 octets: IPv4 in its place within IPv6 (::ffff:192.0.2.1), so
 * that a client is the same one whichever way it came.  ::/0 is all of IPv6 and
 * nothing of IPv4, as people mean it.
 */
#ifndef NET_CIDR_H
#define NET_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

enum { CIDR_TEXT_MIN = 3 }; /* the shortest one is ::, and one parts it */

struct cidr {
	uint8_t address[16];
	uint8_t bits; /* of the address that count: 0 to 128 */
};

/* One network, or one address.  E_FORMAT: it is neither, or has bits set
 * behind those that count, and eb says so. */
enum err cidr_parse(
    struct cidr *out, struct slice text, struct errbuf *eb) NODISCARD;

/* Several, parted by spaces or commas; E_FULL: more than `room`. */
enum err cidr_parse_list(struct cidr *out, size_t room, size_t *n_r,
    struct slice text, struct errbuf *eb) NODISCARD;

/* Of a list that stays as it is written, perhaps for another server, for which
 * bits behind those that count do not matter: does it name one network at least,
 * and nothing else? */
bool cidr_list_is_good(struct slice list);
/* Is the printed address in one of them?  What cannot be read has nothing. */
bool cidr_list_has(struct slice list, const char *address);

/* An address in print; a scope behind a % does not matter.  False: it is
 * none. */
bool cidr_address(uint8_t out[16], const char *text);
/* False: of another family. */
bool cidr_address_of(uint8_t out[16], const struct sockaddr_storage *a);
bool cidr_is_ipv4(const uint8_t address[16]);

bool cidr_has(const struct cidr *net, const uint8_t address[16]);
/* Any of them; false if there are none. */
bool cidr_any_has(const struct cidr *net, size_t n, const uint8_t address[16]);

#endif
