#include "client/oauth/loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <langinfo.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/str.h"
#include "client/oauth/redirect.h"

/* Browsers open connections ahead and say nothing on them. */
enum { PEERS = 8, LISTENER = PEERS, PERSON, WATCHED };

struct peer {
	int fd; /* -1: nobody */
	struct buf in;
};

struct loopback {
	int fd;
	char *url;  /* with the port */
	char *path; /* of it; "/" at least */
	struct peer peers[PEERS];
	struct buf typed; /* by the person */
};

/* ---- the address ---- */

static uint16_t
port_of(const char *url)
{
	const char *colon = strrchr(url, ':');

	return colon != NULL && colon[1] != '/'
		   ? (uint16_t)strtoul(colon + 1, NULL, 10)
		   : 0;
}

static enum err
listen_at(int *fd_r, uint16_t *port, struct errbuf *eb)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(a);

	*fd_r = fd;
	/* One that was used just now is in nobody's way. */
	if (fd < 0 ||
	    setsockopt(
		fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) != 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fd, PEERS) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) != 0)
		return err_sys(eb, E_IO,
		    _("cannot wait for the browser at port %u of this "
		      "computer"),
		    (unsigned)*port);
	*port = ntohs(a.sin_port);
	return E_OK;
}

/* "http://HOST:PORT/PATH" */
static bool
make_url(struct loopback *l, const char *url, uint16_t port)
{
	const char *host = strstr(url, "//") + 2;
	size_t n = strcspn(host, ":/");
	const char *path = host + strcspn(host, "/");

	if (asprintf(&l->url, "http://%.*s:%u%s", (int)n, host, (unsigned)port,
		path) < 0)
		l->url = NULL;
	l->path = strdup(path[0] != '\0' ? path : "/");
	return l->url != NULL && l->path != NULL;
}

enum err
loopback_open(
    struct loopback **l_r, const char *redirect_url, struct errbuf *eb)
{
	struct loopback *l = calloc(1, sizeof(*l));
	uint16_t port = port_of(redirect_url);
	enum err e;

	if (l == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	buf_init(&l->typed, REDIRECT_MAX, true);
	for (size_t i = 0; i < PEERS; i++) {
		l->peers[i].fd = -1;
		buf_init(&l->peers[i].in, REDIRECT_MAX, true);
	}
	e = listen_at(&l->fd, &port, eb);
	if (e == E_OK && !make_url(l, redirect_url, port))
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if (e == E_OK)
		*l_r = l;
	else
		loopback_close(l);
	return e;
}

const char *
loopback_url(const struct loopback *l)
{
	return l->url;
}

/* ---- browsers ---- */

static void
peer_leave(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_free(&p->in);
}

/* If all are taken, the first one has to go: most likely it says nothing. */
static void
peer_accept(struct loopback *l)
{
	struct peer *p = l->peers;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (size_t i = 0; i < PEERS; i++)
		if (l->peers[i].fd < 0)
			p = &l->peers[i];
	peer_leave(p);
	p->fd = fd;
}

static void
peer_answer(struct peer *p, const char *status, const char *words)
{
	char page[1024], head[256];
	int n = snprintf(page, sizeof(page),
	    "<!DOCTYPE html><title>malote</title>"
	    "<p style=\"font: 1.3em sans-serif; margin: 3em\">%s</p>\n",
	    words);

	snprintf(head, sizeof(head),
	    "HTTP/1.1 %s\r\nContent-Type: text/html; charset=%s\r\n"
	    "Content-Length: %d\r\nCache-Control: no-store\r\n"
	    "Connection: close\r\n\r\n",
	    status, nl_langinfo(CODESET), n);
	/* It fits into the socket; a browser that has gone needs no page. */
	if (write(p->fd, head, strlen(head)) > 0 &&
	    write(p->fd, page, (size_t)n) > 0)
		shutdown(p->fd, SHUT_WR);
	peer_leave(p);
}

static void
peer_tell(struct peer *p, enum redirect said)
{
	switch (said) {
	case REDIRECT_MORE: break;
	case REDIRECT_OTHER:
		peer_answer(p, "404 Not Found", _("There is nothing here."));
		break;
	case REDIRECT_FOREIGN:
		peer_answer(p, "400 Bad Request",
		    _("This answer belongs to another sign-in than the one "
		      "that malote waits for. Begin again, with the address "
		      "that malote shows."));
		break;
	case REDIRECT_CODE:
		peer_answer(p, "200 OK",
		    _("Done: malote may collect your mail. You can close this "
		      "window."));
		break;
	case REDIRECT_REFUSED:
		peer_answer(p, "200 OK",
		    _("malote was not allowed to collect your mail. You can "
		      "close this window."));
		break;
	}
}

/* Reads what has come into `in`; false: nothing more will. */
static bool
take(int fd, struct buf *in)
{
	char piece[2048];
	ssize_t n = read(fd, piece, sizeof(piece));
	bool good;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	good = n > 0 && buf_put(in, piece, (size_t)n) == E_OK;
	explicit_bzero(piece, sizeof(piece));
	return good;
}

static enum redirect
peer_read(struct loopback *l, struct peer *p, const struct loopback_wait *w,
    struct buf *code, struct oauth_refusal *r)
{
	enum redirect said;

	if (!take(p->fd, &p->in)) {
		peer_leave(p);
		return REDIRECT_OTHER;
	}
	said =
	    redirect_of_request((struct slice){ buf_data(&p->in), p->in.len },
		l->path, w->state, code, r);
	peer_tell(p, said);
	return said;
}

/* ---- a person ---- */

static void
person_tell(const struct loopback *l, FILE *out)
{
	fprintf(out,
	    _("That is not the address of the page: it begins with %s and "
	      "has \"code=\" in it.\n"),
	    l->url);
	fflush(out);
}

/* One line. */
static enum redirect
person_read(struct loopback *l, const struct loopback_wait *w, struct buf *code,
    struct oauth_refusal *r)
{
	struct buf *in = &l->typed;
	enum redirect said;
	const char *end;

	if (in->len == 0 || (end = memchr(buf_data(in), '\n', in->len)) == NULL)
		return REDIRECT_MORE;
	said = redirect_of_address(
	    (struct slice){ buf_data(in), (size_t)(end - buf_data(in)) },
	    w->state, code, r);
	buf_free(in);
	if (said == REDIRECT_OTHER || said == REDIRECT_FOREIGN)
		person_tell(l, w->out);
	return said;
}

/* ---- waiting ---- */

static void
watch(const struct loopback *l, int person, struct pollfd v[WATCHED])
{
	for (size_t i = 0; i < PEERS; i++)
		v[i] = (struct pollfd){ l->peers[i].fd, POLLIN, 0 };
	v[LISTENER] = (struct pollfd){ l->fd, POLLIN, 0 };
	v[PERSON] = (struct pollfd){ person, POLLIN, 0 };
}

static bool
is_end(enum redirect said)
{
	return said == REDIRECT_CODE || said == REDIRECT_REFUSED;
}

/* What has happened; the person's descriptor becomes -1 at its end. */
static enum redirect
serve(struct loopback *l, struct loopback_wait *w,
    const struct pollfd v[WATCHED], struct buf *code, struct oauth_refusal *r)
{
	enum redirect said = REDIRECT_MORE;

	for (size_t i = 0; i < PEERS && !is_end(said); i++)
		if (v[i].revents != 0)
			said = peer_read(l, &l->peers[i], w, code, r);
	if (!is_end(said) && v[PERSON].revents != 0) {
		if (!take(w->in, &l->typed))
			w->in = -1;
		said = person_read(l, w, code, r);
	}
	if (!is_end(said) && v[LISTENER].revents != 0)
		peer_accept(l);
	return said;
}

enum err
loopback_wait(struct loopback *l, const struct loopback_wait *w,
    struct buf *code, struct oauth_refusal *r, struct errbuf *eb)
{
	uint64_t now = clock_ms(), end = now + 1000ULL * w->seconds;
	enum redirect said = REDIRECT_MORE;
	struct loopback_wait copy = *w;
	struct pollfd v[WATCHED];

	for (; !is_end(said) && now < end; now = clock_ms()) {
		watch(l, copy.in, v);
		if (poll(v, WATCHED, (int)(end - now)) >= 0)
			said = serve(l, &copy, v, code, r);
		else if (errno != EINTR)
			return err_sys(
			    eb, E_IO, "%s", _("cannot wait for the browser"));
	}
	if (said == REDIRECT_REFUSED)
		return E_DENIED;
	if (said != REDIRECT_CODE)
		return err_set(eb, E_AGAIN, "%s",
		    _("nobody has allowed it in the browser in time"));
	return buf_put(code, "", 1) == E_OK
		   ? E_OK
		   : err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

void
loopback_close(struct loopback *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < PEERS; i++)
		peer_leave(&l->peers[i]);
	if (l->fd >= 0)
		close(l->fd);
	buf_free(&l->typed);
	free(l->url);
	free(l->path);
	free(l);
}
