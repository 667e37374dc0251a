/*
 * message_id.h - what the log says of a message that is removed, so that it
 * can be found in the logs of those who delivered it.
 */
#ifndef SERVER_STORE_MAILDIR_MESSAGE_ID_H
#define SERVER_STORE_MAILDIR_MESSAGE_ID_H

#include <stdint.h>

#include "base/str.h"

enum { MESSAGE_ID_MAX = 250 };

struct message_facts {
	uint64_t size; /* octets of the file; 0 if it could not be read */
	size_t id_len;
	char id[MESSAGE_ID_MAX];
};

/* The value of Message-ID (RFC 5322 s3.6.4) in the beginning of a message,
 * with its angle brackets; empty: there is none, or not in these octets. */
struct slice message_id(struct slice head);

/* Of a file of the folder `dir`.  What cannot be read stays empty. */
void message_facts(struct message_facts *out, int dir, const char *name);

#endif
