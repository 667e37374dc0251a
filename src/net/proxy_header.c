#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/str.h"

static enum proxy_result
bad(struct proxy_header *h, const char *why)
{
	h->why = why;
	return PROXY_BAD;
}

/* ---- version 1: a line ---- */

enum { LINE_MAX_OCTETS = 107 };

static const char line_start[] = "PROXY ";

/* The octets up to the next space, which is taken, too. */
static struct slice
word_take(struct slice *rest)
{
	const char *space = memchr(rest->p, ' ', rest->n);
	size_t n = space != NULL ? (size_t)(space - rest->p) : rest->n;
	struct slice word = { rest->p, n };
	size_t used = n + (space != NULL);

	*rest = (struct slice){ rest->p + used, rest->n - used };
	return word;
}

static bool
address_parse(int family, struct slice word, void *out)
{
	char text[INET6_ADDRSTRLEN];

	if (word.n >= sizeof(text) || memchr(word.p, '\0', word.n) != NULL)
		return false;
	memcpy(text, word.p, word.n);
	text[word.n] = '\0';
	return inet_pton(family, text, out) == 1;
}

/* No zero stands before it. */
static bool
port_parse(struct slice word, uint32_t *port_r)
{
	return word.n >= 1 && word.n <= 5 &&
	       (word.n == 1 || word.p[0] != '0') && str_to_u32(word, port_r) &&
	       *port_r <= UINT16_MAX;
}

static void
client_set(struct proxy_header *h, int family, const void *address,
    uint16_t port_in_order)
{
	struct sockaddr_in *in4 = (void *)&h->client;
	struct sockaddr_in6 *in6 = (void *)&h->client;

	h->client.ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		memcpy(&in4->sin_addr, address, sizeof(in4->sin_addr));
		in4->sin_port = port_in_order;
	} else {
		memcpy(&in6->sin6_addr, address, sizeof(in6->sin6_addr));
		in6->sin6_port = port_in_order;
	}
}

static enum proxy_result
line_parse(struct proxy_header *h, struct slice line)
{
	struct slice family = word_take(&line);
	int af = slice_eq(family, "TCP4")   ? AF_INET
		 : slice_eq(family, "TCP6") ? AF_INET6
					    : AF_UNSPEC;
	struct in6_addr from, to;
	uint32_t from_port, to_port;

	/* Whatever stands behind this word says nothing. */
	if (slice_eq(family, "UNKNOWN"))
		return PROXY_READ;
	if (af == AF_UNSPEC)
		return bad(h, "proxy-family");
	if (!address_parse(af, word_take(&line), &from) ||
	    !address_parse(af, word_take(&line), &to) ||
	    !port_parse(word_take(&line), &from_port) ||
	    !port_parse(line, &to_port))
		return bad(h, "proxy-address");
	client_set(h, af, &from, htons((uint16_t)from_port));
	return PROXY_READ;
}

static enum proxy_result
line_read(struct proxy_header *h, const char *p, size_t n, size_t *used_r)
{
	size_t max = n < LINE_MAX_OCTETS ? n : LINE_MAX_OCTETS;
	const char *lf = memchr(p, '\n', max);
	size_t end;

	if (lf == NULL)
		return n < LINE_MAX_OCTETS ? PROXY_MORE
					   : bad(h, "proxy-too-long");
	end = (size_t)(lf - p);
	if (lf[-1] != '\r')
		return bad(h, "proxy-line");
	*used_r = end + 1;
	return line_parse(h, (struct slice){ p + sizeof(line_start) - 1,
				 end - 1 - (sizeof(line_start) - 1) });
}

/* ---- version 2: octets ---- */

enum {
	SIGNATURE = 12,
	FIXED = 16, /* before the addresses */
	VERSION_LOCAL = 0x20,
	VERSION_PROXY = 0x21,

	UNSPEC = 0x00,
	TCP4 = 0x11,
	TCP6 = 0x21,
	UNIX_STREAM = 0x31,
	TCP4_OCTETS = 12, /* two addresses, two ports */
	TCP6_OCTETS = 36,
	UNIX_OCTETS = 216,

	/* What follows the addresses: a type, a length of two octets. */
	FIELD_HEAD = 3,
	FIELD_CRC32C = 0x03,
	FIELD_SSL = 0x20,
	FIELD_SSL_VERSION = 0x21, /* within it */
	SSL_HEAD = 5,
	SSL_CLIENT = 0x01,
	CRC_OCTETS = 4,
};

static const char signature[SIGNATURE + 1] = "\r\n\r\n\0\r\nQUIT\n";

static size_t
u16_at(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

/* CRC-32 by Castagnoli's polynomial (RFC 3720 s12.1) of all octets, those at
 * [skip, skip + CRC_OCTETS) as zeros. */
static uint32_t
crc32c(const uint8_t *p, size_t n, size_t skip)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= i >= skip && i < skip + CRC_OCTETS ? 0 : p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* The next field of [*at, end); false: there is none whole. */
static bool
field_take(const uint8_t *p, size_t *at, size_t end, uint8_t *type_r,
    const uint8_t **value_r, size_t *n_r)
{
	if (end - *at < FIELD_HEAD ||
	    end - *at - FIELD_HEAD < u16_at(p + *at + 1))
		return false;
	*type_r = p[*at];
	*value_r = p + *at + FIELD_HEAD;
	*n_r = u16_at(p + *at + 1);
	*at += FIELD_HEAD + *n_r;
	return true;
}

static void
note_version(struct proxy_header *h, const uint8_t *value, size_t n)
{
	if (n >= sizeof(h->tls_version))
		n = sizeof(h->tls_version) - 1;
	for (size_t i = 0; i < n; i++)
		h->tls_version[i] =
		    value[i] > ' ' && value[i] <= '~' && value[i] != '"'
			? (char)value[i]
			: '?';
	h->tls_version[n] = '\0';
}

static bool
ssl_read(struct proxy_header *h, const uint8_t *p, size_t n)
{
	size_t at = SSL_HEAD, len;
	const uint8_t *value;
	uint8_t type;

	if (n < SSL_HEAD)
		return false;
	h->tls = (p[0] & SSL_CLIENT) != 0 ? PROXY_TLS_SPOKEN : PROXY_TLS_NONE;
	while (at < n) {
		if (!field_take(p, &at, n, &type, &value, &len))
			return false;
		if (type == FIELD_SSL_VERSION)
			note_version(h, value, len);
	}
	return true;
}

static bool
is_sum_right(const uint8_t *p, size_t n, const uint8_t *value, size_t len)
{
	uint32_t said;

	if (len != CRC_OCTETS)
		return false;
	memcpy(&said, value, sizeof(said));
	return ntohl(said) == crc32c(p, n, (size_t)(value - p));
}

static enum proxy_result
fields_read(struct proxy_header *h, const uint8_t *p, size_t at, size_t n)
{
	const uint8_t *value;
	uint8_t type;
	size_t len;

	while (at < n) {
		if (!field_take(p, &at, n, &type, &value, &len))
			return bad(h, "proxy-field");
		if (type == FIELD_CRC32C && !is_sum_right(p, n, value, len))
			return bad(h, "proxy-sum");
		if (type == FIELD_SSL && !ssl_read(h, value, len))
			return bad(h, "proxy-field");
	}
	return PROXY_READ;
}

/* All n octets of the header are there. */
static enum proxy_result
addresses_read(struct proxy_header *h, const uint8_t *p, size_t n)
{
	const uint8_t *from = p + FIXED;
	size_t octets = p[13] == TCP4          ? TCP4_OCTETS
			: p[13] == TCP6        ? TCP6_OCTETS
			: p[13] == UNIX_STREAM ? UNIX_OCTETS
					       : 0;
	uint16_t port;

	if (octets == 0 && p[13] != UNSPEC)
		return bad(h, "proxy-family");
	if (n - FIXED < octets)
		return bad(h, "proxy-address");
	if (p[13] == TCP4) {
		memcpy(&port, from + 8, sizeof(port));
		client_set(h, AF_INET, from, port);
	} else if (p[13] == TCP6) {
		memcpy(&port, from + 32, sizeof(port));
		client_set(h, AF_INET6, from, port);
	}
	return fields_read(h, p, FIXED + octets, n);
}

static enum proxy_result
octets_read(struct proxy_header *h, const char *text, size_t n, size_t *used_r)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t all;

	if (n > SIGNATURE && p[12] != VERSION_PROXY && p[12] != VERSION_LOCAL)
		return bad(h, "proxy-version");
	if (n < FIXED)
		return PROXY_MORE;
	all = FIXED + u16_at(p + 14);
	if (all > PROXY_HEADER_MAX)
		return bad(h, "proxy-too-long");
	if (n < all)
		return PROXY_MORE;
	*used_r = all;
	/* Of the proxy itself nothing else is said that counts. */
	h->local = p[12] == VERSION_LOCAL;
	return h->local ? PROXY_READ : addresses_read(h, p, all);
}

/* ---- either ---- */

/* Do the octets that are there begin so? */
static bool
begins(const char *p, size_t n, const char *start, size_t len)
{
	return memcmp(p, start, n < len ? n : len) == 0;
}

enum proxy_result
proxy_header_read(
    struct proxy_header *out, const char *p, size_t n, size_t *used_r)
{
	memset(out, 0, sizeof(*out));
	*used_r = 0;
	if (n == 0)
		return PROXY_MORE;
	if (begins(p, n, signature, SIGNATURE))
		return octets_read(out, p, n, used_r);
	if (!begins(p, n, line_start, sizeof(line_start) - 1))
		return bad(out, "proxy-header-missing");
	return n < sizeof(line_start) - 1 ? PROXY_MORE
					  : line_read(out, p, n, used_r);
}
