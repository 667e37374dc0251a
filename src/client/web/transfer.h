/*
 * transfer.h - one request and its answer, on a thread that may wait for it.
 */
#ifndef CLIENT_WEB_TRANSFER_H
#define CLIENT_WEB_TRANSFER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/host.h"
#include "net/socks.h"

struct transfer {
	char *url, *post, *post_type,
	    *ca_file;        /* as in fetch.h; post is wiped */
	char host[HOST_MAX]; /* of the URL, for words */
	struct socks_proxy proxy;
	bool has_proxy;
	bool plain;
	double timeout;
	atomic_bool left; /* nobody waits for it any more */

	struct buf body; /* its bound is that of the question */
	unsigned status;
	enum err e;
	char words[512]; /* if it is not E_OK */
};

/* Sets `e` and, with it, body and status, or words. */
void transfer_run(struct transfer *t);

#endif
