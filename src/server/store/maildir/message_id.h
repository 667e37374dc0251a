/*
 * message_id.h - the head of a message: what the log says of one that is removed,
 * so that it can be found in the logs of those who delivered it, and what an admin
 * is told of one.
 */
#ifndef SERVER_STORE_MAILDIR_MESSAGE_ID_H
#define SERVER_STORE_MAILDIR_MESSAGE_ID_H

#include <stdint.h>

#include "base/str.h"

/* MESSAGE_HEAD: of the message; behind many Received: and signatures what is looked
 * for may begin late. */
enum { MESSAGE_ID_MAX = 250, MESSAGE_HEAD = 16 * 1024 };

struct message_facts {
	uint64_t size; /* octets of the file; 0 if it could not be read */
	size_t id_len;
	char id[MESSAGE_ID_MAX];
};

/* The value of Message-ID (RFC 5322 s3.6.4) in the beginning of a message,
 * with its angle brackets; empty: there is none, or not in these octets. */
struct slice message_id(struct slice head);

/* The value of the first field of that name, without the blanks around it, perhaps
 * in several lines; empty: there is none, or not all of it in these octets. */
struct slice message_field(struct slice head, const char *name);

/* The beginning of a file of the folder `dir`, as it is served; 0: nothing. */
size_t message_head(char out[MESSAGE_HEAD], int dir, const char *name);

/* Of a file of the folder `dir`.  What cannot be read stays empty. */
void message_facts(struct message_facts *out, int dir, const char *name);

#endif
