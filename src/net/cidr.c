#include "net/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { MAPPED = 12 }; /* octets before an IPv4 address */

static const uint8_t mapped[MAPPED] = { [10] = 0xff, [11] = 0xff };

bool
cidr_is_ipv4(const uint8_t address[16])
{
	return memcmp(address, mapped, MAPPED) == 0;
}

static bool
parse_address(uint8_t out[16], struct slice s)
{
	char text[INET6_ADDRSTRLEN];

	if (s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	memcpy(out, mapped, MAPPED);
	return inet_pton(AF_INET, text, out + MAPPED) == 1 ||
	       inet_pton(AF_INET6, text, out) == 1;
}

bool
cidr_address(uint8_t out[16], const char *text)
{
	return parse_address(out, (struct slice){ text, strcspn(text, "%") });
}

bool
cidr_address_of(uint8_t out[16], const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *in6 = (const void *)a;
	const struct sockaddr_in *in4 = (const void *)a;

	memcpy(out, mapped, MAPPED);
	if (a->ss_family == AF_INET)
		memcpy(out + MAPPED, &in4->sin_addr, 4);
	else if (a->ss_family == AF_INET6)
		memcpy(out, &in6->sin6_addr, 16);
	return a->ss_family == AF_INET || a->ss_family == AF_INET6;
}

/* Do the first n bits agree? */
static bool
agree(const uint8_t *a, const uint8_t *b, unsigned n)
{
	unsigned rest = n % 8;

	return memcmp(a, b, n / 8) == 0 &&
	       (rest == 0 || (a[n / 8] ^ b[n / 8]) >> (8 - rest) == 0);
}

/* Is no bit set behind those that count? */
static bool
is_rest_clear(const struct cidr *net)
{
	unsigned at = net->bits;

	for (; at < 128; at++)
		if ((net->address[at / 8] & 0x80 >> at % 8) != 0)
			return false;
	return true;
}

/* What stands behind the slash, as bits of 16 octets. */
static bool
parse_bits(struct cidr *out, struct slice s, bool ipv4)
{
	uint32_t bits, most = ipv4 ? 32 : 128;

	if (s.n > 3 || !str_to_u32(s, &bits) || bits > most)
		return false;
	out->bits = (uint8_t)(128 - most + bits);
	return true;
}

static bool
parse(struct cidr *out, struct slice text)
{
	const char *slash = memchr(text.p, '/', text.n);
	struct slice address = text, bits = { NULL, 0 };

	if (slash != NULL) {
		address.n = (size_t)(slash - text.p);
		bits = (struct slice){ slash + 1, text.n - address.n - 1 };
	}
	out->bits = 128;
	return parse_address(out->address, address) &&
	       (slash == NULL ||
		   parse_bits(
		       out, bits, memchr(address.p, ':', address.n) == NULL));
}

enum err
cidr_parse(struct cidr *out, struct slice text, struct errbuf *eb)
{
	char shown[64];

	str_escape(shown, sizeof(shown), text.p, text.n);
	if (!parse(out, text))
		return err_set(eb, E_FORMAT,
		    "%s is no network; write one as 192.0.2.0/24 or "
		    "2001:db8::/32, or an address",
		    shown);
	if (!is_rest_clear(out))
		return err_set(eb, E_FORMAT,
		    "%s has bits behind the /; write the first address of the "
		    "network before it",
		    shown);
	return E_OK;
}

static bool
is_between(char c)
{
	return c == ' ' || c == ',';
}

/* Cuts the next network off *rest; false at the end. */
static bool
next(struct slice *rest, struct slice *item)
{
	size_t begin = 0, end;

	while (begin < rest->n && is_between(rest->p[begin]))
		begin++;
	if (begin == rest->n) /* as for no list at all, whose p may be NULL */
		return false;
	for (end = begin; end < rest->n && !is_between(rest->p[end]);)
		end++;
	*item = (struct slice){ rest->p + begin, end - begin };
	*rest = (struct slice){ rest->p + end, rest->n - end };
	return true;
}

enum err
cidr_parse_list(struct cidr *out, size_t room, size_t *n_r, struct slice text,
    struct errbuf *eb)
{
	struct slice item;
	enum err e;

	for (*n_r = 0; next(&text, &item); (*n_r)++) {
		if (*n_r == room)
			return err_set(eb, E_FULL,
			    "more than %zu networks; a firewall is better at "
			    "so many",
			    room);
		if ((e = cidr_parse(&out[*n_r], item, eb)) != E_OK)
			return e;
	}
	return E_OK;
}

bool
cidr_list_is_good(struct slice list)
{
	struct slice item;
	struct cidr net;
	bool some = false;

	for (; next(&list, &item); some = true)
		if (!parse(&net, item))
			return false;
	return some;
}

bool
cidr_list_has(struct slice list, const char *address)
{
	struct slice item;
	uint8_t from[16];
	struct cidr net;

	if (!cidr_address(from, address))
		return false;
	while (next(&list, &item))
		if (parse(&net, item) && cidr_has(&net, from))
			return true;
	return false;
}

bool
cidr_has(const struct cidr *net, const uint8_t address[16])
{
	return cidr_is_ipv4(net->address) == cidr_is_ipv4(address) &&
	       agree(net->address, address, net->bits);
}

bool
cidr_any_has(const struct cidr *net, size_t n, const uint8_t address[16])
{
	for (size_t i = 0; i < n; i++)
		if (cidr_has(&net[i], address))
			return true;
	return false;
}
