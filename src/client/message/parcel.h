/*
 * parcel.h - a message between the server and its place here.
 */
#ifndef CLIENT_MESSAGE_PARCEL_H
#define CLIENT_MESSAGE_PARCEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/message/identity.h"

struct parcel {
	/* Set by the session. */
	size_t item; /* of its listing */
	bool has_uid;
	struct digest uid; /* of the unique-id */
	uint64_t size;     /* as the server listed it */
	/* Octets, with the ends of lines that it came with; 0: it is of our making. */
	uint64_t came;
	struct identity identity;
	bool to_delete; /* DELE follows once it is stored */
	/* Not 0: it is the stub of the message of this number (stub.h), whose
	 * unique-id has this digest. */
	uint32_t number;
	struct digest key;
	const char *folder; /* of the Maildir; NULL: itself.  Borrowed */

	/* Set by the delivery. */
	int fd;     /* while it is written, else -1 */
	char *tmp;  /* its file's name in tmp/ or in the spool */
	char *file; /* MAILDIR: its name in new/; JMAP: see deliver/remote.h */
	uint64_t octets; /* of the file */
	uint64_t wire;   /* of it, if each line ended with CRLF */
	/* MBOX: where it begins, and how much it is there.  Elsewhere: see
	 * deliver/remote.h. */
	uint64_t offset;
	uint64_t length;
	struct digest content; /* of these octets */
	uint32_t epoch;        /* see deliver/remote.h */
	enum err result;       /* of publishing: E_OK; E_AGAIN: another run may
	                        * do better; E_CLOSED: it was not tried; else
	                        * this message is refused */
	bool in_doubt;         /* nobody knows whether it is there: the intent
	                        * stays, and the file */
	char why[200];         /* for people, unless E_OK */

	/* Set by the state. */
	int64_t intent;  /* its row */
	int64_t message; /* its row once it is stored */
};

#endif
