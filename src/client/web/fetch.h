/*
 * fetch.h - a resource of the web, by GET or POST, without the loop waiting.
 *
 * Knows https, and http for those who want it; the system's certificates or
 * given ones; proxies.  Does not know what is in an answer, and keeps no
 * cookies.  By libcurl, which is loaded when the first resource is fetched, so
 * that a run that needs none does not pay for it.
 */
#ifndef CLIENT_WEB_FETCH_H
#define CLIENT_WEB_FETCH_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct ev_loop;
struct fetch;

/* E_OK: the server has answered with `status`, whatever it is.  Else `words` say
 * why not, for people, translated: E_IO: it may work another time; E_DENIED:
 * the server's certificate cannot be verified; E_FULL: it sent more than
 * `max`; E_FORMAT: it does not speak HTTP, or sends us elsewhere in a way that
 * is not followed; E_CONFIG: there is no libcurl; E_NOMEM. */
struct fetch_answer {
	enum err e;
	unsigned status;   /* of HTTP: 200 */
	struct slice body; /* NUL behind it; wiped after the call */
	const char *words; /* "" if E_OK */
};

/* Called once, from the loop, and not at all after fetch_cancel().  The answer
 * is borrowed for the call. */
typedef void fetch_done(void *arg, const struct fetch_answer *answer);

/* Texts are borrowed for the call only. */
struct fetch_question {
	struct ev_loop *loop;
	const char *url;       /* https://... */
	const char *post;      /* what is sent; NULL: GET */
	const char *post_type; /* its media type; NULL: that of a form */
	const char *ca_file;   /* PEM, instead of the system's; or NULL */
	const char *proxy;     /* an account's (see socks.h); NULL: that of the
	                        * environment, as curl(1) takes it */
	bool plain;            /* http:// will do, too */
	double timeout;        /* seconds, for all of it */
	size_t max;            /* octets of an answer */
	fetch_done *done;
	void *arg;
};

/* Redirections are followed for GET only, a few of them, and never from https
 * to http.  E_CONFIG: the URL or the proxy makes no sense, E_IO: there is no
 * thread, E_NOMEM; with words, and `done` is not called. */
enum err fetch_start(struct fetch **f_r, const struct fetch_question *q,
    struct errbuf *eb) NODISCARD;

/* It ends by itself soon, and nobody is told.  NULL is a no-op. */
void fetch_cancel(struct fetch *f);

#endif
