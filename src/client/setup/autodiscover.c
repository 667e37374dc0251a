#include "client/setup/autodiscover.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/setup/xml.h"

#define SCHEMA "http://schemas.microsoft.com/exchange/autodiscover/outlook/"

/* ---- the question ---- */

/* As text of XML; NULL: there is no room. */
static char *
put_escaped(char *out, const char *end, const char *text)
{
	for (; *text != '\0'; text++) {
		const char *word = *text == '&'   ? "&amp;"
				   : *text == '<' ? "&lt;"
				   : *text == '>' ? "&gt;"
						  : NULL;
		size_t n = word != NULL ? strlen(word) : 1;

		if ((size_t)(end - out) <= n)
			return NULL;
		memcpy(out, word != NULL ? word : text, n);
		out += n;
	}
	*out = '\0';
	return out;
}

bool
autodiscover_request(char out[AUTODISCOVER_REQUEST], const char *address)
{
	static const char before[] =
	    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
	    "<Autodiscover xmlns=\"" SCHEMA "requestschema/2006\">"
	    "<Request><EMailAddress>";
	static const char after[] =
	    "</EMailAddress><AcceptableResponseSchema>" SCHEMA
	    "responseschema/2006a</AcceptableResponseSchema></Request>"
	    "</Autodiscover>\n";
	char *p = out + sizeof(before) - 1;

	memcpy(out, before, sizeof(before));
	p = put_escaped(
	    p, out + AUTODISCOVER_REQUEST - sizeof(after) + 1, address);
	if (p == NULL)
		return false;
	memcpy(p, after, sizeof(after));
	return true;
}

/* ---- the answer ---- */

struct reader {
	struct autodiscover *a;
	bool is_answer;
	struct offer offer; /* the one being read */
	bool pop3, imap, tls, starttls, bad;
};

static void
on_start(void *arg, const char *name, const char **attributes)
{
	struct reader *r = arg;

	if (strcmp(name, "Autodiscover") == 0)
		r->is_answer = true;
	if (strcmp(name, "Protocol") != 0)
		return;
	r->offer = (struct offer){ .port = 0 };
	r->pop3 = r->imap = r->starttls = r->bad = false;
	r->tls = true; /* the default of SSL is "on" */
	/* A newer form has the type in the tag. */
	r->pop3 = strcasecmp(xml_attribute(attributes, "Type"), "POP3") == 0;
}

static void
take_offer(struct reader *r)
{
	struct autodiscover *a = r->a;
	struct offer *o = &r->offer;

	a->imap |= r->imap;
	if (!r->pop3 || r->bad || o->server[0] == '\0' || a->n == OFFERS_MAX)
		return;
	/* "TLS" means STARTTLS here, but not on the port of the other one. */
	o->security =
	    r->starttls && o->port != 995 ? SECURITY_STARTTLS : SECURITY_TLS;
	if (!r->tls && !r->starttls)
		o->security = SECURITY_STARTTLS; /* never without it */
	if (o->port == 0)
		o->port = o->security == SECURITY_TLS ? 995 : 110;
	a->v[a->n++] = *o;
}

static void
on_end(void *arg, const char *name, const char *text)
{
	struct reader *r = arg;

	if (strcmp(name, "Protocol") == 0) {
		take_offer(r);
	} else if (strcmp(name, "Type") == 0) {
		r->pop3 = strcasecmp(text, "POP3") == 0;
		r->imap = strcasecmp(text, "IMAP") == 0;
	} else if (strcmp(name, "Server") == 0) {
		r->bad |= !offer_set_server(&r->offer, text);
	} else if (strcmp(name, "Port") == 0) {
		r->bad |= !offer_set_port(&r->offer, text);
	} else if (strcmp(name, "LoginName") == 0) {
		r->bad |= text[0] != '\0' && !offer_set_user(&r->offer, text);
	} else if (strcmp(name, "SSL") == 0) {
		r->tls = strcasecmp(text, "off") != 0;
	} else if (strcmp(name, "Encryption") == 0) {
		r->starttls = strcasecmp(text, "TLS") == 0;
	}
}

bool
autodiscover_parse(struct autodiscover *a, struct slice xml)
{
	static const struct xml_hooks hooks = { on_start, on_end };
	struct reader r = { .a = a };

	*a = (struct autodiscover){ .n = 0 };
	return xml_read(xml, &hooks, &r) && r.is_answer;
}
