#include "server/parent/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum {
	BACKLOG = 1024,
	/* A peer that is gone is noticed in 90 s: silent ones by keepalive,
	 * those that owe us an acknowledgement by TCP_USER_TIMEOUT. */
	KEEP_IDLE = 45,
	KEEP_INTERVAL = 15,
	KEEP_COUNT = 3,
	USER_TIMEOUT_MS = 90 * 1000,
	/* The kernel would take megabytes for a client that does not read. */
	UNSENT_MAX = 512 * 1024,
};

static enum err
bind_error(const struct listen_addr *a, struct errbuf *eb)
{
	char at[ADDRESS_SHOWN];
	int err = errno;

	address_show(at, a);
	switch (err) {
	case EADDRINUSE:
		return err_set(eb, E_BUSY,
		    "cannot listen at %s: another program does (maloted, "
		    "Dovecot, inetd?); ss -ltnp tells which",
		    at);
	case EACCES:
	case EPERM:
		return err_set(eb, E_DENIED,
		    "cannot listen at %s: ports below 1024 are for root and "
		    "for CAP_NET_BIND_SERVICE",
		    at);
	case EADDRNOTAVAIL:
		return err_set(eb, E_IO,
		    "cannot listen at %s: this machine has no such address; ip "
		    "address tells which it has",
		    at);
	default:
		return err_set(
		    eb, E_IO, "cannot listen at %s: %s", at, strerror(err));
	}
}

static bool
set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* They are inherited by what is accepted. */
static bool
set_tcp_options(int fd)
{
	return set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
	       set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE) &&
	       set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL) &&
	       set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT) &&
	       set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS) &&
	       set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX) &&
	       set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static bool
set_options(int fd, const struct listen_addr *a)
{
	return set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	       (a->sa.ss_family != AF_INET6 ||
		   set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
	       set_tcp_options(fd);
}

static enum err
bound(const struct listen_addr *a, bool shared, int *fd_r, struct errbuf *eb)
{
	int fd = socket(
	    a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT && a->optional)
		return E_NOENT;
	if (fd < 0)
		return bind_error(a, eb);
	if (!set_options(fd, a) ||
	    (shared && !set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) ||
	    bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0) {
		bool lacks = errno == EADDRNOTAVAIL && a->optional;
		enum err e = bind_error(a, eb);

		close(fd);
		return lacks ? E_NOENT : e;
	}
	*fd_r = fd;
	return E_OK;
}

enum err
listen_probe(const struct listen_addr *a, struct errbuf *eb)
{
	enum err e;
	int fd = -1;

	if ((e = bound(a, false, &fd, eb)) == E_OK)
		close(fd);
	return e;
}

enum err
listen_open(const struct listen_addr *a, int *fd_r, struct errbuf *eb)
{
	enum err e;
	int fd = -1;

	if ((e = bound(a, true, &fd, eb)) != E_OK)
		return e;
	if (listen(fd, BACKLOG) < 0) {
		e = bind_error(a, eb);
		close(fd);
		return e;
	}
	*fd_r = fd;
	return E_OK;
}

enum err
listen_adopt(int fd, const struct listen_addr *a, struct errbuf *eb)
{
	return (address_path(a) != NULL || set_tcp_options(fd)) &&
		       listen(fd, BACKLOG) == 0
		   ? E_OK
		   : bind_error(a, eb);
}
