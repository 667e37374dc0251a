/*
 * name.h - the names of the files of messages.
 *
 * In tmp/ and in the spool, A being the digest of the account's name:
 *
 *	1763789012.M123456P45Q6mA.host
 *
 * and in new/, U being the digest of the unique-id, or "0", H that of the
 * header, followed by "s" if it is strong, else "w" (maildir(5); ,S= and ,W=
 * as in Maildir++):
 *
 *	1763789012.M123456P45Q6mA-U-Hs.host,S=123,W=130
 */
#ifndef CLIENT_DELIVER_NAME_H
#define CLIENT_DELIVER_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "client/message/parcel.h"

enum {
	NAME_SIZE = 256,
	NAME_HOST_SIZE = 65,
};

/* The host's name as it may be in a file's name; "localhost" if unknown. */
void name_host(char out[NAME_HOST_SIZE]);

/* Never the same twice, whichever thread asks. */
void name_tmp(char out[NAME_SIZE], struct digest account, const char *host);
/* From p->tmp, identity, uid and octets.  wire: octets as on the wire. */
void name_final(char out[NAME_SIZE], const struct parcel *p, uint64_t wire);

struct name {
	int64_t time;
	struct digest account;
	bool has_identity; /* a name of new/; false: of tmp/ */
	bool has_uid;
	struct digest uid;
	struct identity identity;
	uint64_t octets, wire; /* 0: it does not say */
};
/* False: not one of ours.  Flags behind a ":" are not looked at. */
bool name_parse(const char *file, struct name *n_r);

#endif
