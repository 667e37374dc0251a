#include "conn.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL_BUFFER = 16 * 1024 };

static struct conn_way way;
static int ep;
static SSL_CTX *tls;
static SSL_SESSION *ticket; /* the last one that the server gave */

static int
keep_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = session;
	return 1; /* the reference is ours */
}

void
conn_init(const struct conn_way *how)
{
	way = *how;
	if ((ep = epoll_create1(0)) < 0)
		err(2, "epoll_create1");
	if ((tls = SSL_CTX_new(TLS_client_method())) == NULL)
		err(2, "SSL_CTX_new");
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	if (!way.resume)
		return;
	SSL_CTX_set_session_cache_mode(
	    tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls, keep_ticket);
}

bool
conn_has_ticket(void)
{
	return ticket != NULL;
}

void
conn_watch_input(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };

	/* Fails for a file, which can always be read; then nobody holds. */
	(void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

void
conn_unwatch_input(int fd)
{
	(void)epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
}

int
conn_wait(void *ready[], int max, int milliseconds)
{
	struct epoll_event evs[256];
	int n = epoll_wait(ep, evs, max < 256 ? max : 256, milliseconds);

	for (int i = 0; i < n; i++)
		ready[i] = evs[i].data.ptr;
	return n;
}

static void
watch(struct conn *c, unsigned events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c->owner };

	if (c->watched != events &&
	    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev) < 0)
		err(2, "epoll_ctl");
	c->watched = events;
}

static void
use_other_address(int fd)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
	int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		err(2, "bind");
}

static int
new_socket(void)
{
	int on = 1, buffer = SMALL_BUFFER;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		err(2, "socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (way.small_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (way.other_address)
		use_other_address(fd);
	return fd;
}

void
conn_open(struct conn *c, void *owner)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(way.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT,
		.data.ptr = owner };

	c->owner = owner;
	c->out_off = c->out_len = 0;
	c->connected = false;
	c->fd = new_socket();
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	    errno != EINPROGRESS)
		err(2, "connect");
	c->watched = ev.events;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		err(2, "epoll_ctl");
}

/* Uses a copy of the ticket: OpenSSL marks the session that it is given as used
 * up, and the ticket that it makes of a marked one is marked, too. */
static void
resume(SSL *ssl)
{
	SSL_SESSION *copy;

	if (ticket == NULL)
		return;
	if ((copy = SSL_SESSION_dup(ticket)) == NULL)
		err(2, "SSL_SESSION_dup");
	SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
}

void
conn_start_tls(struct conn *c)
{
	if ((c->ssl = SSL_new(tls)) == NULL)
		err(2, "SSL_new");
	SSL_set_fd(c->ssl, c->fd);
	resume(c->ssl);
	SSL_set_connect_state(c->ssl);
	SSL_do_handshake(c->ssl);
}

bool
conn_close(struct conn *c, bool rudely)
{
	struct linger abort_now = { 1, 0 };
	bool resumed = false;

	if (rudely)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &abort_now,
		    sizeof(abort_now));
	if (c->ssl != NULL) {
		resumed = SSL_session_reused(c->ssl);
		/* A session that was not shut down cannot be resumed. */
		SSL_set_shutdown(
		    c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	}
	SSL_free(c->ssl);
	c->ssl = NULL;
	close(c->fd);
	return resumed;
}

static ssize_t
tls_result(const struct conn *c, int r)
{
	if (r > 0)
		return r;
	r = SSL_get_error(c->ssl, r);
	return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static ssize_t
conn_write(struct conn *c, const char *p, size_t n)
{
	ssize_t took;

	if (c->ssl != NULL)
		return tls_result(c, SSL_write(c->ssl, p, (int)n));
	took = send(c->fd, p, n, MSG_NOSIGNAL);
	return took < 0 && errno == EAGAIN ? 0 : took;
}

ssize_t
conn_read(struct conn *c, char *p, size_t n)
{
	ssize_t got;

	errno = 0;
	if (c->ssl != NULL)
		return tls_result(c, SSL_read(c->ssl, p, (int)n));
	got = recv(c->fd, p, n, 0);
	if (got < 0 && errno == EAGAIN)
		return 0;
	return got == 0 ? -1 : got;
}

bool
conn_flush(struct conn *c)
{
	ssize_t n;
	bool full = false;

	while (c->out_len > 0 && !full) {
		n = conn_write(c, c->out + c->out_off, c->out_len);
		if (n < 0)
			return false;
		full = n == 0;
		c->out_off += (size_t)n;
		c->out_len -= (size_t)n;
	}
	if (c->out_len == 0)
		c->out_off = 0;
	/* A handshake may have to read before it can write. */
	full &= c->ssl == NULL || SSL_want_write(c->ssl);
	watch(c, EPOLLIN | (full ? EPOLLOUT : 0));
	return true;
}

void
conn_stop_reading(struct conn *c)
{
	watch(c, 0);
}
