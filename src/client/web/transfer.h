/*
 * transfer.h - one request and its answer: for a thread that may wait for it,
 * as fetch.h has one.
 */
#ifndef CLIENT_WEB_TRANSFER_H
#define CLIENT_WEB_TRANSFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/web/fetch.h"
#include "net/host.h"
#include "net/socks.h"

/* A connection that several requests use, one after the other. */
struct transfer_line {
	void *handle; /* of the module; NULL: there is none yet */
};

/* What a request needs beyond the question.  The timeout is one of silence then,
 * and no redirection is followed. */
struct transfer_more {
	const char *authorization; /* the value of that header; or NULL */
	/* What is sent, instead of `post`: so many octets, which are handed over
	 * once only (nothing is sent twice by itself).  SIZE_MAX: it cannot be
	 * read, and the request is broken off. */
	size_t (*read)(void *arg, char *to, size_t n);
	void *arg;
	uint64_t octets;
	/* Once it is set, what goes on has some seconds left; or NULL. */
	const atomic_bool *stopping;
	struct transfer_line *line; /* or NULL */
};

struct transfer {
	char *url, *post, *post_type,
	    *ca_file;        /* as in fetch.h; post is wiped */
	char host[HOST_MAX]; /* of the URL, for words */
	struct socks_proxy proxy;
	bool has_proxy;
	bool plain;
	double timeout;
	/* Borrowed while it runs; set by whom it concerns.  NULL: nothing. */
	const struct transfer_more *more;
	uint64_t stopped_at;
	atomic_bool left; /* nobody waits for it any more */

	struct buf body; /* its bound is that of the question */
	unsigned status;
	bool timed_out;
	char *location;       /* where the server sends us, absolute; or NULL */
	unsigned retry_after; /* seconds, if the server has said so; else 0 */
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
void transfer_line_close(struct transfer_line *l);

/* Of the module that is linked with libcurl. */
struct transfer_use {
	void (*run)(struct transfer *t); /* see transfer_run() */
	void (*close)(struct transfer_line *l);
};

extern const struct transfer_use transfer_curl;

#endif
