/*
 * made.h - messages that the store makes: they are in no file as they are sent.
 *
 * Such a message lies in sealed memory, whose descriptor is handed over like a
 * file's: nobody can change it any more.  What lies so for all sessions of
 * this process is limited (MADE_MAX).  It is counted from made_put() until
 * made_return(), which is due when whoever got the descriptor has closed it.
 */
#ifndef SERVER_STORE_MADE_H
#define SERVER_STORE_MADE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "pop3/wire.h"

#define MADE_MAX (UINT64_C(512) << 20)

struct made {
	int fd;          /* -1: none */
	uint64_t octets; /* that lie in it */
	struct pop3_wire wire;
	struct buf small; /* pieces that are written together */
};

enum err made_begin(struct made *m, struct errbuf *eb) NODISCARD;
/* The next octets; arg is a struct made.  E_NOMEM: the limit, or memory. */
enum err made_put(
    void *arg, const void *p, size_t n, struct errbuf *eb) NODISCARD;
/* Seals it: m->fd is the caller's now, and m->octets are to be returned. */
enum err made_end(struct made *m, struct errbuf *eb) NODISCARD;
/* Instead of made_end(), or after its failure: it is gone. */
void made_drop(struct made *m);

/* So many octets of messages are no longer there.  From any thread. */
void made_return(uint64_t octets);

#endif
