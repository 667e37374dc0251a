/*
 * source.h - what the sources of secrets share.
 */
#ifndef CLIENT_SECRET_SOURCE_H
#define CLIENT_SECRET_SOURCE_H

#include <stddef.h>

#include "client/secret/secret.h"

enum { SECRET_MAX = 64 * 1024 }; /* octets of one */

struct secret_source {
	/* Sets s->own. */
	enum err (*start)(struct secret *s, struct errbuf *eb);
	/* Releases s->own; also when start() failed. */
	void (*stop)(struct secret *s);
};

struct secret {
	struct ev_loop *loop;
	const struct account *account;
	enum secret_kind kind;
	double timeout;
	const char *state_dir;
	bool anew;
	const struct secret_source *source;
	void *own;   /* the source's */
	char *value; /* room for SECRET_MAX + 1, never swapped or dumped */
	size_t n;    /* octets of it */
	secret_done *done;
	void *arg;
};

extern const struct secret_source secret_command, secret_keyring,
    secret_terminal, secret_token;

/* Memory of the size of `value`; NULL. */
char *secret_memory_new(void);
void secret_memory_free(char *p); /* wipes it */

/* Stops the source, wipes the value and frees s. */
void secret_release(struct secret *s);
/* These call `done` and release s.  The first is for failures. */
void secret_fail(struct secret *s, enum err e, const char *fmt, ...)
    PRINTF(3, 4);
/* No password is configured, and there is no terminal. */
void secret_fail_nowhere(struct secret *s);
/* Takes the first line of s->value; `from` is who gave it, for the words if it
 * is no secret. */
void secret_end(struct secret *s, const char *from);

#endif
