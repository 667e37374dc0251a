/*
 * address.h - the addresses in a field of a header (RFC 5322 s3.4, s4.4).
 */
#ifndef CLIENT_MESSAGE_ADDRESS_H
#define CLIENT_MESSAGE_ADDRESS_H

#include <stdbool.h>

#include "base/str.h"

enum { ADDRESS_MAX = 320 }; /* octets of one; there are no longer ones */

struct address {
	char text[ADDRESS_MAX + 1]; /* without comments, blanks and quotation
	                             * marks: ana@example.org */
	const char *domain;         /* in it, behind the @ */
};

/* Cuts the next address off the value of a field.  Names, comments, routes and
 * the names of groups are passed over, and so is what has no @ of its own: one
 * within quotation marks is a part of a name.  False: there is none. */
bool address_next(struct slice *rest, struct address *a_r);

#endif
