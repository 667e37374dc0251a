#include "net/dial.h"

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/str.h"
#include "net/addr.h"
#include "net/host.h"
#include "net/race.h"
#include "net/resolve.h"
#include "net/socks.h"

enum { SHOWN = 80 }; /* room for a host in words */

struct dialer {
	struct ev_loop *loop;
	const char *servers;
};

struct dial {
	struct dialer *dialer;
	dial_done *done;
	void *arg;
	double timeout;
	void (*found)(
	    void *found_arg, const struct sockaddr_storage *v, size_t n);
	void *found_arg;
	char host[HOST_MAX];
	uint16_t port;
	bool proxied;
	struct socks_proxy proxy;
	ev_timer begin, deadline;
	struct resolve *resolve;
	struct race race;
	ev_io io; /* talks to the proxy; its fd is -1 before */
	struct socks socks;
	char peer[ADDR_TEXT];
};

enum err
dialer_new(struct dialer **d_r, struct ev_loop *loop, struct errbuf *eb)
{
	struct dialer *d = calloc(1, sizeof(*d));

	*d_r = d;
	if (d == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	d->loop = loop;
	return E_OK;
}

void
dialer_free(struct dialer *d)
{
	free(d);
}

void
dialer_set_servers(struct dialer *d, const char *servers)
{
	d->servers = servers;
}

enum err
dial_check_proxy(const char *proxy, struct errbuf *eb)
{
	struct socks_proxy p;
	enum err e = socks_proxy_parse(&p, proxy, eb);

	explicit_bzero(&p, sizeof(p));
	return e;
}

/* ---- the end ---- */

void
dial_cancel(struct dial *d)
{
	if (d == NULL)
		return;
	race_clear(&d->race);
	if (d->io.fd >= 0) {
		ev_io_stop(d->dialer->loop, &d->io);
		close(d->io.fd);
	}
	ev_timer_stop(d->dialer->loop, &d->begin);
	ev_timer_stop(d->dialer->loop, &d->deadline);
	resolve_free(d->resolve);
	explicit_bzero(d, sizeof(*d));
	free(d);
}

static void
finish(struct dial *d, enum err e, int fd, const char *words)
{
	dial_done *done = d->done;
	void *arg = d->arg;

	dial_cancel(d);
	done(arg, e, fd, words);
}

/* "HOST port 995: why", with the proxy's host and port if it is the proxy that
 * could not be reached. */
static void
fail(struct dial *d, enum err e, bool to_proxy, const char *why)
{
	const char *host = to_proxy ? d->proxy.host : d->host;
	unsigned port = to_proxy ? d->proxy.port : d->port;
	char shown[SHOWN];
	struct errbuf eb;

	str_quote(shown, sizeof(shown), host, strlen(host));
	err_set(&eb, e,
	    to_proxy ? _("proxy %s port %u: %s") : _("%s port %u: %s"), shown,
	    port, why);
	finish(d, e, -1, eb.text);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct dial *d = w->data;
	bool with_proxy = d->io.fd >= 0;
	struct errbuf why;

	if (d->resolve != NULL)
		err_set(&why, E_AGAIN,
		    _("its address was not found within %g s"), d->timeout);
	else if (with_proxy)
		err_set(&why, E_AGAIN,
		    _("the proxy did not connect within %g s"), d->timeout);
	else
		err_set(&why, E_AGAIN, _("no answer within %g s"), d->timeout);
	fail(d, E_AGAIN, d->proxied && !with_proxy, why.text);
}

/* ---- the proxy ---- */

static enum err
proxy_send(struct dial *d)
{
	struct socks *s = &d->socks;
	ssize_t r = send(d->io.fd, s->out, s->out_n, MSG_NOSIGNAL);

	if (r < 0)
		return errno == EAGAIN || errno == EINTR ? E_AGAIN : E_CLOSED;
	s->out_n -= (size_t)r;
	memmove(s->out, s->out + r, s->out_n);
	return E_AGAIN;
}

static enum err
proxy_read(struct dial *d, struct errbuf *eb)
{
	char in[260];
	ssize_t r = recv(d->io.fd, in, socks_wants(&d->socks), 0);

	if (r > 0)
		return socks_take(&d->socks, in, (size_t)r, eb);
	return r < 0 && (errno == EAGAIN || errno == EINTR) ? E_AGAIN
							    : E_CLOSED;
}

static void
on_proxy(struct ev_loop *loop, ev_io *w, int revents)
{
	struct dial *d = w->data;
	struct errbuf why;
	char peer[ADDR_TEXT];
	enum err e;
	int fd = w->fd;

	e = d->socks.out_n != 0 ? proxy_send(d) : proxy_read(d, &why);
	ev_io_stop(loop, w);
	if (e == E_AGAIN) {
		ev_io_set(w, fd, d->socks.out_n != 0 ? EV_WRITE : EV_READ);
		ev_io_start(loop, w);
	} else if (e == E_OK) {
		ev_io_set(w, -1, 0);
		memcpy(peer, d->peer, sizeof(peer));
		finish(d, E_OK, fd, peer);
	} else if (e == E_CLOSED) {
		fail(d, E_IO, false, _("the proxy closed the connection"));
	} else {
		fail(d, e, false, why.text);
	}
}

/* ---- the connection ---- */

static void
not_connected(struct dial *d, int error, const char *peer)
{
	struct errbuf why;
	enum err e;

	if (error == ECONNREFUSED)
		e = err_set(
		    &why, E_CLOSED, _("the connection was refused (%s)"), peer);
	else if (error == ETIMEDOUT)
		e = err_set(&why, E_AGAIN, _("no answer (%s)"), peer);
	else
		e = err_set(&why, E_IO, _("it cannot be reached (%s): %s"),
		    peer, strerror(error));
	fail(d, e, d->proxied, why.text);
}

static void
on_raced(void *arg, int fd, int error, const struct sockaddr_storage *a)
{
	char peer[ADDR_TEXT];
	struct dial *d = arg;

	addr_text(peer, a);
	if (fd < 0) {
		not_connected(d, error, peer);
	} else if (!d->proxied) {
		finish(d, E_OK, fd, peer);
	} else {
		memcpy(d->peer, peer, sizeof(peer));
		socks_start(&d->socks, &d->proxy, d->host, d->port);
		ev_io_set(&d->io, fd, EV_WRITE);
		ev_io_start(d->dialer->loop, &d->io);
	}
}

/* ---- the beginning ---- */

static void
try_addresses(struct dial *d, const struct sockaddr_storage *v, size_t n)
{
	if (d->found != NULL)
		d->found(d->found_arg, v, n);
	race_start(&d->race, v, n);
}

static void
on_resolved(void *arg, enum err e, const struct sockaddr_storage *v, size_t n,
    const char *why)
{
	struct dial *d = arg;

	resolve_free(d->resolve);
	d->resolve = NULL;
	if (e != E_OK) {
		fail(d, e, d->proxied, why);
		return;
	}
	try_addresses(d, v, n);
}

static void
on_begin(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct dial *d = w->data;
	const char *host = d->proxied ? d->proxy.host : d->host;
	uint16_t port = d->proxied ? d->proxy.port : d->port;
	struct sockaddr_storage a;
	struct errbuf eb;

	if (host_address(&a, host)) {
		/* The port is at the same place in both families. */
		((struct sockaddr_in *)&a)->sin_port = htons(port);
		try_addresses(d, &a, 1);
	} else if (resolve_start(&d->resolve, loop, d->dialer->servers, host,
		       port, on_resolved, d, &eb) != E_OK) {
		fail(d, E_IO, d->proxied, eb.text);
	}
}

static void
init_watchers(struct dial *d)
{
	race_init(&d->race, d->dialer->loop, on_raced, d);
	ev_io_init(&d->io, on_proxy, -1, 0);
	ev_timer_init(&d->begin, on_begin, 0., 0.);
	ev_timer_init(&d->deadline, on_deadline, d->timeout, 0.);
	d->io.data = d->begin.data = d->deadline.data = d;
}

enum err
dial_start(struct dial **dial_r, struct dialer *dialer,
    const struct dial_conf *conf, dial_done *done, void *arg, struct errbuf *eb)
{
	struct dial *d = calloc(1, sizeof(*d));
	enum err e;

	*dial_r = NULL;
	if (d == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	d->dialer = dialer;
	d->done = done;
	d->arg = arg;
	d->port = conf->port;
	d->timeout = conf->timeout;
	d->found = conf->found;
	d->found_arg = conf->found_arg;
	d->proxied = conf->proxy != NULL;
	init_watchers(d);
	if ((e = host_ascii(d->host, conf->host, eb)) != E_OK ||
	    (d->proxied &&
		(e = socks_proxy_parse(&d->proxy, conf->proxy, eb)) != E_OK)) {
		dial_cancel(d);
		return e;
	}
	/* The loop's time may be old: a password command blocks for long. */
	ev_now_update(dialer->loop);
	ev_timer_start(dialer->loop, &d->begin);
	ev_timer_start(dialer->loop, &d->deadline);
	*dial_r = d;
	return E_OK;
}
