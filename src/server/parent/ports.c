#include "server/parent/ports.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server/parent/listen.h"

static const char *const tls_words[] = { [LISTEN_PLAIN] = "none",
	[LISTEN_STLS] = "starttls",
	[LISTEN_TLS] = "tls" };

/* For those who ask how the server is. */
static void
note_listener(
    struct control_listener *to, const struct conf_listener *l, const char *at)
{
	*to =
	    (struct control_listener){ .plaintext_login = l->plaintext_login };
	snprintf(to->name, sizeof(to->name), "%s", l->name);
	snprintf(to->at, sizeof(to->at), "%s", at);
	snprintf(to->tls, sizeof(to->tls), "%s", tls_words[l->tls]);
}

/* New sockets: one for each worker. */
static enum err
make(struct parent *p, const struct listen_addr *a, struct errbuf *eb)
{
	enum err e = listen_probe(a, eb);

	for (unsigned i = 0; e == E_OK && i < p->conf->worker.role.n; i++)
		e = listen_open(a, &p->socket[i][p->n_sockets], eb);
	return e;
}

/* Two workers look at it. */
static enum err
the_same(int there, int *fd_r, struct errbuf *eb)
{
	*fd_r = fcntl(there, F_DUPFD_CLOEXEC, 0);
	return *fd_r >= 0 ? E_OK : err_sys(eb, E_IO, "a socket");
}

/* One more beside those that there were: of its own where that is possible. */
static enum err
one_more(const struct listen_addr *a, int there, int *fd_r, struct errbuf *eb)
{
	int shared = 0;
	socklen_t n = sizeof(shared);

	if (getsockopt(there, SOL_SOCKET, SO_REUSEPORT, &shared, &n) == 0 &&
	    shared != 0)
		return listen_open(a, fd_r, eb);
	return the_same(there, fd_r, eb);
}

/* Those that were there before us, n of them.  Clients wait at each, so all are
 * kept: a worker gets several where there are fewer workers than before. */
static enum err
adopt(struct parent *p, const struct listen_addr *a, const int *fd, unsigned n,
    unsigned *rows_r, struct errbuf *eb)
{
	unsigned workers = p->conf->worker.role.n;
	enum err e = E_OK;

	*rows_r = (n + workers - 1) / workers;
	if (p->n_sockets + *rows_r > LISTENERS_MAX)
		return err_set(eb, E_FULL,
		    "there are fewer workers than before, and too many "
		    "listeners to give each several; stop maloted and start it "
		    "for that");
	for (unsigned i = 0; e == E_OK && i < *rows_r * workers; i++) {
		int *to = &p->socket[i % workers][p->n_sockets + i / workers];

		if (i < n)
			e = listen_adopt(*to = fd[i], a, eb);
		else if (i < workers)
			e = one_more(a, fd[i % n], to, eb);
		else
			e = the_same(fd[i % n], to, eb);
	}
	return e;
}

/* What is to be known of the next socket of each worker. */
static void
describe(struct parent *p, const struct conf_listener *l, const char *at)
{
	struct listen_conf *to = &p->conf->worker.listener[p->n_sockets];

	note_listener(&p->listening[p->n_sockets], l, at);
	to->tls = l->tls;
	to->plain_passwords = l->plaintext_login;
	to->client_certificates = l->client_certificates;
	to->plaintext_gssapi = l->plaintext_gssapi;
	to->kpop = l->kpop;
	to->same_user = l->same_user;
	to->proxy = l->proxy;
	to->secured = l->secured;
	to->certificates = l->certificate_bits;
	memcpy(to->mechanisms, l->mechanisms, sizeof(to->mechanisms));
	memcpy(to->allow_nets, l->allow_nets, sizeof(to->allow_nets));
	memcpy(to->deny_nets, l->deny_nets, sizeof(to->deny_nets));
	memcpy(to->proxy_from, l->proxy_from, sizeof(to->proxy_from));
	p->n_sockets++;
}

/* One address. */
static enum err
listen_at(struct parent *p, const struct conf_listener *l,
    const struct listen_addr *a, struct errbuf *eb)
{
	static int fd[INHERITED_MAX];
	unsigned n, rows = 1;
	char at[ADDRESS_SHOWN];
	enum err e;

	n = inherited_take(&p->inherited, SOCK_STREAM,
	    (const struct sockaddr *)&a->sa, fd, INHERITED_MAX);
	e = n != 0 ? adopt(p, a, fd, n, &rows, eb) : make(p, a, eb);
	if (e != E_OK)
		return e == E_NOENT ? E_OK : e;
	describe(p, l, address_show(at, a));
	for (unsigned i = 1; i < rows; i++)
		describe(p, l, "");
	log_line(LOG_EVENT, "ev=listen listener=\"%s\" at=%s tls=%s%s%s",
	    l->name, at, tls_words[l->tls], l->kpop ? " kpop=yes" : "",
	    l->plaintext_login && l->tls != LISTEN_TLS ? " plaintext_login=yes"
						       : "");
	return E_OK;
}

enum err
ports_open(struct parent *p, struct errbuf *eb)
{
	for (unsigned i = 0; i < p->conf->n_listeners; i++) {
		const struct conf_listener *l = &p->conf->listener[i];
		struct listen_addr addr[LISTENERS_MAX];
		unsigned before = p->n_sockets, n;
		enum err e;

		e = address_list(l, addr, LISTENERS_MAX, &n, eb);
		for (unsigned k = 0; e == E_OK && k < n; k++)
			e = listen_at(p, l, &addr[k], eb);
		if (e != E_OK)
			return e;
		if (p->n_sockets == before)
			return err_set(eb, E_IO,
			    "cannot listen: this machine has no network");
	}
	p->conf->worker.n_listeners = (uint16_t)p->n_sockets;
	return E_OK;
}

void
ports_close(struct parent *p)
{
	for (unsigned i = 0; i < p->conf->worker.role.n; i++)
		for (unsigned k = 0; k < p->n_sockets; k++) {
			if (!p->succession.shared)
				shutdown(p->socket[i][k], SHUT_RDWR);
			close(p->socket[i][k]);
		}
	p->n_sockets = 0;
}
