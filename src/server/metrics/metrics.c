#include "server/metrics/metrics.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/module.h"
#include "server/conf/metrics_conf.h"
#include "server/metrics/exposition.h"
#include "server/metrics/http.h"

struct metrics {
	struct role role; /* first: see role.h */
	struct metrics_conf conf;
	struct ev_loop *loop;
	const void *all; /* tally.h */
	const struct http_driver *driver;
	struct http *http;
	ev_io io;
	ev_timer timer;
};

static enum err
tell(void *arg, bool open, struct buf *out, const char **type_r)
{
	static struct tally_page sum;
	const struct metrics *m = arg;
	struct exposition x = { .sum = &sum,
		.version = m->conf.version,
		.since = m->conf.since,
		.open = open };

	tally_read(&sum, m->all, m->conf.pages);
	*type_r = exposition_type(open);
	return exposition_write(out, &x);
}

/* ---- the loop ---- */

static void
work(struct metrics *m)
{
	long ms = m->driver->work(m->http);

	ev_timer_stop(m->loop, &m->timer);
	if (ms < 0)
		return;
	ev_timer_set(&m->timer, (double)ms / 1000, 0.);
	ev_timer_start(m->loop, &m->timer);
}

static void
on_socket(struct ev_loop *loop, ev_io *w, int revents)
{
	work(w->data);
}

static void
on_time(struct ev_loop *loop, ev_timer *w, int revents)
{
	work(w->data);
}

/* ---- the process ---- */

static enum err
attach(void *arg, const struct role_peer *peer, int fd)
{
	close(fd);
	return E_FORMAT; /* it talks to nobody */
}

static uint32_t
connections(const void *arg)
{
	const struct metrics *m = arg;

	return m->driver->connections(m->http);
}

static const struct role_hooks hooks = {
	.attach = attach,
	.sessions = connections,
};

static void
start(struct metrics *m)
{
	m->driver = module_find(HTTP_MODULE, HTTP_SYMBOL);
	if (m->driver == NULL)
		fatal("ev=start error=\"the module malote-" HTTP_MODULE
		      " or libmicrohttpd is not installed\"");
	m->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	m->all = tally_map(m->conf.tally_fd, m->conf.pages);
	close(m->conf.tally_fd);
	m->http = m->driver->start(m->conf.fd, tell, m);
	if (m->loop == NULL || m->all == NULL || m->http == NULL)
		fatal("ev=start error=\"no HTTP\"");
	ev_io_init(&m->io, on_socket, m->driver->fd(m->http), EV_READ);
	ev_init(&m->timer, on_time);
	m->io.data = m->timer.data = m;
	ev_io_start(m->loop, &m->io);
}

int
metrics_main(int ctl)
{
	static const char *const calls[] = { "accept4", "recvfrom", "sendmsg",
		"sendto", "setsockopt", "shutdown" };
	static struct metrics m;

	role_begin("metrics", ctl, &metrics_conf_fields, &m.conf);
	tzset(); /* for Date, while there is a file to read it from */
	start(&m);
	role_enter(&m.conf.role, NULL);
	role_limit(calls, sizeof(calls) / sizeof(calls[0]));
	role_open(&m.role, &hooks, m.loop, ctl);
	role_serve(&m.role);
	return 0;
}
