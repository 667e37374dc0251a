/*
 * api_conn.h - a mailbox behind an API of the web: requests by HTTPS, with a token or
 * a password, by a thread that may wait.
 *
 *	api_conn.c      a request and its answer; tokens
 *	api_upload.c    the octets of a message, as a request carries them
 *	gmail_answer.c  what Gmail's API answers
 *	gmail_ask.c     questions to it
 *	gmail_find.c    whether a message is there
 *	gmail.c         the kind of delivery
 *	jmap_answer.c   the same of JMAP
 *	jmap_ask.c
 *	jmap_find.c
 *	jmap.c
 */
#ifndef CLIENT_DELIVER_API_CONN_H
#define CLIENT_DELIVER_API_CONN_H

#include <stdatomic.h>

#include "base/buf.h"
#include "client/conf/dest_login.h"
#include "client/deliver/remote.h"
#include "client/web/transfer.h"

struct api_conn_conf {
	double timeout; /* seconds of silence */
	/* See struct delivery_env. */
	enum err (*ask)(void *arg, const struct account *login, bool anew,
	    char *secret, size_t size, struct errbuf *eb);
	void (*judged)(
	    void *arg, const struct account *login, const char *refused);
	void *ask_arg;
	const atomic_bool *stopping;
};

/* How long to wait for a server that finds us too fast. */
struct api_patience {
	uint64_t pause, left; /* milliseconds: the next one, and of all */
};

struct api_conn {
	const struct destination *at;
	struct api_conn_conf conf;
	struct transfer_line line;
	char *
	    secret; /* "Bearer TOKEN" or "Basic ..."; NULL: not asked for yet */
	bool judged; /* it has been let in */
};

enum { API_ANSWER_MAX = 4 << 20, API_SECRET = 64 * 1024 };

void api_conn_init(struct api_conn *c, const struct destination *at,
    const struct api_conn_conf *conf);
void api_conn_free(struct api_conn *c);

struct api_patience api_patience(const struct api_conn *c);
/* retry_after: as the server has said.  False: that would be too long, or we are to
 * stop. */
bool api_wait(
    const struct api_conn *c, struct api_patience *p, unsigned retry_after);

/* ---- api_upload.c ---- */

/* A message between two texts of ours, with CRLF; or, with an fd of -1 and no length,
 * only these. */
struct api_upload {
	struct slice head, tail;
	uint64_t length; /* of the message, as it was measured */
	int fd;

	/* The rest is for api_upload.c. */
	unsigned part;
	uint64_t left, given;
	char out[32 * 1024];
	size_t at, n;
};

uint64_t api_upload_octets(const struct api_upload *u);
void api_upload_rewind(struct api_upload *u);
/* See transfer_more; arg is the upload. */
size_t api_upload_read(void *arg, char *to, size_t n);
/* Has all of it been handed over?  Else the server cannot have it. */
bool api_upload_is_out(const struct api_upload *u);

/* ---- api_conn.c ---- */

struct api_request {
	const char *url;
	const char *type; /* the media type of what is sent; NULL: GET */
	const char *text; /* what is sent, */
	struct api_upload *upload; /* or this, which is sent once only */
	size_t max;                /* octets of the answer */
};

struct api_answer {
	unsigned status;
	unsigned retry_after; /* seconds; 0: nothing was said */
	const char *location; /* where it sends us; or NULL */
	struct slice body;    /* with a NUL behind it */
	bool gave_up; /* we did not wait any longer: it may still be at it */

	struct transfer *transfer; /* for api_answer_free() */
};

/* E_OK: there is an answer, of whatever status; a token that was refused was
 * asked for anew, once.  E_AGAIN: it may work another time; E_FULL: the answer is
 * longer than `max`; E_CONFIG: a person should look at it; E_NOMEM; with words
 * that say which server.  Always api_answer_free(). */
enum err api_ask(struct api_conn *c, const struct api_request *q,
    struct api_answer *a, struct errbuf *eb) NODISCARD;
void api_answer_free(struct api_answer *a);

#endif
