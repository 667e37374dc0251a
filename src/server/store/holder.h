/*
 * holder.h - who has a maildrop, for those who cannot have it now.
 */
#ifndef SERVER_STORE_HOLDER_H
#define SERVER_STORE_HOLDER_H

#include <stdint.h>

#include "server/ipc/proto.h"

enum { HOLDER_TEXT_MAX = 160 };

struct holder {
	uint64_t since;      /* seconds since 1970 */
	char peer[PEER_MAX]; /* escaped */
};

/* peer: as it was given to open(), or whatever somebody wrote into a file. */
void holder_set(struct holder *h, uint64_t since, const char *peer);

/* "open since 12:03 from 203.0.113.7": for the log.  Returns out. */
char *holder_text(const struct holder *h, char out[HOLDER_TEXT_MAX]);

#endif
