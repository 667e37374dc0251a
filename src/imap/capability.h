/*
 * capability.h - what an IMAP server says that it can do.
 */
#ifndef IMAP_CAPABILITY_H
#define IMAP_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum { IMAP_AUTH_MAX = 256 };

struct imap_capability {
	bool known; /* it has said, since the last thing that changes it */
	bool starttls, logindisabled, sasl_ir;
	bool rev1, rev2;       /* IMAP4rev1, IMAP4rev2 */
	bool literal_plus;     /* literals of any size need not be waited for */
	bool literal_minus;    /* those of up to 4096 octets need not */
	bool multiappend;      /* RFC 3502 */
	bool utf8;             /* UTF8=ACCEPT or UTF8=ONLY (RFC 6855) */
	bool gmail;            /* X-GM-EXT-1 */
	uint64_t append_limit; /* octets; UINT64_MAX: none is known */
	char auth[IMAP_AUTH_MAX]; /* mechanisms, with a space before each */
};

/* Takes all words of a CAPABILITY response, which replace those of before. */
void imap_capability_read(struct imap_capability *c, struct slice words);

/* It speaks IMAP4rev2 (RFC 9051), and nothing before that, without being told to. */
bool imap_capability_is_rev2(const struct imap_capability *c);

bool imap_capability_has_sasl(
    const struct imap_capability *c, const char *mechanism);

#endif
