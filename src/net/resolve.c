#include "net/resolve.h"

#include <ares.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"

struct resolve {
	struct ev_loop *loop;
	resolve_done *done;
	void *arg;
	uint16_t port;
	ares_channel channel;
	ev_io io[ARES_GETSOCK_MAXNUM];
	ev_timer timer;
	bool over;
	int status;
	struct ares_addrinfo *found;
};

/* ---- what was found ---- */

static enum err
status_err(int status, const char **why_r)
{
	switch (status) {
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		*why_r = _("there is no computer of that name");
		return E_NOENT;
	case ARES_ENODATA:
		*why_r = _("that name has no address");
		return E_NOENT;
	case ARES_ETIMEOUT: *why_r = _("no name server answers"); return E_IO;
	case ARES_ECONNREFUSED:
		*why_r = _("no name server can be reached");
		return E_IO;
	case ARES_ENOMEM: *why_r = _("out of memory"); return E_NOMEM;
	default:
		*why_r = _("the name server could not find out its address");
		return E_IO;
	}
}

/* The next address from *at on that is (or is not) of `family`. */
static const struct ares_addrinfo_node *
take_family(const struct ares_addrinfo_node **at, int family, bool same)
{
	const struct ares_addrinfo_node *n = *at;

	while (n != NULL && (n->ai_family == family) != same)
		n = n->ai_next;
	*at = n != NULL ? n->ai_next : NULL;
	return n;
}

static bool
copy_address(struct sockaddr_storage *a, const struct ares_addrinfo_node *n,
    uint16_t port)
{
	struct sockaddr_in *in4 = (void *)a;
	struct sockaddr_in6 *in6 = (void *)a;

	if (n->ai_family != AF_INET && n->ai_family != AF_INET6)
		return false;
	memset(a, 0, sizeof(*a));
	memcpy(a, n->ai_addr, n->ai_addrlen);
	if (n->ai_family == AF_INET)
		in4->sin_port = htons(port);
	else
		in6->sin6_port = htons(port);
	return true;
}

/* c-ares has sorted them (RFC 6724); here the families take turns. */
static size_t
interleave(struct sockaddr_storage *v, const struct ares_addrinfo *found,
    uint16_t port)
{
	const struct ares_addrinfo_node *same = found->nodes;
	const struct ares_addrinfo_node *other = same, *n;
	int family = same != NULL ? same->ai_family : 0;
	size_t count = 0;

	while ((same != NULL || other != NULL) && count < RESOLVE_MAX) {
		n = take_family(&same, family, true);
		if (n != NULL && copy_address(&v[count], n, port))
			count++;
		n = take_family(&other, family, false);
		if (n != NULL && count < RESOLVE_MAX &&
		    copy_address(&v[count], n, port))
			count++;
	}
	return count;
}

static void
report(struct resolve *r)
{
	struct sockaddr_storage v[RESOLVE_MAX];
	const char *why = NULL;
	enum err e = E_OK;
	size_t n = 0;

	if (r->status == ARES_SUCCESS)
		n = interleave(v, r->found, r->port);
	if (n == 0)
		e = status_err(
		    r->status == ARES_SUCCESS ? ARES_ENODATA : r->status, &why);
	r->done(r->arg, e, v, n, why);
}

/* ---- c-ares in the loop ---- */

static void
on_ares(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct resolve *r = arg;

	r->over = true;
	r->status = status;
	r->found = found;
}

static void
disarm(struct resolve *r)
{
	for (size_t i = 0; i < ARES_GETSOCK_MAXNUM; i++)
		ev_io_stop(r->loop, &r->io[i]);
	ev_timer_stop(r->loop, &r->timer);
}

/* Watches what c-ares waits for now. */
static void
arm(struct resolve *r)
{
	ares_socket_t socks[ARES_GETSOCK_MAXNUM];
	unsigned mask =
	    (unsigned)ares_getsock(r->channel, socks, ARES_GETSOCK_MAXNUM);
	struct timeval tv, *wait;
	double after = 1;

	disarm(r);
	for (size_t i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		unsigned wants = mask >> i;
		int events = (wants & 1 ? EV_READ : 0) |
			     (wants >> ARES_GETSOCK_MAXNUM & 1 ? EV_WRITE : 0);

		if (events == 0)
			continue;
		ev_io_set(&r->io[i], socks[i], events);
		ev_io_start(r->loop, &r->io[i]);
	}
	if (r->over)
		after = 0;
	else if ((wait = ares_timeout(r->channel, NULL, &tv)) != NULL)
		after = (double)wait->tv_sec + (double)wait->tv_usec / 1e6;
	ev_timer_set(&r->timer, after, 0.);
	ev_timer_start(r->loop, &r->timer);
}

static void
go_on(struct resolve *r, ares_socket_t readable, ares_socket_t writable)
{
	if (!r->over)
		ares_process_fd(r->channel, readable, writable);
	if (!r->over) {
		arm(r);
		return;
	}
	disarm(r);
	report(r); /* r may be gone now */
}

static void
on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	go_on(w->data, revents & EV_READ ? w->fd : ARES_SOCKET_BAD,
	    revents & EV_WRITE ? w->fd : ARES_SOCKET_BAD);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	go_on(w->data, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

enum err
resolve_start(struct resolve **r_r, struct ev_loop *loop, const char *servers,
    const char *name, uint16_t port, resolve_done *done, void *arg,
    struct errbuf *eb)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	struct resolve *r = calloc(1, sizeof(*r));
	int status = ARES_ENOMEM;

	*r_r = NULL;
	if (r == NULL || (status = ares_init(&r->channel)) != ARES_SUCCESS)
		goto fail;
	if (servers != NULL && (status = ares_set_servers_ports_csv(
				    r->channel, servers)) != ARES_SUCCESS) {
		ares_destroy(r->channel);
		goto fail;
	}
	r->loop = loop;
	r->port = port;
	r->done = done;
	r->arg = arg;
	for (size_t i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		ev_init(&r->io[i], on_io);
		r->io[i].data = r;
	}
	ev_init(&r->timer, on_timer);
	r->timer.data = r;
	ares_getaddrinfo(r->channel, name, NULL, &hints, on_ares, r);
	arm(r);
	*r_r = r;
	return E_OK;
fail:
	free(r);
	return err_set(eb, status == ARES_ENOMEM ? E_NOMEM : E_IO,
	    _("names cannot be looked up: %s"), ares_strerror(status));
}

void
resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	disarm(r);
	ares_destroy(r->channel); /* calls on_ares if it is not over */
	if (r->found != NULL)
		ares_freeaddrinfo(r->found);
	free(r);
}
