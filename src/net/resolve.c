#include "net/resolve.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "net/dns.h"

struct resolve {
	struct dns dns;
	resolve_done *done;
	void *arg;
	uint16_t port;
	int status;
	struct ares_addrinfo *found;
};

/* ---- what was found ---- */

static enum err
status_err(int status, const char **why_r)
{
	switch (status) {
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		*why_r = _("there is no computer of that name");
		return E_NOENT;
	case ARES_ENODATA:
		*why_r = _("that name has no address");
		return E_NOENT;
	case ARES_ETIMEOUT: *why_r = _("no name server answers"); return E_IO;
	case ARES_ECONNREFUSED:
		*why_r = _("no name server can be reached");
		return E_IO;
	case ARES_ENOMEM: *why_r = _("out of memory"); return E_NOMEM;
	default:
		*why_r = _("the name server could not find out its address");
		return E_IO;
	}
}

/* The next address from *at on that is (or is not) of `family`. */
static const struct ares_addrinfo_node *
take_family(const struct ares_addrinfo_node **at, int family, bool same)
{
	const struct ares_addrinfo_node *n = *at;

	while (n != NULL && (n->ai_family == family) != same)
		n = n->ai_next;
	*at = n != NULL ? n->ai_next : NULL;
	return n;
}

static bool
copy_address(struct sockaddr_storage *a, const struct ares_addrinfo_node *n,
    uint16_t port)
{
	struct sockaddr_in *in4 = (void *)a;
	struct sockaddr_in6 *in6 = (void *)a;

	if (n->ai_family != AF_INET && n->ai_family != AF_INET6)
		return false;
	memset(a, 0, sizeof(*a));
	memcpy(a, n->ai_addr, n->ai_addrlen);
	if (n->ai_family == AF_INET)
		in4->sin_port = htons(port);
	else
		in6->sin6_port = htons(port);
	return true;
}

/* c-ares has sorted them (RFC 6724); here the families take turns. */
static size_t
interleave(struct sockaddr_storage *v, const struct ares_addrinfo *found,
    uint16_t port)
{
	const struct ares_addrinfo_node *same = found->nodes;
	const struct ares_addrinfo_node *other = same, *n;
	int family = same != NULL ? same->ai_family : 0;
	size_t count = 0;

	while ((same != NULL || other != NULL) && count < RESOLVE_MAX) {
		n = take_family(&same, family, true);
		if (n != NULL && copy_address(&v[count], n, port))
			count++;
		n = take_family(&other, family, false);
		if (n != NULL && count < RESOLVE_MAX &&
		    copy_address(&v[count], n, port))
			count++;
	}
	return count;
}

static void
report(void *arg)
{
	struct resolve *r = arg;
	struct sockaddr_storage v[RESOLVE_MAX];
	const char *why = NULL;
	enum err e = E_OK;
	size_t n = 0;

	if (r->status == ARES_SUCCESS)
		n = interleave(v, r->found, r->port);
	if (n == 0)
		e = status_err(
		    r->status == ARES_SUCCESS ? ARES_ENODATA : r->status, &why);
	r->done(r->arg, e, v, n, why); /* r may be gone now */
}

static void
on_ares(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct resolve *r = arg;

	r->status = status;
	r->found = found;
	dns_over(&r->dns);
}

enum err
resolve_start(struct resolve **r_r, struct ev_loop *loop, const char *servers,
    const char *name, uint16_t port, resolve_done *done, void *arg,
    struct errbuf *eb)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	struct resolve *r = calloc(1, sizeof(*r));
	enum err e;

	*r_r = NULL;
	if (r == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if ((e = dns_init(&r->dns, loop, servers, report, r, eb)) != E_OK) {
		free(r);
		return e;
	}
	r->port = port;
	r->done = done;
	r->arg = arg;
	ares_getaddrinfo(r->dns.channel, name, NULL, &hints, on_ares, r);
	dns_wait(&r->dns);
	*r_r = r;
	return E_OK;
}

void
resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	dns_clear(&r->dns); /* calls on_ares if it is not over */
	if (r->found != NULL)
		ares_freeaddrinfo(r->found);
	free(r);
}
