#include "server/parent/service_sockets.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server/parent/unix_socket.h"

enum { BACKLOG = 1024 };

static enum err
open_one(struct parent *p, unsigned i, struct errbuf *eb)
{
	const struct conf_service *s = &p->conf->service[i];
	const struct unix_socket to = { s->socket, SOCK_STREAM, s->mode_bits,
		s->gid, BACKLOG };
	struct errbuf why;
	int *fd = &p->conf->sasl.service[i].fd;
	enum err e = E_OK;

	*fd = inherited_take_path(&p->inherited, to.type, to.path);
	if (*fd >= 0)
		unix_socket_look(to.path, &p->service_made[i]);
	else
		e = unix_socket_open(&to, fd, &p->service_made[i], &why);
	if (e != E_OK)
		return err_set(
		    eb, e, "cannot listen at %s: %s", s->socket, why.text);
	log_line(LOG_EVENT, "ev=listen sasl=\"%s\" at=\"%s\" service=%s%s",
	    s->name, s->socket, s->service,
	    s->plaintext_login ? " plaintext_login=yes" : "");
	return E_OK;
}

enum err
service_sockets_open(struct parent *p, struct errbuf *eb)
{
	enum err e = E_OK;

	while (e == E_OK && p->n_services < p->conf->n_services)
		if ((e = open_one(p, p->n_services, eb)) == E_OK)
			p->n_services++;
	return e;
}

void
service_sockets_close(struct parent *p)
{
	while (p->n_services != 0) {
		p->n_services--;
		if (!p->succession.shared)
			unix_socket_remove(
			    p->conf->service[p->n_services].socket,
			    &p->service_made[p->n_services]);
		close(p->conf->sasl.service[p->n_services].fd);
	}
}
