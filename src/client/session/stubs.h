/*
 * stubs.h - large messages of which only the header is collected
 * (`headers_above`): TOP in place of RETR, and a short message that says so.
 *
 * The large one is never taken for collected: its row of the record is the number
 * by which the person calls it, and says that its stub is here.
 */
#ifndef CLIENT_SESSION_STUBS_H
#define CLIENT_SESSION_STUBS_H

#include "client/session/core.h"

enum stub_wish {
	STUB_NONE, /* it is collected whole */
	STUB_MAKE,
	STUB_HERE, /* it was made, in this run or an earlier one */
	STUB_LATER, /* the message is perhaps here whole: that is not clear yet */
	STUB_IMPOSSIBLE, /* the server has no TOP, or no unique-ids */
};

enum stub_wish stubs_wish(const struct visit *v, size_t i);

/* TOP is answered for item i; more of it; all. */
void stubs_begin(struct visit *v);
void stubs_add(struct visit *v, struct slice data);
/* The whole stub, good until the next one; n is 0: no memory. */
struct slice stubs_end(struct visit *v, size_t i);
/* What the parcel is a stub of. */
void stubs_mark(const struct visit *v, size_t i, struct parcel *p);
/* It is here. */
void stubs_stored(struct visit *v, const struct parcel *p);
void stubs_free(struct visit *v);

#endif
