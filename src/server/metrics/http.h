/*
 * http.h - the little of HTTP that monitors need, by libmicrohttpd: GET /metrics.
 *
 * It is a module (base/module.h): the library brings others with it, for which each
 * start of another process would wait.
 */
#ifndef SERVER_METRICS_HTTP_H
#define SERVER_METRICS_HTTP_H

#include <stdbool.h>

#include "base/buf.h"

struct http;

/* What is told, and what Content-Type says of it; open: the monitor can read
 * OpenMetrics. */
typedef enum err http_tell(
    void *arg, bool open, struct buf *out, const char **type_r);

struct http_driver {
	/* Takes fd, which listens.  NULL: it cannot. */
	struct http *(*start)(int fd, http_tell *tell, void *arg);
	/* Becomes readable when there is something to do. */
	int (*fd)(const struct http *h);
	/* Does it.  Milliseconds until the next call, at the latest; -1: any. */
	long (*work)(struct http *h);
	unsigned (*connections)(const struct http *h);
};

#define HTTP_MODULE "metrics"
#define HTTP_SYMBOL "http_microhttpd"
extern const struct http_driver http_microhttpd;

#endif
