/*
 * The driver of http.h.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "server/metrics/http.h"

enum {
	CONNECTIONS_MAX = 16,
	IDLE_SECONDS = 10,
	REQUEST_MAX = 16 * 1024, /* octets of memory for each connection */
	ANSWER_MAX = 128 * 1024,
};

struct http {
	struct MHD_Daemon *daemon;
	int fd;
	http_tell *tell;
	void *arg;
};

static enum MHD_Result
answer(struct MHD_Connection *c, unsigned status, const char *type,
    const char *text, size_t n)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	    n, (void *)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result done;

	if (r == NULL)
		return MHD_NO;
	(void)!MHD_add_response_header(r, "Content-Type", type);
	done = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return done;
}

static enum MHD_Result
refuse(struct MHD_Connection *c, unsigned status, const char *words)
{
	return answer(
	    c, status, "text/plain; charset=utf-8", words, strlen(words));
}

static enum MHD_Result
tell(const struct http *h, struct MHD_Connection *c)
{
	const char *accept = MHD_lookup_connection_value(
		       c, MHD_HEADER_KIND, "Accept"),
		   *type;
	bool open = accept != NULL &&
		    strstr(accept, "application/openmetrics-text") != NULL;
	enum MHD_Result done = MHD_NO;
	struct buf out;

	buf_init(&out, ANSWER_MAX, false);
	if (h->tell(h->arg, open, &out, &type) == E_OK)
		done = answer(c, MHD_HTTP_OK, type, buf_data(&out), out.len);
	buf_free(&out);
	return done;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *upload, size_t *n,
    void **state)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(
		    c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (strcmp(url, "/metrics") != 0)
		return refuse(
		    c, MHD_HTTP_NOT_FOUND, "there is only /metrics\n");
	return tell(arg, c);
}

static struct http *
http_start(int fd, http_tell *tell_fn, void *arg)
{
	struct http *h = calloc(1, sizeof(*h));
	const union MHD_DaemonInfo *info;

	if (h == NULL)
		return NULL;
	h->tell = tell_fn;
	h->arg = arg;
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request,
	    h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)REQUEST_MAX, MHD_OPTION_END);
	if (h->daemon == NULL || (info = MHD_get_daemon_info(h->daemon,
				      MHD_DAEMON_INFO_EPOLL_FD)) == NULL) {
		free(h);
		return NULL;
	}
	h->fd = info->epoll_fd;
	return h;
}

static int
http_fd(const struct http *h)
{
	return h->fd;
}

static long
http_work(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	(void)!MHD_run(h->daemon);
	return MHD_get_timeout(h->daemon, &ms) == MHD_YES ? (long)ms : -1;
}

static unsigned
http_connections(const struct http *h)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info != NULL ? info->num_connections : 0;
}

const struct http_driver http_microhttpd = {
	.start = http_start,
	.fd = http_fd,
	.work = http_work,
	.connections = http_connections,
};
