#include "client/setup/autoconfig.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/setup/xml.h"

struct reader {
	struct autoconfig *a;
	const char *address;
	bool is_config; /* the document is one */
	bool in_pop3, in_smtp;
	struct offer offer; /* the one being read */
	bool bad, plain, token, other;
};

/* ---- placeholders ---- */

/* What stands at p for a part of the address, and its length there; 0: none. */
static size_t
placeholder(const char *p, const char *address, struct slice *part_r)
{
	const char *at = strrchr(address, '@');
	struct {
		const char *name;
		struct slice part;
	} const known[] = {
		{ "%EMAILADDRESS%", { address, strlen(address) } },
		{ "%EMAILLOCALPART%", { address, (size_t)(at - address) } },
		{ "%EMAILDOMAIN%", { at + 1, strlen(at + 1) } },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = strlen(known[i].name);

		if (strncmp(p, known[i].name, n) == 0) {
			*part_r = known[i].part;
			return n;
		}
	}
	return 0;
}

/* False: it is too long. */
static bool
fill_in(char out[XML_TEXT], const char *text, const char *address)
{
	struct slice part;
	size_t n = 0, skip;

	while (*text != '\0') {
		if ((skip = placeholder(text, address, &part)) == 0) {
			part = (struct slice){ text, 1 };
			skip = 1;
		}
		if (part.n >= XML_TEXT - n)
			return false;
		memcpy(out + n, part.p, part.n);
		n += part.n;
		text += skip;
	}
	out[n] = '\0';
	return true;
}

/* ---- the document ---- */

static void
on_start(void *arg, const char *name, const char **attributes)
{
	struct reader *r = arg;
	const char *type = xml_attribute(attributes, "type");

	if (strcmp(name, "clientConfig") == 0)
		r->is_config = true;
	if (strcmp(name, "outgoingServer") == 0) {
		r->in_smtp = strcasecmp(type, "smtp") == 0;
	} else if (strcmp(name, "incomingServer") == 0) {
		r->in_pop3 = strcasecmp(type, "pop3") == 0;
		r->a->imap |= strcasecmp(type, "imap") == 0;
	} else {
		return;
	}
	r->offer = (struct offer){ .security = SECURITY_TLS };
	r->bad = r->plain = r->token = r->other = false;
}

static void
take_security(struct reader *r, const char *text)
{
	r->plain = strcasecmp(text, "plain") == 0;
	if (strcasecmp(text, "STARTTLS") == 0)
		r->offer.security = SECURITY_STARTTLS;
	else
		r->bad |= !r->plain && strcasecmp(text, "SSL") != 0;
}

/* The end of one that sends. */
static void
take_smtp(struct reader *r)
{
	struct offer *o = &r->offer;

	r->in_smtp = false;
	if (o->port == 0)
		o->port = o->security == SECURITY_TLS ? 465 : 587;
	if (!r->bad && !r->plain && o->server[0] != '\0' &&
	    r->a->smtp.server[0] == '\0')
		r->a->smtp = *o;
}

/* The end of one that gives mail out. */
static void
take_offer(struct reader *r)
{
	struct autoconfig *a = r->a;

	r->in_pop3 = false;
	if (r->offer.port == 0)
		r->offer.port = r->offer.security == SECURITY_TLS ? 995 : 110;
	r->offer.only_token = r->token && !r->other;
	if (r->bad || r->offer.server[0] == '\0')
		return;
	if (r->plain)
		a->plain = true;
	else if (a->n < OFFERS_MAX)
		a->v[a->n++] = r->offer;
}

static void
on_end(void *arg, const char *name, const char *text)
{
	struct reader *r = arg;
	char whole[XML_TEXT];

	if (!r->in_pop3 && !r->in_smtp)
		return;
	if (strcmp(name, "incomingServer") == 0)
		take_offer(r);
	else if (strcmp(name, "outgoingServer") == 0)
		take_smtp(r);
	else if (strcmp(name, "socketType") == 0)
		take_security(r, text);
	else if (strcmp(name, "port") == 0)
		r->bad |= !offer_set_port(&r->offer, text);
	else if (!fill_in(whole, text, r->address))
		r->bad = true;
	else if (strcmp(name, "hostname") == 0)
		r->bad |= !offer_set_server(&r->offer, whole);
	else if (strcmp(name, "username") == 0)
		r->bad |= !offer_set_user(&r->offer, whole);
	else if (strcmp(name, "authentication") == 0)
		*(strcasecmp(text, "OAuth2") == 0 ? &r->token : &r->other) =
		    true;
}

bool
autoconfig_parse(struct autoconfig *a, struct slice xml, const char *address)
{
	static const struct xml_hooks hooks = { on_start, on_end };
	struct reader r = { .a = a, .address = address };

	*a = (struct autoconfig){ .n = 0 };
	return xml_read(xml, &hooks, &r) && r.is_config;
}
