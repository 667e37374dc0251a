#include "server/parent/ports.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server/parent/listen.h"
#include "server/parent/unix_socket.h"

enum { LOCAL_BACKLOG = 1024 };

static const char *const tls_words[] = { [LISTEN_PLAIN] = "none",
	[LISTEN_STLS] = "starttls",
	[LISTEN_TLS] = "tls" };

/* ---- which there are ---- */

static bool
is_same_address(const struct listen_addr *a, const struct listen_addr *b)
{
	return a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}

/* The first row of an address; p->n: it has none. */
static unsigned
find(const struct ports *p, const struct listen_addr *a)
{
	unsigned i = 0;

	while (i < p->n && !is_same_address(&p->at[i], a))
		i++;
	return i;
}

/* What is ours already would be in the way, and nobody else can be there. */
static bool
is_ours_in_part(const struct ports *now, const struct listen_addr *a)
{
	for (unsigned i = 0; i < now->n; i++)
		if (address_overlap(&now->at[i], a))
			return true;
	return false;
}

static enum err
no_room(struct errbuf *eb)
{
	return err_set(eb, E_FULL,
	    "there are fewer workers than before, and too many listeners to "
	    "give each several; stop maloted and start it for that");
}

/* ---- sockets ---- */

/* Those of an address that stays. */
static enum err
keep(struct ports *p, const struct ports *now, const struct listen_addr *a,
    unsigned *rows_r, struct errbuf *eb)
{
	*rows_r = 0;
	for (unsigned k = 0; k < now->n; k++) {
		if (!is_same_address(&now->at[k], a))
			continue;
		if (p->n + *rows_r == LISTENERS_MAX)
			return no_room(eb);
		for (unsigned i = 0; i < p->workers; i++)
			p->socket[i][p->n + *rows_r] = now->socket[i][k];
		p->made[p->n + *rows_r] = now->made[k];
		++*rows_r;
	}
	return E_OK;
}

/* New ones: one for each worker. */
static enum err
make(struct ports *p, const struct ports *now, const struct listen_addr *a,
    struct errbuf *eb)
{
	enum err e;

	if (!is_ours_in_part(now, a) && (e = listen_probe(a, eb)) != E_OK)
		return e;
	for (unsigned i = 0; i < p->workers; i++) {
		if ((e = listen_open(a, &p->socket[i][p->n], eb)) == E_OK)
			continue;
		while (i-- > 0)
			close(p->socket[i][p->n]);
		return e;
	}
	return E_OK;
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
adopt(struct ports *p, const struct listen_addr *a, const int *fd, unsigned n,
    unsigned *rows_r, struct errbuf *eb)
{
	enum err e = E_OK;

	*rows_r = (n + p->workers - 1) / p->workers;
	if (p->n + *rows_r > LISTENERS_MAX)
		return no_room(eb);
	for (unsigned i = 0; e == E_OK && i < *rows_r * p->workers; i++) {
		int *to = &p->socket[i % p->workers][p->n + i / p->workers];

		if (i < n)
			e = listen_adopt(*to = fd[i], a, eb);
		else if (i < p->workers)
			e = one_more(a, fd[i % n], to, eb);
		else
			e = the_same(fd[i % n], to, eb);
	}
	return e;
}

/* A Unix socket. */
static enum err
make_local(struct ports *p, const struct listen_addr *a, struct errbuf *eb)
{
	const struct unix_socket to = { address_path(a), SOCK_STREAM, a->mode,
		a->gid, LOCAL_BACKLOG };
	struct unix_made *made = &p->made[p->n];
	struct errbuf why;
	enum err e = unix_socket_open(&to, &p->socket[0][p->n], made, &why);

	if (e != E_OK)
		return err_set(
		    eb, e, "cannot listen at %s: %s", to.path, why.text);
	for (unsigned i = 1; i < p->workers; i++) {
		e = the_same(p->socket[0][p->n], &p->socket[i][p->n], eb);
		if (e == E_OK)
			continue;
		unix_socket_remove(to.path, made);
		while (i-- > 0)
			close(p->socket[i][p->n]);
		return e;
	}
	return E_OK;
}

/* The rows of one address; E_NOENT: this machine lacks it, and may. */
static enum err
open_rows(struct ports *p, const struct ports *now, struct inherited *in,
    const struct listen_addr *a, unsigned *rows_r, struct errbuf *eb)
{
	static int fd[INHERITED_MAX];
	const struct sockaddr *sa = (const struct sockaddr *)&a->sa;
	const char *path = address_path(a);
	enum err e = keep(p, now, a, rows_r, eb);
	unsigned n;

	if (e != E_OK || *rows_r != 0)
		return e;
	*rows_r = 1;
	n = in != NULL ? inherited_take(in, SOCK_STREAM, sa, fd,
			     path != NULL ? 1 : INHERITED_MAX)
		       : 0;
	if (n == 0)
		return path != NULL ? make_local(p, a, eb)
				    : make(p, now, a, eb);
	if (path != NULL)
		unix_socket_look(path, &p->made[p->n]);
	return adopt(p, a, fd, n, rows_r, eb);
}

/* ---- what is said of them ---- */

/* For those who ask how the server is. */
static void
note(struct control_listener *to, const struct conf_listener *l,
    const struct listen_addr *a)
{
	char at[ADDRESS_SHOWN];

	*to =
	    (struct control_listener){ .plaintext_login = l->plaintext_login };
	snprintf(to->name, sizeof(to->name), "%s", l->name);
	snprintf(to->at, sizeof(to->at), "%s", address_show(at, a));
	snprintf(to->tls, sizeof(to->tls), "%s", tls_words[l->tls]);
}

/* What is to be known of the next row. */
static void
describe(struct ports *p, struct conf *c, const struct conf_listener *l,
    const struct listen_addr *a)
{
	struct listen_conf *to = &c->worker.listener[p->n];

	note(&p->is[p->n], l, a);
	p->at[p->n] = *a;
	to->tls = l->tls;
	to->local = address_path(a) != NULL;
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
	p->n++;
}

static enum err
add(struct ports *p, const struct ports *now, struct inherited *in,
    struct conf *c, const struct conf_listener *l, const struct listen_addr *a,
    struct errbuf *eb)
{
	unsigned rows;
	enum err e = open_rows(p, now, in, a, &rows, eb);

	if (e != E_OK)
		return e == E_NOENT ? E_OK : e;
	for (unsigned i = 0; i < rows; i++) {
		describe(p, c, l, a);
		if (i != 0)
			p->is[p->n - 1].at[0] = '\0';
	}
	return E_OK;
}

/* ---- all ---- */

static enum err
open_all(struct ports *p, const struct ports *now, struct inherited *in,
    struct conf *c, struct errbuf *eb)
{
	for (unsigned i = 0; i < c->n_listeners; i++) {
		const struct conf_listener *l = &c->listener[i];
		struct listen_addr addr[LISTENERS_MAX];
		unsigned before = p->n, n;
		enum err e;

		e = address_list(l, addr, LISTENERS_MAX, &n, eb);
		for (unsigned k = 0; e == E_OK && k < n; k++)
			e = add(p, now, in, c, l, &addr[k], eb);
		if (e != E_OK)
			return e;
		if (p->n == before)
			return err_set(eb, E_IO,
			    "cannot listen: this machine has no network");
	}
	c->worker.n_listeners = (uint16_t)p->n;
	return E_OK;
}

enum err
ports_open(struct ports *p, const struct ports *now, struct inherited *in,
    struct conf *c, struct errbuf *eb)
{
	enum err e;

	p->workers = c->worker.role.n;
	p->n = 0;
	if ((e = open_all(p, now, in, c, eb)) != E_OK)
		ports_close(p, now, in != NULL && in->n != 0);
	return e;
}

static void
close_row(struct ports *p, unsigned k, bool shared)
{
	const char *path = address_path(&p->at[k]);

	if (path != NULL && !shared)
		unix_socket_remove(path, &p->made[k]);
	for (unsigned i = 0; i < p->workers; i++) {
		/* A worker that cannot be killed would keep them. */
		if (!shared)
			shutdown(p->socket[i][k], SHUT_RDWR);
		close(p->socket[i][k]);
	}
}

void
ports_close(struct ports *p, const struct ports *kept, bool shared)
{
	for (unsigned k = 0; k < p->n; k++)
		if (find(kept, &p->at[k]) == kept->n)
			close_row(p, k, shared);
	p->n = 0;
}

/* Around a path, which may have spaces. */
static const char *
quote(const struct listen_addr *a)
{
	return address_path(a) != NULL ? "\"" : "";
}

void
ports_log(const struct ports *p, const struct ports *was, const struct conf *c)
{
	for (unsigned k = 0; k < was->n; k++)
		if (was->is[k].at[0] != '\0' && find(p, &was->at[k]) == p->n)
			log_line(LOG_EVENT,
			    "ev=unlisten listener=\"%s\" at=%s%s%s",
			    was->is[k].name, quote(&was->at[k]), was->is[k].at,
			    quote(&was->at[k]));
	for (unsigned k = 0; k < p->n; k++) {
		const struct control_listener *is = &p->is[k];
		const struct listen_conf *l = &c->worker.listener[k];

		if (is->at[0] == '\0' || find(was, &p->at[k]) < was->n)
			continue;
		log_line(LOG_EVENT,
		    "ev=listen listener=\"%s\" at=%s%s%s tls=%s%s%s", is->name,
		    quote(&p->at[k]), is->at, quote(&p->at[k]), is->tls,
		    l->kpop ? " kpop=yes" : "",
		    l->plain_passwords && l->tls != LISTEN_TLS
			? " plaintext_login=yes"
			: "");
	}
}
