#include "server/parent/service_sockets.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server/parent/unix_socket.h"

enum { BACKLOG = 1024 };

/* The place of a socket among the first n of c; n: it has none. */
static unsigned
find(const struct conf *c, unsigned n, const char *socket)
{
	unsigned i = 0;

	while (i < n && strcmp(c->service[i].socket, socket) != 0)
		i++;
	return i;
}

static enum err
open_one(
    struct conf_service *s, struct inherited *in, int *fd_r, struct errbuf *eb)
{
	const struct unix_socket to = { s->socket, SOCK_STREAM, s->mode_bits,
		s->gid, BACKLOG };
	struct errbuf why;
	enum err e = E_OK;

	*fd_r = in != NULL ? inherited_take_path(in, to.type, to.path) : -1;
	if (*fd_r >= 0)
		unix_socket_look(to.path, &s->made);
	else
		e = unix_socket_open(&to, fd_r, &s->made, &why);
	if (e != E_OK)
		return err_set(
		    eb, e, "cannot listen at %s: %s", s->socket, why.text);
	log_line(LOG_EVENT, "ev=listen sasl=\"%s\" at=\"%s\" service=%s%s",
	    s->name, s->socket, s->service,
	    s->plaintext_login ? " plaintext_login=yes" : "");
	return E_OK;
}

enum err
service_sockets_open(struct conf *c, const struct conf *now,
    struct inherited *in, struct errbuf *eb)
{
	unsigned n = now != NULL ? now->n_services : 0;

	for (unsigned i = 0; i < c->n_services; i++) {
		int *fd = &c->sasl.service[i].fd;
		unsigned was = find(now, n, c->service[i].socket);
		enum err e = E_OK;

		if (was < n) {
			*fd = now->sasl.service[was].fd;
			c->service[i].made = now->service[was].made;
		} else {
			e = open_one(&c->service[i], in, fd, eb);
		}
		if (e == E_OK)
			continue;
		c->n_services = i;
		service_sockets_close(c, now, in != NULL && in->n != 0);
		return e;
	}
	return E_OK;
}

void
service_sockets_close(
    const struct conf *c, const struct conf *kept, bool shared)
{
	unsigned n = kept != NULL ? kept->n_services : 0;

	for (unsigned i = 0; i < c->n_services; i++) {
		const struct conf_service *s = &c->service[i];

		if (find(kept, n, s->socket) < n)
			continue;
		if (kept != NULL)
			log_line(LOG_EVENT, "ev=unlisten sasl=\"%s\" at=\"%s\"",
			    s->name, s->socket);
		if (!shared)
			unix_socket_remove(s->socket, &s->made);
		close(c->sasl.service[i].fd);
	}
}

const struct conf_service *
service_sockets_kept(const struct conf *c, unsigned i, const struct conf *was)
{
	unsigned k = find(was, was->n_services, c->service[i].socket);

	return k < was->n_services ? &was->service[k] : NULL;
}
