/*
 * address_list.h - lists of addresses (RFC 5322 s3.4) with octets beyond ASCII.
 */
#ifndef SERVER_STORE_SURROGATE_ADDRESS_LIST_H
#define SERVER_STORE_SURROGATE_ADDRESS_LIST_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* full: an address without a form in ASCII becomes an empty group that tells it
 * (RFC 6857), else an address that nobody has (RFC 6858). */
enum err surrogate_addresses(
    struct buf *out, struct slice list, bool full) NODISCARD;

#endif
