#include "client/setup/add_server.h"

#include <ev.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/i18n.h"
#include "client/conf/value.h"
#include "client/setup/domain.h"
#include "client/setup/talk.h"

enum { ROOM = 512 };

/* ---- given or typed ---- */

/* "HOST", "HOST:PORT" or "[ADDRESS]:PORT"; false: it is none of them. */
static bool
take_server(struct offer *o, const char *text)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : NULL;
	const char *colon = strchr(end != NULL ? end : text, ':');
	char host[HOST_MAX];
	size_t n;

	/* An IPv6 address without brackets has no port behind it. */
	if (end == NULL && colon != NULL && strchr(colon + 1, ':') != NULL)
		colon = NULL;
	text += end != NULL;
	n = end != NULL     ? (size_t)(end - text)
	    : colon != NULL ? (size_t)(colon - text)
			    : strlen(text);
	if (n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	return (colon == NULL || offer_set_port(o, colon + 1)) &&
	       offer_set_server(o, host);
}

static void
fill_port(struct offer *o, bool has_security)
{
	if (!has_security && o->port == 110)
		o->security = SECURITY_STARTTLS;
	if (o->port == 0)
		o->port = o->security == SECURITY_TLS ? 995 : 110;
}

/* What the command line says of the server. */
static bool
take_given(struct adding *a)
{
	const struct add_request *r = a->r;
	struct offer *o = &a->draft.offer;
	struct errbuf eb;

	if (r->security != NULL && value_security(NULL, "--security",
				       &o->security, r->security, &eb) != E_OK)
		return adding_fail(a, EX_USAGE, "%s", eb.text);
	if (r->server != NULL && !take_server(o, r->server))
		return adding_fail(
		    a, EX_USAGE, _("\"%s\" is no server"), r->server);
	if (r->port != NULL && !offer_set_port(o, r->port))
		return adding_fail(
		    a, EX_USAGE, _("\"%s\" is no port"), r->port);
	if (r->user != NULL && !offer_set_user(o, r->user))
		return adding_fail(
		    a, EX_USAGE, _("\"%s\" is no user name"), r->user);
	return true;
}

bool
adding_ask_server(struct adding *a)
{
	struct offer *o = &a->draft.offer;
	struct offer typed;
	char text[ROOM];

	for (;;) {
		text[0] = '\0';
		if (!talk_ask(text, sizeof(text),
			_("POP3 server, as your provider names it (Enter: "
			  "leave): ")) ||
		    text[0] == '\0')
			return adding_leave(a);
		typed = (struct offer){ .security = SECURITY_TLS };
		if (take_server(&typed, text)) {
			fill_port(&typed, false);
			snprintf(typed.user, sizeof(typed.user), "%s", o->user);
			*o = typed;
			return true;
		}
		talk_say("",
		    _("\"%s\" is no server; write a name as "
		      "pop.example.org"),
		    text);
	}
}

/* ---- found ---- */

static void
show_offer(const struct adding *a)
{
	const struct offer *o = &a->draft.offer;

	talk_print("  %s %s\n  %s %u, %s\n", _("server:"), o->server,
	    _("port:"), o->port,
	    o->security == SECURITY_TLS        ? "TLS"
	    : o->security == SECURITY_STARTTLS ? "STARTTLS"
					       : _("without TLS"));
	if (o->user[0] != '\0')
		talk_print("  %s %s\n", _("user:"), o->user);
}

static void
show_source(const struct adding *a)
{
	const struct found *f = &a->found;

	switch (f->by) {
	case FOUND_PROVIDER: talk_say("", "%s:", f->provider->name); break;
	case FOUND_MX:
		talk_say("", _("The mail of %s is at %s (%s):"), a->domain,
		    f->provider->name, f->source);
		break;
	case FOUND_AUTOCONFIG:
		talk_say("", _("%s says (autoconfig):"), f->source);
		break;
	case FOUND_SRV: talk_say("", _("%s says (DNS):"), f->source); break;
	case FOUND_AUTODISCOVER:
		talk_say("", _("%s says (Autodiscover):"), f->source);
		break;
	default:
		talk_say("",
		    _("Nobody says which server %s has; this one "
		      "answers:"),
		    a->domain);
		break;
	}
}

static void
show_first(const struct adding *a)
{
	const struct provider *p = a->found.provider;

	if (p == NULL || p->first == NULL)
		return;
	talk_print("\n");
	talk_say("", "%s: %s", p->name, _(p->first));
	if (p->page != NULL)
		talk_print("%s\n", p->page);
	talk_print("\n");
}

/* Who is it that the password would go to? */
static bool
confirm_server(struct adding *a)
{
	const struct offer *o = &a->draft.offer;
	const char *owner = domain_registrable(o->server);
	/* What only DNS says, anybody on the way may have said; but a provider
	 * that is known is not anybody. */
	bool usual = a->found.by == FOUND_MX ||
		     (a->found.by == FOUND_AUTOCONFIG &&
			 domain_has(a->domain, a->found.source));

	if (a->found.by == FOUND_PROVIDER || a->r->yes ||
	    domain_has(a->domain, o->server))
		return true;
	if (owner == NULL)
		owner = o->server;
	if (!a->r->terminal)
		return adding_fail(a, EX_USAGE,
		    _("%s belongs to %s and not to %s; if that is right, "
		      "add --yes, or --server %s"),
		    o->server, owner, a->domain, o->server);
	switch (talk_confirm(usual,
	    _("%s belongs to %s and not to %s. Is that right?"), o->server,
	    owner, a->domain)) {
	case TALK_YES: return true;
	case TALK_NO: return adding_ask_server(a);
	default: return adding_leave(a);
	}
}

/* ---- finding ---- */

struct finding {
	struct found *found;
	bool over;
};

static void
on_found(void *arg, const struct found *found)
{
	struct finding *f = arg;

	*f->found = *found;
	f->over = true;
}

static bool
run_find(struct adding *a, bool autodiscover)
{
	struct finding f = { .found = &a->found };
	const struct find_question q = {
		.loop = a->loop,
		.dialer = a->dialer,
		.address = a->draft.email,
		.autodiscover = autodiscover,
		.done = on_found,
		.arg = &f,
	};
	struct errbuf eb;
	struct find *find;

	if (find_start(&find, &q, &eb) != E_OK)
		return adding_fail(a, EX_USAGE, "%s", eb.text);
	while (!f.over)
		ev_run(a->loop, EVRUN_ONCE);
	find_free(find);
	return true;
}

static bool
no_pop3(struct adding *a)
{
	const struct provider *p = a->found.provider;

	return adding_fail(a, EX_UNAVAILABLE, _("%s has no POP3: %s%s%s"),
	    p->name, _(p->first), p->page != NULL ? "; " : "",
	    p->page != NULL ? p->page : "");
}

static const char *
why_nothing(const struct found *f)
{
	if (f->offline)
		return _("no name server answers; is there a network?");
	if (f->imap)
		return _("it names IMAP servers only, and perhaps it has no "
			 "POP3");
	if (f->no_mail)
		return _("there is no such domain, or it takes no mail; is "
			 "the address right?");
	return _("nobody says which one it is, and no usual name answers");
}

static bool
is_found(const struct adding *a)
{
	return a->found.by != FOUND_NOTHING && a->found.offer.server[0] != '\0';
}

/* Autodiscover is often answered by others than the domain, and they are told
 * the address. */
static bool
try_autodiscover(struct adding *a)
{
	switch (talk_confirm(false,
	    _("Ask Autodiscover, too? It tells the whole address to "
	      "autodiscover.%s."),
	    a->domain)) {
	case TALK_LEFT: return adding_leave(a);
	case TALK_NO: return true;
	default: return run_find(a, true);
	}
}

/* Nobody is there who could say more. */
static bool
fail_to_find(struct adding *a, const char *why)
{
	bool pointless = a->found.offline || a->found.no_mail;

	return adding_fail(a, EX_NOHOST,
	    pointless ? _("no POP3 server was found for %s: %s")
		      : _("no POP3 server was found for %s: %s; name it: "
			  "--server NAME"),
	    a->draft.email, why);
}

static bool
nothing_found(struct adding *a)
{
	const char *why = why_nothing(&a->found);

	if (!a->r->terminal || a->found.offline)
		return fail_to_find(a, why);
	talk_say(
	    "", _("No POP3 server was found for %s: %s"), a->draft.email, why);
	if (a->found.no_mail) {
		a->other_address = true;
		return false;
	}
	if (!try_autodiscover(a))
		return false;
	return is_found(a) || adding_ask_server(a);
}

/* What the command line says counts more. */
static void
take_found(struct adding *a)
{
	struct offer *o = &a->draft.offer;
	const struct offer given = *o;

	*o = a->found.offer;
	if (given.port != 0 || a->r->security != NULL) {
		o->port = given.port;
		o->security = given.security;
		fill_port(o, a->r->security != NULL);
	}
	if (given.user[0] != '\0')
		memcpy(o->user, given.user, sizeof(o->user));
}

/* It is given the same password: so it has to be of those who have the POP3 server,
 * or the domain. */
static bool
is_of_same_house(const struct adding *a, const struct offer *smtp)
{
	const char *owner = domain_registrable(smtp->server);
	const char *of_pop3 = domain_registrable(a->draft.offer.server);

	return a->found.provider != NULL ||
	       domain_has(a->domain, smtp->server) ||
	       strcmp(smtp->server, a->draft.offer.server) == 0 ||
	       (owner != NULL && of_pop3 != NULL &&
		   strcmp(owner, of_pop3) == 0);
}

static void
take_smtp(struct adding *a)
{
	const struct offer *o = &a->found.smtp;

	if (o->server[0] == '\0' ||
	    strcmp(a->found.offer.server, a->draft.offer.server) != 0)
		return;
	if (!is_of_same_house(a, o)) {
		talk_say("",
		    _("For sending it names %s, which belongs to others; if "
		      "that is right, write it as smtp_server."),
		    o->server);
		return;
	}
	a->draft.smtp = *o;
	talk_print("  %s %s\n  %s %u, %s\n", _("sends by:"), o->server,
	    _("port:"), o->port,
	    o->security == SECURITY_TLS ? "TLS" : "STARTTLS");
}

static bool
find_server(struct adding *a)
{
	talk_print(_("Looking for the POP3 server of %s...\n"), a->domain);
	if (!run_find(a, false))
		return false;
	if (a->found.provider != NULL && a->found.provider->server == NULL)
		return no_pop3(a);
	if (!is_found(a) && !nothing_found(a))
		return false;
	if (is_found(a)) {
		take_found(a);
		show_source(a);
		show_offer(a);
		if (!confirm_server(a))
			return false;
		take_smtp(a);
	}
	show_first(a);
	return true;
}

bool
adding_server(struct adding *a)
{
	struct offer *o = &a->draft.offer;
	bool good;

	if (!take_given(a))
		return false;
	if (o->server[0] != '\0') {
		fill_port(o, a->r->security != NULL);
		a->found.provider = provider_of_domain(a->domain);
		good = true;
	} else {
		good = find_server(a);
	}
	if (o->user[0] == '\0')
		snprintf(o->user, sizeof(o->user), "%s", a->draft.email);
	return good;
}
