/*
 * message.h - what is remembered of a message that was collected.
 */
#ifndef CLIENT_MESSAGE_MESSAGE_H
#define CLIENT_MESSAGE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/message/identity.h"

#define SIZE_UNKNOWN UINT64_MAX

enum message_where {
	MESSAGE_THERE,    /* by our record it is still on the server */
	MESSAGE_DELETING, /* DELE was or may have been sent */
	MESSAGE_GONE,     /* a complete listing did not have it any more */
};

struct message {
	int64_t id; /* its row in the state; 0: it has none yet */
	bool has_uid;
	struct digest uid; /* of the unique-id */
	/* As the server listed it, or SIZE_UNKNOWN, as in a row that was
	 * rebuilt (see plan.h). */
	uint64_t size;
	struct identity identity;
	bool has_identity;
	enum message_where where;
	int64_t stored_at; /* Unix seconds */
	int64_t gone_at;
	bool deleted_here; /* by the person, seen in this run; not on record */
};

#endif
