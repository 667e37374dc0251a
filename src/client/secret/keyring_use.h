/*
 * keyring_use.h - what the module that is linked with libsecret does with
 * passwords.
 */
#ifndef CLIENT_SECRET_KEYRING_USE_H
#define CLIENT_SECRET_KEYRING_USE_H

#include <stddef.h>

#include "base/err.h"

enum keyring_task {
	KEYRING_LOOK_UP,
	KEYRING_STORE,
	KEYRING_CLEAR,
	KEYRING_REACH, /* is there one? */
};

struct keyring_question {
	enum keyring_task task;
	const char *host, *user;
	char *value;     /* KEYRING_LOOK_UP: room for so many octets */
	size_t n, max;   /* octets of it */
	void *cancel;    /* see begin() */
	char words[512]; /* set if it fails: for people, translated */
};

struct keyring_use {
	/* Something by which run() can be told to end; cancel() tells it.  keep()
	 * takes one more hold of it, end() gives up one. */
	void *(*begin)(void);
	void (*cancel)(void *cancel);
	void (*keep)(void *cancel);
	void (*end)(void *cancel);
	/* On a thread, as it may wait for the bus, and for a person who is to
	 * unlock the keyring.  E_DENIED: it has none; E_IO: it cannot be
	 * reached; E_NOMEM. */
	enum err (*run)(struct keyring_question *q);
};

extern const struct keyring_use keyring_libsecret;

#endif
