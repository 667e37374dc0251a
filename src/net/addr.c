#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

char *
addr_text(char out[ADDR_TEXT], const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *in6 = (const void *)a;
	const struct sockaddr_in *in4 = (const void *)a;
	const void *octets = &in4->sin_addr;
	int family = a->ss_family;

	if (family == AF_INET6) {
		octets = &in6->sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
			octets = &in6->sin6_addr.s6_addr[12];
			family = AF_INET;
		}
	}
	if ((family != AF_INET && family != AF_INET6) ||
	    inet_ntop(family, octets, out, ADDR_TEXT) == NULL)
		memcpy(out, "?", 2);
	return out;
}

void
addr_set_loopback(struct sockaddr_storage *a)
{
	struct sockaddr_in *in4 = (void *)a;

	memset(a, 0, sizeof(*a));
	in4->sin_family = AF_INET;
	in4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}
