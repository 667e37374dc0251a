#include "client/deliver/lmtp_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/str.h"

void
lmtp_conn_init(struct lmtp_conn *c, unsigned timeout)
{
	c->fd = -1;
	c->timeout = timeout;
	c->eightbit = false;
	c->n = 0;
}

void
lmtp_close(struct lmtp_conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	lmtp_conn_init(c, c->timeout);
}

/* ---- waiting ---- */

static uint64_t
deadline(const struct lmtp_conn *c)
{
	return clock_ms() + (uint64_t)c->timeout * 1000;
}

static enum err
conn_wait(struct lmtp_conn *c, short events, uint64_t end, struct errbuf *eb)
{
	struct pollfd p = { c->fd, events, 0 };

	for (;;) {
		uint64_t now = clock_ms();

		if (now >= end)
			return err_set(eb, E_AGAIN,
			    _("the LMTP server did not answer within %u s"),
			    c->timeout);
		if (poll(&p, 1, (int)(end - now)) > 0)
			return E_OK;
	}
}

static enum err
conn_lost(struct errbuf *eb, bool by_errno)
{
	static const char words[] = N_("the LMTP connection was lost");

	return by_errno ? err_sys(eb, E_CLOSED, "%s", _(words))
			: err_set(eb, E_CLOSED, "%s", _(words));
}

enum err
lmtp_send(struct lmtp_conn *c, const char *p, size_t n, struct errbuf *eb)
{
	uint64_t end = deadline(c);
	enum err e;

	while (n > 0) {
		ssize_t done = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (done > 0) {
			p += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			if ((e = conn_wait(c, POLLOUT, end, eb)) != E_OK)
				return e;
		} else if (errno != EINTR) {
			return conn_lost(eb, true);
		}
	}
	return E_OK;
}

/* ---- replies ---- */

static enum err
fill(struct lmtp_conn *c, uint64_t end, struct errbuf *eb)
{
	ssize_t n;
	enum err e;

	if (c->n == sizeof(c->in))
		return err_set(eb, E_FORMAT,
		    _("the LMTP server sent a line without an end"));
	do {
		if ((e = conn_wait(c, POLLIN, end, eb)) != E_OK)
			return e;
		n = recv(
		    c->fd, c->in + c->n, sizeof(c->in) - c->n, MSG_DONTWAIT);
	} while (n < 0 && (errno == EAGAIN || errno == EINTR));
	if (n <= 0)
		return conn_lost(eb, n < 0);
	c->n += (size_t)n;
	return E_OK;
}

/* Without its end. */
static enum err
conn_line(struct lmtp_conn *c, char line[LMTP_LINE], size_t *n_r, uint64_t end,
    struct errbuf *eb)
{
	const char *lf;
	size_t n;
	enum err e;

	while ((lf = memchr(c->in, '\n', c->n)) == NULL)
		if ((e = fill(c, end, eb)) != E_OK)
			return e;
	n = (size_t)(lf - c->in);
	memcpy(line, c->in, n);
	c->n -= n + 1;
	memmove(c->in, lf + 1, c->n);
	if (n > 0 && line[n - 1] == '\r')
		n--;
	*n_r = n;
	return E_OK;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
parse_code(const char *line, size_t n, unsigned *code_r, bool *last_r)
{
	if (n < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) ||
	    !is_digit(line[2]) || (n > 3 && line[3] != ' ' && line[3] != '-'))
		return false;
	*code_r = (unsigned)(line[0] - '0') * 100 +
		  (unsigned)(line[1] - '0') * 10 + (unsigned)(line[2] - '0');
	*last_r = n == 3 || line[3] == ' ';
	return true;
}

enum err
lmtp_reply(struct lmtp_conn *c, struct lmtp_reply *r, struct errbuf *eb)
{
	uint64_t end = deadline(c);
	char line[LMTP_LINE];
	unsigned first = 0;
	bool last = false;
	size_t n;
	enum err e;

	for (unsigned lines = 0; !last; lines++) {
		if ((e = conn_line(c, line, &n, end, eb)) != E_OK)
			return e;
		if (lines == LMTP_LINES ||
		    !parse_code(line, n, &r->code, &last) ||
		    (lines > 0 && r->code != first)) {
			str_quote(r->text, sizeof(r->text), line, n);
			return err_set(eb, E_FORMAT,
			    _("the LMTP server's reply makes no sense: %s"),
			    r->text);
		}
		first = r->code;
		if (n > 4 &&
		    slice_caseeq((struct slice){ line + 4, n - 4 }, "8BITMIME"))
			c->eightbit = true;
	}
	str_quote(r->text, sizeof(r->text), line, n);
	return E_OK;
}

enum err
lmtp_check_silent(const struct lmtp_conn *c, struct errbuf *eb)
{
	char octet;

	if (c->n == 0 && recv(c->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		return E_OK;
	return err_set(eb, E_FORMAT,
	    _("the LMTP server sent a reply that nobody had asked for"));
}

enum err
lmtp_ask(struct lmtp_conn *c, struct lmtp_reply *r, struct errbuf *eb,
    const char *fmt, ...)
{
	char line[LMTP_LINE];
	va_list ap;
	enum err e;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line) - 2)
		return err_set(
		    eb, E_FULL, _("an address is too long for LMTP"));
	memcpy(line + n, "\r\n", 2);
	if ((e = lmtp_check_silent(c, eb)) != E_OK ||
	    (e = lmtp_send(c, line, (size_t)n + 2, eb)) != E_OK)
		return e;
	return lmtp_reply(c, r, eb);
}

/* ---- connecting ---- */

static enum err
connect_to(struct lmtp_conn *c, int family, const struct sockaddr *to,
    socklen_t size, struct errbuf *eb)
{
	socklen_t len = sizeof(int);
	int failed = 0, one = 1;
	enum err e = E_OK;

	c->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return err_sys(eb, E_CLOSED, _("cannot reach the LMTP server"));
	if (family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(c->fd, to, size) != 0)
		failed = errno;
	if (failed == EINPROGRESS || failed == EINTR) {
		e = conn_wait(c, POLLOUT, deadline(c), eb);
		if (e == E_OK &&
		    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0)
			failed = errno;
	}
	if (e == E_OK && failed != 0) {
		errno = failed;
		e = err_sys(eb, E_CLOSED, _("cannot reach the LMTP server"));
	}
	if (e != E_OK)
		lmtp_close(c);
	return e;
}

static enum err
connect_unix(struct lmtp_conn *c, const char *path, struct errbuf *eb)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = strlen(path);

	if (n >= sizeof(to.sun_path))
		return err_set(eb, E_CONFIG,
		    _("the path of the LMTP server's socket is too long"));
	memcpy(to.sun_path, path, n);
	return connect_to(
	    c, AF_UNIX, (const struct sockaddr *)&to, sizeof(to), eb);
}

static enum err
connect_tcp(
    struct lmtp_conn *c, const char *host, uint16_t port, struct errbuf *eb)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *list;
	char service[8];
	enum err e = E_NOENT;
	int bad;

	snprintf(service, sizeof(service), "%u", port);
	if ((bad = getaddrinfo(host, service, &hints, &list)) != 0)
		return err_set(eb, e,
		    _("cannot find the LMTP server %.100s: %s"), host,
		    gai_strerror(bad));
	for (const struct addrinfo *a = list; a != NULL && e != E_OK;
	     a = a->ai_next)
		e = connect_to(c, a->ai_family, a->ai_addr, a->ai_addrlen, eb);
	freeaddrinfo(list);
	return e;
}

static enum err
conn_refused(const struct lmtp_reply *r, struct errbuf *eb)
{
	return err_set(eb, E_DENIED, _("the LMTP server refused: %s"), r->text);
}

static enum err
greet(struct lmtp_conn *c, const char *self, struct errbuf *eb)
{
	struct lmtp_reply r;
	enum err e;

	if ((e = lmtp_reply(c, &r, eb)) != E_OK)
		return e;
	if (r.code != 220)
		return conn_refused(&r, eb);
	c->eightbit = false;
	if ((e = lmtp_ask(c, &r, eb, "LHLO %s", self)) != E_OK)
		return e;
	return r.code == 250 ? E_OK : conn_refused(&r, eb);
}

enum err
lmtp_connect(struct lmtp_conn *c, const char *path, const char *host,
    uint16_t port, const char *self, struct errbuf *eb)
{
	enum err e = path != NULL ? connect_unix(c, path, eb)
				  : connect_tcp(c, host, port, eb);

	if (e == E_OK && (e = greet(c, self, eb)) != E_OK)
		lmtp_close(c);
	return e;
}
