/*
 * transfer.h - one request and its answer: for a thread that may wait for it,
 * as fetch.h has one.
 */
#ifndef CLIENT_WEB_TRANSFER_H
#define CLIENT_WEB_TRANSFER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/web/fetch.h"
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

/* The question's loop, done and arg are nothing here.  E_CONFIG, E_NOMEM. */
enum err transfer_new(struct transfer **t_r, const struct fetch_question *q,
    struct errbuf *eb) NODISCARD;
/* Waits; sets `e` and, with it, body and status, or words. */
void transfer_run(struct transfer *t);
/* Borrowed from t. */
void transfer_answer(struct transfer *t, struct fetch_answer *a);
void transfer_free(struct transfer *t); /* NULL is a no-op; wipes it */

/* Of the module that is linked with libcurl. */
struct transfer_use {
	void (*run)(struct transfer *t); /* see transfer_run() */
};

extern const struct transfer_use transfer_curl;

#endif
