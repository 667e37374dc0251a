/*
 * maildrop.h - the maildrops that sessions have or want.
 */
#ifndef SERVER_STORE_MAILDROP_H
#define SERVER_STORE_MAILDROP_H

#include "server/store/job.h"
#include "server/store/kinds.h"
#include "server/store/store_process.h"

struct claim;

struct maildrop {
	LIST_ENTRY(maildrop) by_path;
	/* First the one that has it (or several, if shared), then those that
	 * wait for it. */
	TAILQ_HEAD(, claim) sessions;
	struct job_line line;
	unsigned n_sessions;
	unsigned waiting; /* of the sessions */
	unsigned
	    readers; /* read-only ones: beside all others, and in no list */
	uint32_t file_system; /* mounts_number() */
	const struct store_kind *kind;
	char path[];
};

/* NULL: no session has it or wants it, and none is about to have let go of it. */
struct maildrop *maildrop_find(
    const struct store *st, const struct location *where);

/* The same, but makes it then.  NULL: memory. */
struct maildrop *maildrop_get(struct store *st, const struct location *where);

/* Frees it if no session has it or wants it, and no job is left. */
void maildrop_put(struct maildrop *md);

#endif
