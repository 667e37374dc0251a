#include "server/conf/metrics_conf.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/str.h"

static const struct ipc_field field[] = {
	ROLE_FIELDS(struct metrics_conf),
	FIELD_FD(struct metrics_conf, fd),
	FIELD_FD(struct metrics_conf, tally_fd),
	FIELD(struct metrics_conf, pages),
	FIELD(struct metrics_conf, since),
	FIELD_STR(struct metrics_conf, version),
};
const struct ipc_fields metrics_conf_fields = FIELDS(field);

static bool
loopback4(struct metrics_at *at, const char *host, uint16_t port)
{
	struct sockaddr_in *in = (void *)&at->sa;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	at->len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 &&
	       ntohl(in->sin_addr.s_addr) >> 24 == 127;
}

static bool
loopback6(struct metrics_at *at, const char *host, uint16_t port)
{
	struct sockaddr_in6 *in = (void *)&at->sa;

	in->sin6_family = AF_INET6;
	in->sin6_port = htons(port);
	at->len = sizeof(*in);
	return inet_pton(AF_INET6, host, &in->sin6_addr) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
}

bool
metrics_parse(struct metrics_at *at, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	uint32_t port;
	size_t n;

	memset(at, 0, sizeof(*at));
	if (strncmp(text, "unix:/", 6) == 0) {
		at->path = text + 5;
		return strlen(at->path) <
		       sizeof(((struct sockaddr_un *)0)->sun_path);
	}
	if (colon == NULL || (n = (size_t)(colon - text)) >= sizeof(host) ||
	    !str_to_u32(
		(struct slice){ colon + 1, strlen(colon + 1) }, &port) ||
	    port == 0 || port > UINT16_MAX)
		return false;
	if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
		snprintf(host, sizeof(host), "%.*s", (int)(n - 2), text + 1);
		return loopback6(at, host, (uint16_t)port);
	}
	snprintf(host, sizeof(host), "%.*s", (int)n, text);
	return loopback4(at, host, (uint16_t)port);
}
