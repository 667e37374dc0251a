#include "net/xclient.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool
take_address(struct xclient *x, struct slice value)
{
	struct sockaddr_in *in4 = (void *)&x->client;
	struct sockaddr_in6 *in6 = (void *)&x->client;
	char text[INET6_ADDRSTRLEN];

	if (value.n >= sizeof(text) || memchr(value.p, '\0', value.n) != NULL)
		return false;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	if (inet_pton(AF_INET, text, &in4->sin_addr) == 1)
		x->client.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		x->client.ss_family = AF_INET6;
	return x->client.ss_family != AF_UNSPEC;
}

static bool
take_port(struct xclient *x, struct slice value)
{
	uint32_t port;

	if (!str_to_u32(value, &port) || port > UINT16_MAX)
		return false;
	x->port = (uint16_t)port;
	return true;
}

static bool
take_session(struct xclient *x, struct slice value)
{
	x->session = value;
	return value.n <= XCLIENT_SESSION_MAX;
}

static bool
take_ttl(struct xclient *x, struct slice value)
{
	return str_to_u32(value, &x->ttl) && x->ttl != UINT32_MAX;
}

static bool
take_forward(struct xclient *x, struct slice value)
{
	return true;
}

static const struct {
	const char *name;
	bool (*take)(struct xclient *x, struct slice value);
} fields[] = {
	{ "ADDR", take_address },
	{ "PORT", take_port },
	{ "SESSION", take_session },
	{ "TTL", take_ttl },
	{ "FORWARD", take_forward },
};

enum { N_FIELDS = sizeof(fields) / sizeof(fields[0]) };

/* seen: a bit for each field. */
static bool
take(struct xclient *x, struct slice word, unsigned *seen)
{
	const char *sign = memchr(word.p, '=', word.n);
	struct slice name = word, value;
	bool twice;

	if (sign == NULL)
		return false;
	name.n = (size_t)(sign - word.p);
	value = (struct slice){ sign + 1, word.n - name.n - 1 };
	for (unsigned i = 0; i < N_FIELDS; i++) {
		if (!slice_caseeq(name, fields[i].name))
			continue;
		twice = (*seen & 1u << i) != 0;
		*seen |= 1u << i;
		return !twice && fields[i].take(x, value);
	}
	return name.n != 0;
}

bool
xclient_parse(struct xclient *out, struct slice text)
{
	unsigned seen = 0;

	*out = (struct xclient){ .session = { "", 0 }, .ttl = UINT32_MAX };
	while (text.n != 0) {
		const char *space = memchr(text.p, ' ', text.n);
		size_t n = space != NULL ? (size_t)(space - text.p) : text.n;

		if (n != 0 && !take(out, (struct slice){ text.p, n }, &seen))
			return false;
		n += space != NULL;
		text = (struct slice){ text.p + n, text.n - n };
	}
	return true;
}
