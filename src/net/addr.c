#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/str.h"

/* As inet_ntop() does, without its printf: this is done for each connection. */
static void
put_ipv4(char *out, const uint8_t octets[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*out++ = '.';
		out += str_from_u64(out, octets[i]);
	}
	*out = '\0';
}

char *
addr_text(char out[ADDR_TEXT], const struct sockaddr_storage *a)
{
	const struct in6_addr *six =
	    &((const struct sockaddr_in6 *)a)->sin6_addr;
	const struct in_addr *four = &((const struct sockaddr_in *)a)->sin_addr;

	if (a->ss_family == AF_INET)
		put_ipv4(out, (const void *)four);
	else if (a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six))
		put_ipv4(out, &six->s6_addr[12]);
	else if (a->ss_family != AF_INET6 ||
		 inet_ntop(AF_INET6, six, out, ADDR_TEXT) == NULL)
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
