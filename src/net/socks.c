#include "net/socks.h"

#include <netinet/in.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"

enum { SOCKS_PORT = 1080, SOCKS_VERSION = 5, AUTH_VERSION = 1 };
enum { METHOD_NONE = 0, METHOD_PASSWORD = 2, METHOD_REFUSED = 0xff };
enum { CONNECT = 1, TYPE_IPV4 = 1, TYPE_NAME = 3, TYPE_IPV6 = 4 };

/* ---- the proxy as configured ---- */

static enum err
no_proxy(struct errbuf *eb)
{
	return err_set(eb, E_CONFIG,
	    _("the proxy must be \"[socks5://][USER:PASSWORD@]HOST[:PORT]\""));
}

static bool
part(char out[256], const char *p, size_t n)
{
	if (n == 0 || n > 255)
		return false;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

static bool
parse_port(uint16_t *port_r, const char *text)
{
	struct slice s = { text, strlen(text) };
	uint32_t v;

	if (!str_to_u32(s, &v) || v == 0 || v > UINT16_MAX)
		return false;
	*port_r = (uint16_t)v;
	return true;
}

static bool
parse_credentials(struct socks_proxy *p, const char *text, size_t n)
{
	const char *colon = memchr(text, ':', n);
	size_t user;

	if (colon == NULL)
		return false;
	user = (size_t)(colon - text);
	p->signs_in = true;
	return part(p->user, text, user) &&
	       part(p->password, colon + 1, n - user - 1);
}

/* Without brackets the last group of an IPv6 address would be the port. */
static bool
parse_place(struct socks_proxy *p, const char *text)
{
	char host[256];
	const char *end;

	if (text[0] == '[') {
		text++;
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
	} else {
		end = text + strcspn(text, ":");
		if (strchr(end, ':') != strrchr(text, ':'))
			return false;
	}
	if (!part(host, text, (size_t)(end - text)))
		return false;
	end += *end == ']';
	return (*end == '\0' || parse_port(&p->port, end + 1)) &&
	       host_ascii(p->host, host, NULL) == E_OK;
}

enum err
socks_proxy_parse(struct socks_proxy *p, const char *text, struct errbuf *eb)
{
	static const char scheme[] = "socks5://";
	const char *at;

	memset(p, 0, sizeof(*p));
	p->port = SOCKS_PORT;
	if (strncmp(text, scheme, sizeof(scheme) - 1) == 0)
		text += sizeof(scheme) - 1;
	if ((at = strrchr(text, '@')) != NULL) {
		if (!parse_credentials(p, text, (size_t)(at - text)))
			return no_proxy(eb);
		text = at + 1;
	}
	return parse_place(p, text) ? E_OK : no_proxy(eb);
}

/* ---- what is sent ---- */

static void
socks_put(struct socks *s, const void *p, size_t n)
{
	memcpy(s->out + s->out_n, p, n);
	s->out_n += n;
}

static void
put1(struct socks *s, size_t v)
{
	s->out[s->out_n++] = (unsigned char)v;
}

static void
await(struct socks *s, enum socks_phase phase, size_t need)
{
	s->phase = phase;
	s->need = need;
	s->in_n = 0;
}

void
socks_start(struct socks *s, const struct socks_proxy *proxy, const char *host,
    uint16_t port)
{
	memset(s, 0, sizeof(*s));
	s->proxy = proxy;
	s->host = host;
	s->port = port;
	put1(s, SOCKS_VERSION);
	put1(s, proxy->signs_in ? 2 : 1);
	put1(s, METHOD_NONE);
	if (proxy->signs_in)
		put1(s, METHOD_PASSWORD);
	await(s, SOCKS_METHOD, 2);
}

static void
send_credentials(struct socks *s)
{
	size_t user = strlen(s->proxy->user);
	size_t password = strlen(s->proxy->password);

	s->out_n = 0;
	put1(s, AUTH_VERSION);
	put1(s, user);
	socks_put(s, s->proxy->user, user);
	put1(s, password);
	socks_put(s, s->proxy->password, password);
	await(s, SOCKS_AUTH, 2);
}

static void
send_connect(struct socks *s)
{
	struct sockaddr_storage a;
	struct sockaddr_in *in4 = (void *)&a;
	struct sockaddr_in6 *in6 = (void *)&a;

	explicit_bzero(s->out, sizeof(s->out));
	s->out_n = 0;
	put1(s, SOCKS_VERSION);
	put1(s, CONNECT);
	put1(s, 0);
	if (!host_address(&a, s->host)) {
		put1(s, TYPE_NAME);
		put1(s, strlen(s->host));
		socks_put(s, s->host, strlen(s->host));
	} else if (a.ss_family == AF_INET) {
		put1(s, TYPE_IPV4);
		socks_put(s, &in4->sin_addr, 4);
	} else {
		put1(s, TYPE_IPV6);
		socks_put(s, &in6->sin6_addr, 16);
	}
	put1(s, s->port >> 8);
	put1(s, s->port & 0xff);
	await(s, SOCKS_HEAD, 2);
}

/* ---- what comes ---- */

static enum err
not_socks(struct errbuf *eb)
{
	return err_set(
	    eb, E_FORMAT, "%s", _("the proxy does not speak SOCKS5"));
}

static enum err
take_method(struct socks *s, struct errbuf *eb)
{
	if (s->in[0] != SOCKS_VERSION)
		return not_socks(eb);
	if (s->in[1] == METHOD_NONE)
		send_connect(s);
	else if (s->in[1] == METHOD_PASSWORD && s->proxy->signs_in)
		send_credentials(s);
	else if (s->in[1] != METHOD_REFUSED)
		return not_socks(eb);
	else if (s->proxy->signs_in)
		return err_set(eb, E_DENIED, "%s",
		    _("the proxy refused: it takes no user and password"));
	else
		return err_set(eb, E_DENIED, "%s",
		    _("the proxy refused: it wants a user and a password"));
	return E_AGAIN;
}

static enum err
take_auth(struct socks *s, struct errbuf *eb)
{
	if (s->in[0] != AUTH_VERSION)
		return not_socks(eb);
	if (s->in[1] != 0)
		return err_set(eb, E_DENIED, "%s",
		    _("the proxy refused: wrong user or password"));
	send_connect(s);
	return E_AGAIN;
}

static enum err
refused(unsigned code, struct errbuf *eb)
{
	static const char *const words[] = {
		[1] = N_("general failure"),
		[2] = N_("its rules do not allow it"),
		[3] = N_("it cannot reach that network"),
		[4] = N_("it cannot reach that computer, or does not know it"),
		[5] = N_("the connection was refused there"),
		[6] = N_("the way is too long (TTL expired)"),
		[7] = N_("it cannot connect for others"),
		[8] = N_("it does not know that kind of address"),
	};

	if (code >= sizeof(words) / sizeof(words[0]))
		return err_set(eb, E_IO, _("the proxy refused: code %u"), code);
	return err_set(eb, code == 2 ? E_DENIED : E_IO,
	    _("the proxy refused: %s"), _(words[code]));
}

static enum err
take_head(struct socks *s, struct errbuf *eb)
{
	if (s->in[0] != SOCKS_VERSION)
		return not_socks(eb);
	if (s->in[1] != 0)
		return refused(s->in[1], eb);
	await(s, SOCKS_TYPE, 3);
	return E_AGAIN;
}

/* A reserved octet, the type of an address, and its first octet.  The rest of
 * the address and a port follow; they are of no use to us. */
static enum err
take_type(struct socks *s, struct errbuf *eb)
{
	size_t left;

	switch (s->in[1]) {
	case TYPE_IPV4: left = 4 - 1; break;
	case TYPE_IPV6: left = 16 - 1; break;
	case TYPE_NAME: left = s->in[2]; break;
	default: return not_socks(eb);
	}
	await(s, SOCKS_BOUND, left + 2);
	return E_AGAIN;
}

size_t
socks_wants(const struct socks *s)
{
	return s->need - s->in_n;
}

enum err
socks_take(struct socks *s, const void *p, size_t n, struct errbuf *eb)
{
	memcpy(s->in + s->in_n, p, n);
	s->in_n += n;
	if (s->in_n < s->need)
		return E_AGAIN;
	switch (s->phase) {
	case SOCKS_METHOD: return take_method(s, eb);
	case SOCKS_AUTH: return take_auth(s, eb);
	case SOCKS_HEAD: return take_head(s, eb);
	case SOCKS_TYPE: return take_type(s, eb);
	default: s->need = s->in_n = 0; return E_OK;
	}
}
