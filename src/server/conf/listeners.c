/*
 * The listeners of a configuration: those that are there by default, whether
 * each has what its TLS needs, and that no two want the same address.  See
 * check.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/cidr.h"
#include "sasl/sasl.h"
#include "server/conf/address.h"
#include "server/conf/check.h"
#include "server/conf/socket_path.h"

static void
add_default(
    struct conf *c, const char *name, uint16_t port, enum listen_tls tls)
{
	struct conf_listener *l = &c->listener[c->n_listeners++];

	memset(l, 0, sizeof(*l));
	snprintf(l->name, sizeof(l->name), "%s", name);
	memcpy(l->address[0], "*", 2);
	l->n_addresses = 1;
	l->port = port;
	l->tls = tls;
}

/* Is there a mechanism that lets nobody read a password? */
static bool
has_secret_login(const struct conf *c, const struct conf_listener *l)
{
	const char *p =
	    l->mechanisms[0] != '\0' ? l->mechanisms : c->mechanisms;

	while (*(p += strspn(p, " ")) != '\0') {
		struct slice name = { p, strcspn(p, " ") };
		const struct sasl_mechanism *m = sasl_find(name);

		if (m != NULL &&
		    (m->asks != SASL_TICKET || l->plaintext_gssapi) &&
		    !(m->flags & (SASL_PLAINTEXT | SASL_NEEDS_BINDING |
				     SASL_NEEDS_CERTIFICATE)))
			return true;
		p += name.n;
	}
	return false;
}

/* ---- who is served ---- */

/* Of all listeners together: what a worker is told in one message. */
enum { NETS_TOTAL = 4 * NETS_MAX };

static bool
is_everything(const struct cidr *net)
{
	return net->bits == (cidr_is_ipv4(net->address) ? 96 : 0);
}

/* Whoever is there can say from where it comes. */
static void
warn_of_width(const char *nets, unsigned line, const struct conf_text *t)
{
	struct cidr net[NETS_MAX / CIDR_TEXT_MIN + 1];
	struct errbuf eb;
	size_t n;

	if (cidr_parse_list(net, sizeof(net) / sizeof(net[0]), &n,
		(struct slice){ nets, strlen(nets) }, &eb) != E_OK)
		return; /* that was said already */
	for (size_t i = 0; i < n; i++)
		if (is_everything(&net[i]))
			conf_warn(t, line,
			    "proxy_from is the whole internet: everybody can "
			    "say there from which address they come; name the "
			    "proxies");
}

/* A listener without a list has that of all. */
static void
check_nets(char nets[NETS_MAX], const char of_all[NETS_MAX], unsigned line,
    const char *setting, const struct conf_text *t)
{
	struct cidr net[NETS_MAX / CIDR_TEXT_MIN + 1];
	struct errbuf eb;
	size_t n;

	if (nets[0] == '\0')
		memcpy(nets, of_all, NETS_MAX);
	else if (cidr_parse_list(net, sizeof(net) / sizeof(net[0]), &n,
		     (struct slice){ nets, strlen(nets) }, &eb) != E_OK)
		conf_error(t, line, "%s: %s", setting, eb.text);
	else if (n == 0)
		conf_error(t, line,
		    "%s names no network; write one as 192.0.2.0/24, or leave "
		    "the setting out",
		    setting);
}

static void
check_all_nets(struct conf *c, const struct conf_lines *l)
{
	static const char none[NETS_MAX];
	size_t total = 0;

	check_nets(c->allow_nets, none, l->line(l, "allow_nets"), "allow_nets",
	    &l->text);
	check_nets(
	    c->deny_nets, none, l->line(l, "deny_nets"), "deny_nets", &l->text);
	for (unsigned i = 0; i < c->n_listeners; i++) {
		struct conf_listener *of = &c->listener[i];

		check_nets(of->allow_nets, c->allow_nets, of->line,
		    "allow_nets", &l->text);
		check_nets(of->deny_nets, c->deny_nets, of->line, "deny_nets",
		    &l->text);
		check_nets(
		    of->proxy_from, none, of->line, "proxy_from", &l->text);
		warn_of_width(of->proxy_from, of->line, &l->text);
		total += (strlen(of->allow_nets) + strlen(of->deny_nets) +
			     strlen(of->proxy_from)) *
			 (of->socket[0] != '\0' ? 1 : 2 * of->n_addresses);
	}
	if (total > NETS_TOTAL)
		conf_error(&l->text, 0,
		    "allow_nets, deny_nets and proxy_from of all listeners "
		    "together are longer than %d octets; a firewall is better "
		    "at so many",
		    NETS_TOTAL);
}

/* ---- where ---- */

/* Could anybody sign in there? */
static void
check_tls(const struct conf *c, const struct conf_listener *l,
    const struct conf_text *t)
{
	if (l->tls != LISTEN_PLAIN && c->n_certificates == 0)
		conf_error(t, l->line,
		    "listener \"%s\" needs a certificate for TLS; write "
		    "certificate = \"FILE\", or in the listener tls = \"none\" "
		    "and plaintext_login = yes",
		    l->name);
	else if (l->tls == LISTEN_PLAIN && !l->plaintext_login && !l->secured &&
		 l->socket[0] == '\0' && !l->kpop && !c->worker.apop &&
		 !has_secret_login(c, l))
		conf_error(t, l->line,
		    "nobody could sign in at listener \"%s\", without TLS and "
		    "without plaintext_login; write tls = \"starttls\", or "
		    "plaintext_login = yes",
		    l->name);
}

/* A Unix socket. */
static void
check_socket(
    const struct conf *c, struct conf_listener *l, const struct conf_text *t)
{
	size_t digits = strspn(l->mode, "01234567");

	if (l->socket[0] == '\0')
		return;
	l->mode_bits = (uint16_t)strtoul(l->mode, NULL, 8);
	if (l->socket[0] != '/')
		conf_error(t, l->line,
		    "listener \"%s\" needs an absolute path for its socket; "
		    "write for example socket = \"/run/malote/pop3\"",
		    l->name);
	else if (socket_path_is_same(l->socket, c->control_socket))
		conf_error(t, l->line,
		    "listener \"%s\": %s is the control socket; write another "
		    "path",
		    l->name, l->socket);
	if (l->n_addresses != 0)
		conf_error(t, l->line,
		    "listener \"%s\" has an address and a socket; make two "
		    "listeners of it",
		    l->name);
	if (l->same_user)
		conf_error(t, l->line,
		    "listener \"%s\" has a socket, of which its mode says who "
		    "may connect; write mode = \"0600\" instead of same_user",
		    l->name);
	if (digits < 3 || digits > 4 || l->mode[digits] != '\0' ||
	    (l->mode_bits & ~0666u) != 0 || (l->mode_bits & 0222u) == 0)
		conf_error(t, l->line,
		    "listener \"%s\": mode = \"%s\" says nothing about who may "
		    "connect to a socket; write 0660, or 0600 or 0666",
		    l->name, l->mode);
}

static uint32_t
certificate_bit(const struct conf *c, struct slice name)
{
	for (unsigned i = 0; i < c->n_certificates; i++)
		if (slice_eq(name, c->certificates[i].name))
			return 1u << i;
	return 0;
}

/* Which ones it has: all, unless it names some. */
static void
find_certificates(
    const struct conf *c, struct conf_listener *l, const struct conf_text *t)
{
	const char *p = l->certificates;
	uint32_t bit;

	if (l->tls == LISTEN_PLAIN)
		return;
	if (p[strspn(p, " ")] == '\0')
		l->certificate_bits =
		    (uint32_t)((UINT64_C(1) << c->n_certificates) - 1);
	while (*(p += strspn(p, " ")) != '\0') {
		struct slice name = { p, strcspn(p, " ") };

		if ((bit = certificate_bit(c, name)) == 0)
			conf_error(t, l->line,
			    "listener \"%s\": there is no block certificate "
			    "\"%.*s\"",
			    l->name, (int)name.n, name.p);
		l->certificate_bits |= bit;
		p += name.n;
	}
}

/* What a proxy says. */
static void
check_proxy(const struct conf_listener *l, const struct conf_text *t)
{
	bool none = l->proxy_from[0] == '\0';

	if (none && (l->secured || l->proxy != PROXY_BY_HEADER))
		conf_error(t, l->line,
		    "listener \"%s\" has %s, but it is not said where the "
		    "proxy is; write proxy_from = \"ADDRESS\"",
		    l->name, l->secured ? "secured" : "a setting proxy");
	if (l->secured && l->tls == LISTEN_TLS)
		conf_error(t, l->line,
		    "listener \"%s\" has TLS of its own, and one that a proxy "
		    "has secured; write tls = \"none\", or leave secured out",
		    l->name);
	if (!none && l->kpop && l->proxy == PROXY_BY_XCLIENT)
		conf_error(t, l->line,
		    "listener \"%s\" is KPOP, where there is no XCLIENT before "
		    "the ticket; leave kpop out, or write proxy = \"haproxy\"",
		    l->name);
}

static void
check_overlap(const struct conf_listener *l, const struct listen_addr *a,
    const struct conf_listener *other, const struct listen_addr *b,
    const struct conf_text *t)
{
	char at[ADDRESS_SHOWN], where[CONF_LINE_WORDS];

	if (!address_overlap(a, b))
		return;
	address_show(at, a);
	if (l == other)
		conf_error(t, l->line,
		    "listener \"%s\" has %s twice; leave one of them", l->name,
		    at);
	else
		conf_error(t, l->line,
		    "listener \"%s\" is at %s, where listener \"%s\" of %s is; "
		    "give it another %s",
		    l->name, at, other->name,
		    conf_line_words(where, t, other->line, l->line),
		    address_path(a) != NULL ? "path" : "port or address");
}

/* What auth is told: all of them, for it does not know listeners. */
static void
list_proxies(struct conf *c)
{
	char *out = c->auth.proxies;
	size_t n = 0, size = sizeof(c->auth.proxies);

	for (unsigned i = 0; i < c->n_listeners && n < size; i++) {
		const struct conf_listener *l = &c->listener[i];

		n += (size_t)snprintf(out + n, size - n, "%s ", l->proxy_from);
		c->auth.local_clients |= l->socket[0] != '\0';
	}
}

void
conf_check_listeners(struct conf *c, const struct conf_lines *lines)
{
	struct listen_addr addr[LISTENERS_MAX];
	const struct conf_listener *of[LISTENERS_MAX];
	unsigned n = 0, more;
	struct errbuf eb;

	if (c->n_listeners == 0) {
		add_default(c, "pop3", 110, LISTEN_STLS);
		if (c->n_certificates != 0)
			add_default(c, "pop3s", 995, LISTEN_TLS);
	}
	check_all_nets(c, lines);
	list_proxies(c);
	for (unsigned i = 0; i < c->n_listeners; i++) {
		struct conf_listener *l = &c->listener[i];

		find_certificates(c, l, &lines->text);
		check_socket(c, l, &lines->text);
		check_tls(c, l, &lines->text);
		check_proxy(l, &lines->text);
		if (address_list(l, addr + n, LISTENERS_MAX - n, &more, &eb) !=
		    E_OK) {
			conf_error(&lines->text, l->line, "listener \"%s\": %s",
			    l->name, eb.text);
			continue;
		}
		for (unsigned k = n; k < n + more; k++) {
			of[k] = l;
			for (unsigned j = 0; j < k; j++)
				check_overlap(
				    l, &addr[k], of[j], &addr[j], &lines->text);
		}
		n += more;
	}
}
