#include "server/conf/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static bool
parse(const char *text, uint16_t port, struct listen_addr *out)
{
	struct addrinfo hint = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;
	char bare[CONF_ADDRESS_MAX], service[8];
	size_t n = strlen(text);

	snprintf(bare, sizeof(bare), "%s", text);
	if (n > 2 && text[0] == '[' && text[n - 1] == ']')
		snprintf(bare, sizeof(bare), "%.*s", (int)(n - 2), text + 1);
	snprintf(service, sizeof(service), "%u", port);
	if (bare[0] == '\0' || getaddrinfo(bare, service, &hint, &ai) != 0)
		return false;
	memcpy(&out->sa, ai->ai_addr, ai->ai_addrlen);
	out->len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return true;
}

static void
set_path(struct listen_addr *out, const struct conf_listener *l)
{
	struct sockaddr_un *at = (void *)&out->sa;

	memset(out, 0, sizeof(*out));
	at->sun_family = AF_UNIX;
	snprintf(at->sun_path, sizeof(at->sun_path), "%s", l->socket);
	out->len = sizeof(*at);
	out->mode = l->mode_bits;
	out->gid = l->gid;
}

static enum err
too_many(struct errbuf *eb)
{
	return err_set(eb, E_FULL,
	    "too many addresses; of all listeners at most %d", LISTENERS_MAX);
}

enum err
address_list(const struct conf_listener *l, struct listen_addr *out,
    unsigned room, unsigned *n_r, struct errbuf *eb)
{
	unsigned n = 0;

	if (l->socket[0] != '\0') {
		if (room == 0)
			return too_many(eb);
		set_path(out, l);
		*n_r = 1;
		return E_OK;
	}
	for (unsigned i = 0; i < l->n_addresses; i++) {
		static const char *const any[] = { "::", "0.0.0.0" };
		bool star = strcmp(l->address[i], "*") == 0;

		for (unsigned k = 0; k < (star ? 2u : 1u); k++) {
			if (n == room)
				return too_many(eb);
			memset(&out[n], 0, sizeof(out[n]));
			out[n].optional = star;
			if (!parse(star ? any[k] : l->address[i], l->port,
				&out[n]))
				return err_set(eb, E_CONFIG,
				    "\"%s\" is not an address; write an IPv4 "
				    "or IPv6 address, or *",
				    l->address[i]);
			n++;
		}
	}
	*n_r = n;
	return E_OK;
}

const char *
address_path(const struct listen_addr *a)
{
	return a->sa.ss_family == AF_UNIX
		   ? ((const struct sockaddr_un *)(const void *)&a->sa)
			 ->sun_path
		   : NULL;
}

char *
address_show(char out[ADDRESS_SHOWN], const struct listen_addr *a)
{
	char host[64] = "?", port[8] = "?";

	if (address_path(a) != NULL) {
		snprintf(out, ADDRESS_SHOWN, "%s", address_path(a));
		return out;
	}
	getnameinfo((const struct sockaddr *)&a->sa, a->len, host, sizeof(host),
	    port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, ADDRESS_SHOWN,
	    a->sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return out;
}

static bool
is_any(const struct listen_addr *a)
{
	const struct sockaddr_in *in4 = (const void *)&a->sa;
	const struct sockaddr_in6 *in6 = (const void *)&a->sa;

	return a->sa.ss_family == AF_INET
		   ? in4->sin_addr.s_addr == htonl(INADDR_ANY)
		   : IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

bool
address_overlap(const struct listen_addr *a, const struct listen_addr *b)
{
	const struct sockaddr_in *a4 = (const void *)&a->sa;
	const struct sockaddr_in *b4 = (const void *)&b->sa;

	if (address_path(a) != NULL && address_path(b) != NULL)
		return strcmp(address_path(a), address_path(b)) == 0;
	/* The port is in the same place in both families. */
	if (a->sa.ss_family != b->sa.ss_family || a4->sin_port != b4->sin_port)
		return false;
	return is_any(a) || is_any(b) || memcmp(&a->sa, &b->sa, a->len) == 0;
}
