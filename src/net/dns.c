#include "net/dns.h"

#include <string.h>

#include "base/i18n.h"

static void
disarm(struct dns *d)
{
	for (size_t i = 0; i < ARES_GETSOCK_MAXNUM; i++)
		ev_io_stop(d->loop, &d->io[i]);
	ev_timer_stop(d->loop, &d->timer);
}

/* Watches what c-ares waits for now. */
void
dns_wait(struct dns *d)
{
	ares_socket_t socks[ARES_GETSOCK_MAXNUM];
	unsigned mask =
	    (unsigned)ares_getsock(d->channel, socks, ARES_GETSOCK_MAXNUM);
	struct timeval tv, *wait;
	double after = 1;

	disarm(d);
	for (size_t i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		unsigned wants = mask >> i;
		int events = (wants & 1 ? EV_READ : 0) |
			     (wants >> ARES_GETSOCK_MAXNUM & 1 ? EV_WRITE : 0);

		if (events == 0)
			continue;
		ev_io_set(&d->io[i], socks[i], events);
		ev_io_start(d->loop, &d->io[i]);
	}
	if (d->over)
		after = 0;
	else if ((wait = ares_timeout(d->channel, NULL, &tv)) != NULL)
		after = (double)wait->tv_sec + (double)wait->tv_usec / 1e6;
	ev_timer_set(&d->timer, after, 0.);
	ev_timer_start(d->loop, &d->timer);
}

static void
go_on(struct dns *d, ares_socket_t readable, ares_socket_t writable)
{
	if (!d->over)
		ares_process_fd(d->channel, readable, writable);
	if (!d->over) {
		dns_wait(d);
		return;
	}
	disarm(d);
	d->answered(d->arg); /* d may be gone now */
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
dns_init(struct dns *d, struct ev_loop *loop, const char *servers,
    void (*answered)(void *arg), void *arg, struct errbuf *eb)
{
	int status;

	*d = (struct dns){ .loop = loop, .answered = answered, .arg = arg };
	if ((status = ares_init(&d->channel)) != ARES_SUCCESS)
		goto fail;
	if (servers != NULL && (status = ares_set_servers_ports_csv(
				    d->channel, servers)) != ARES_SUCCESS) {
		ares_destroy(d->channel);
		goto fail;
	}
	for (size_t i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		ev_init(&d->io[i], on_io);
		d->io[i].data = d;
	}
	ev_init(&d->timer, on_timer);
	d->timer.data = d;
	return E_OK;
fail:
	return err_set(eb, status == ARES_ENOMEM ? E_NOMEM : E_IO,
	    _("names cannot be looked up: %s"), ares_strerror(status));
}

void
dns_clear(struct dns *d)
{
	disarm(d);
	ares_destroy(d->channel);
}
