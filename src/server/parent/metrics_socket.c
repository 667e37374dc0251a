#include "server/parent/metrics_socket.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/parent/unix_socket.h"

enum { BACKLOG = 16 };

static enum err
open_port(
    const struct metrics_at *at, const char *text, int *fd_r, struct errbuf *eb)
{
	static const int one = 1;
	int fd = socket(
	    at->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (const struct sockaddr *)&at->sa, at->len) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		err_sys(eb, E_IO, "cannot listen at %s (metrics)", text);
		if (fd >= 0)
			close(fd);
		return E_IO;
	}
	*fd_r = fd;
	return E_OK;
}

static enum err
open_path(struct parent *p, const char *path, int *fd_r, struct errbuf *eb)
{
	gid_t group = p->conf->control_gid;
	const struct unix_socket to = { path, SOCK_STREAM,
		group != AUTH_NO_UID ? 0660 : 0600, group, BACKLOG };
	struct errbuf why;
	enum err e = unix_socket_open(&to, fd_r, &p->metrics_made, &why);

	return e == E_OK
		   ? E_OK
		   : err_set(eb, e, "cannot listen at %s: %s", path, why.text);
}

/* From the maloted whose place we take, or from systemd. */
static bool
is_inherited(struct parent *p, const struct metrics_at *at, int *fd_r)
{
	const struct sockaddr *sa = (const struct sockaddr *)&at->sa;

	if (at->path == NULL)
		return inherited_take(
			   &p->inherited, SOCK_STREAM, sa, fd_r, 1) == 1;
	*fd_r = inherited_take_path(&p->inherited, SOCK_STREAM, at->path);
	return *fd_r >= 0 && unix_socket_look(at->path, &p->metrics_made);
}

static enum err
open_one(struct parent *p, const struct metrics_at *at, struct errbuf *eb)
{
	int *fd = &p->conf->metrics.fd;

	if (is_inherited(p, at, fd))
		return E_OK;
	return at->path != NULL ? open_path(p, at->path, fd, eb)
				: open_port(at, p->conf->metrics_at, fd, eb);
}

enum err
metrics_socket_open(struct parent *p, struct errbuf *eb)
{
	struct metrics_conf *m = &p->conf->metrics;
	const char *text = p->conf->metrics_at;
	struct metrics_at at;
	enum err e;

	if (m->role.n == 0)
		return E_OK;
	if (!metrics_parse(&at, text))
		return err_set(eb, E_CONFIG, "metrics = \"%s\"", text);
	if ((e = open_one(p, &at, eb)) != E_OK)
		return e;
	p->has_metrics = true;
	m->tally_fd = p->tally.fd[1];
	m->pages = (uint16_t)p->tally.pages;
	m->since = (uint32_t)(clock_unix_ms() / 1000);
	snprintf(m->version, sizeof(m->version), "%s", VERSION);
	log_line(LOG_EVENT, "ev=listen metrics=\"%s\"", text);
	return E_OK;
}

void
metrics_socket_close(struct parent *p)
{
	struct metrics_at at;

	if (!p->has_metrics)
		return;
	p->has_metrics = false;
	if (!p->succession.shared && metrics_parse(&at, p->conf->metrics_at) &&
	    at.path != NULL)
		unix_socket_remove(at.path, &p->metrics_made);
	close(p->conf->metrics.fd);
}
