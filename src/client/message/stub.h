/*
 * stub.h - a short message that stands for a large one, which stays on the server:
 * its header, and how to get the rest.
 *
 * It is another message, with a Message-ID of its own and the other's in
 * In-Reply-To.  So nothing takes it for the large one, neither malote, should the
 * record be lost, nor a program that shows of two messages of one Message-ID only
 * the first; and those that show threads put it beside the large one.
 */
#ifndef CLIENT_MESSAGE_STUB_H
#define CLIENT_MESSAGE_STUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "client/message/identity.h"

struct stub {
	const char *account, *server;
	uint32_t number;   /* by which the person calls the large one */
	uint64_t size;     /* of that */
	struct digest key; /* tells its Message-ID from others */
};

/* Appends it.  header: the large one's, as far as it is known; what is behind an
 * empty line is not looked at.  Lines end in LF.  The fields that say how a body is
 * written, and those that have a receipt sent, are left out.  E_FULL, E_NOMEM. */
enum err stub_make(
    struct buf *out, const struct stub *s, struct slice header) NODISCARD;

/* What a stub says of the large one. */
struct stub_said {
	uint32_t number;
	uint64_t size;
	struct digest key;
};

/* False: the header is not that of a stub, or it does not say it all. */
bool stub_read(struct slice header, struct stub_said *s_r);

#endif
