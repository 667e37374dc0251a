/*
 * maildir.h - an open Maildir, for the files of this folder.
 *
 * While a session is idle it holds one descriptor: the lock, or where there
 * is none (shared sessions, a disk that takes no files) the index.
 */
#ifndef SERVER_STORE_MAILDIR_MAILDIR_H
#define SERVER_STORE_MAILDIR_MAILDIR_H

#include <sys/types.h>

#include "server/ipc/index.h"
#include "server/store/kind.h"
#include "server/store/maildir/names.h"

enum { DOUBTS_MAX = 32 };

struct uidlfile;

struct maildir_block {
	uint64_t off;
	uint32_t first;
};

struct maildir {
	struct hold hold;
	const char *path;
	enum store_utf8 utf8; /* UTF8_PASS also for who has said UTF8 */
	int lock_fd;          /* -1: none */
	int index_fd;         /* -1: opened by name for each job */
	bool keeps_index;

	/* The view: which file, how much of it, and what its end says. */
	dev_t index_dev;
	ino_t index_ino;
	struct index_time index_time; /* when it was written last */
	uint64_t end;
	struct index_trailer trailer;

	struct maildir_block *blocks; /* of the view, once one is needed */
	/* Once a message was not under its name: what there is, and malote-uidl
	 * if it tells several files of one base name apart, else an empty one. */
	struct names *names;
	struct uidlfile *doubles;
	uint32_t *doubt; /* messages whose size is not sure, up to
	                      * DOUBTS_MAX */
	unsigned n_doubt;
	uint32_t left_out;  /* messages that could not be read */
	bool left_told;     /* the log has them */
	bool damaged;       /* the index is to be made anew */
	bool uidls_unsaved; /* malote-uidl could not be written */
	char tag[];
};

/* m->hold.kind is the caller's to set.  NULL: memory. */
struct maildir *maildir_new(const struct hold_open *o);

/* The rest as in kind.h. */
void maildir_doubt(struct hold *h, uint32_t msgno);
void maildir_close(struct hold *h);

#endif
