#include "server/auth/vouch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/addr.h"
#include "net/cidr.h"

enum err
vouch_learn(struct auth *a, const struct auth_conf *conf, struct errbuf *eb)
{
	struct slice text = { conf->proxies, strlen(conf->proxies) };
	size_t room = text.n / CIDR_TEXT_MIN + 1, n;
	struct cidr *v = calloc(room, sizeof(*v));
	enum err e;

	if (v == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if ((e = cidr_parse_list(v, room, &n, text, eb)) != E_OK) {
		free(v);
		return e;
	}
	free(a->proxies);
	a->proxies = v;
	a->n_proxies = n;
	return E_OK;
}

enum vouched
vouch(const struct auth *a, int fd, char peer[PEER_MAX])
{
	struct sockaddr_storage real = { 0 };
	socklen_t n = sizeof(real);
	uint8_t octets[16];

	if (getpeername(fd, (struct sockaddr *)&real, &n) < 0)
		return errno == ENOTCONN || errno == EINVAL ? VOUCHED_GONE
							    : VOUCHED_ODD;
	if (real.ss_family == AF_UNIX && a->conf.local_clients)
		addr_set_loopback(&real);
	if (!cidr_address_of(octets, &real))
		return VOUCHED_ODD;
	if (!cidr_any_has(a->proxies, a->n_proxies, octets))
		addr_text(peer, &real);
	return VOUCHED;
}
