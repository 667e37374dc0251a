/*
 * malotectl client-settings: what a person types into a mail program.
 *
 * It is made of the configuration, with a server that runs or without one, and is
 * told in the language of who asks.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "server/conf/certificate_name.h"
#include "server/ctl/show.h"
#include "server/ctl/who.h"

struct settings {
	char user[NAME_MAX_OCTETS + 1];
	char server[SERVER_NAME_MAX];
	bool certified; /* the certificate is for that name */
	bool has_tls;
	/* The best one for clients; port 0: nobody else can reach one. */
	uint16_t port;
	enum listen_tls tls;
};

/* ---- of the configuration ---- */

static bool
is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static bool
is_for_others(const struct conf_listener *l)
{
	if (l->kpop)
		return false;
	for (unsigned i = 0; i < l->n_addresses; i++)
		if (!is_loopback(l->address[i]))
			return true;
	return l->n_addresses == 0;
}

/* TLS from the beginning comes before STARTTLS (RFC 8314 s3), and the usual port
 * before another one. */
static unsigned
rank(const struct settings *s, uint16_t port, enum listen_tls tls)
{
	unsigned usual = port == (tls == LISTEN_TLS ? 995 : 110);

	if (tls == LISTEN_TLS && s->has_tls)
		return 5 + usual;
	return (tls == LISTEN_STLS && s->has_tls ? 3 : 1) + usual;
}

static void
consider(struct settings *s, uint16_t port, enum listen_tls tls)
{
	if (tls == LISTEN_TLS && !s->has_tls)
		return;
	if (s->port != 0 && rank(s, port, tls) <= rank(s, s->port, s->tls))
		return;
	s->port = port;
	s->tls = tls;
}

static void
find_listener(struct settings *s, const struct conf *c)
{
	if (c->n_listeners == 0) { /* those that there are without any */
		consider(s, 995, LISTEN_TLS);
		consider(s, 110, LISTEN_STLS);
	}
	for (unsigned i = 0; i < c->n_listeners; i++)
		if (is_for_others(&c->listener[i]))
			consider(s, c->listener[i].port, c->listener[i].tls);
}

static void
find_name(struct settings *s, const struct conf *c)
{
	char here[SERVER_NAME_MAX] = "";
	const char *wanted = c->worker.host;

	if (wanted[0] == '\0' && gethostname(here, sizeof(here) - 1) == 0)
		wanted = here;
	if (s->has_tls)
		s->certified =
		    certificate_name(c->certificate, wanted, s->server);
	if (!s->certified)
		snprintf(s->server, sizeof(s->server), "%s", wanted);
}

static enum err
find(struct settings *s, const struct options *o, const char *name,
    struct errbuf *eb)
{
	enum err e;

	if (o->conf == NULL)
		return err_set(eb, E_CONFIG,
		    "there is no configuration: name it with --config");
	if ((e = who_called(o, name, s->user, eb)) != E_OK ||
	    (e = who_may_be_known(o, s->user, eb)) != E_OK)
		return e;
	s->has_tls = o->conf->certificate[0] != '\0';
	find_listener(s, o->conf);
	find_name(s, o->conf);
	if (s->port == 0)
		return err_set(eb, E_CONFIG,
		    "no listener of %s can be reached from another machine",
		    o->conf->file);
	return E_OK;
}

/* ---- for programs ---- */

static const char *
security(const struct settings *s)
{
	if (!s->has_tls)
		return "none";
	return s->tls == LISTEN_TLS ? "tls" : "starttls";
}

static enum err
print_json(const struct settings *s, struct errbuf *eb)
{
	json_t *j = json_pack("{s:s,s:o,s:i,s:s,s:o,s:s,s:b}", "protocol",
	    "pop3", "server", show_text(s->server), "port", (int)s->port,
	    "security", security(s), "user", show_text(s->user),
	    "authentication", "password", "certified", (int)s->certified);
	enum err e = show_json(j, eb);

	json_decref(j);
	return e;
}

/* ---- for people ---- */

/* As mail programs call it. */
static const char *
security_word(const struct settings *s)
{
	if (!s->has_tls)
		return _("none");
	return s->tls == LISTEN_TLS ? "SSL/TLS" : "STARTTLS";
}

static void
print_all(const struct settings *s)
{
	printf(_("Mail program settings for %s\n"
		 "\n"
		 "Kind of account:  POP3 (POP)\n"
		 "Incoming server:  %s\n"
		 "Port:             %u\n"
		 "Security:         %s\n"
		 "User name:        %s\n"
		 "Authentication:   normal password\n"
		 "Password:         that of the mailbox, or one that was made "
		 "for the program\n"),
	    s->user, s->server, s->port, security_word(s), s->user);
}

static void
print_outlook(const struct settings *s)
{
	printf(_("\n"
		 "Outlook: File, Add Account, the address; under Advanced "
		 "options\n"
		 "\"Let me set up my account manually\"; Connect; POP.\n"
		 "  Incoming mail, Server:  %s\n"
		 "  Port:                   %u\n"),
	    s->server, s->port);
	if (!s->has_tls)
		printf(_("  Leave \"This server requires an encrypted "
			 "connection\" unchecked.\n"));
	else if (s->tls == LISTEN_TLS)
		printf(_("  Check \"This server requires an encrypted "
			 "connection (SSL/TLS)\".\n"));
	else
		printf(_("  Encryption method:      STARTTLS\n"));
	printf(_("  Leave \"Require logon using Secure Password "
		 "Authentication (SPA)\" unchecked.\n"
		 "  User name, if it asks for one: %s\n"),
	    s->user);
}

static void
print_thunderbird(const struct settings *s)
{
	printf(_("\n"
		 "Thunderbird: Account Settings, Account Actions, Add Mail "
		 "Account;\n"
		 "Configure manually.\n"
		 "  Protocol:               POP3\n"
		 "  Hostname:               %s\n"
		 "  Port:                   %u\n"
		 "  Connection security:    %s\n"
		 "  Authentication method:  Normal password\n"
		 "  Username:               %s\n"),
	    s->server, s->port, s->has_tls ? security_word(s) : _("None"),
	    s->user);
}

static void
print_apple(const struct settings *s)
{
	printf(_("\n"
		 "Apple Mail: Mail, Add Account, Other Mail Account.\n"
		 "  Account Type:           POP\n"
		 "  Incoming Mail Server:   %s\n"
		 "  User Name:              %s\n"
		 "  Then in Settings, Accounts, Server Settings:\n"
		 "  Port:                   %u\n"
		 "  Use TLS/SSL:            %s\n"
		 "  Authentication:         Password\n"),
	    s->server, s->user, s->port, s->has_tls ? _("yes") : _("no"));
}

static void
print_notes(const struct settings *s)
{
	if (!s->has_tls)
		fprintf(stderr,
		    _("There is no certificate, so there is no TLS: passwords "
		      "and mail can be read on the way.\n"));
	else if (!s->certified)
		fprintf(stderr,
		    _("The certificate is not for %s: mail programs will "
		      "complain. The setting hostname says what the server is "
		      "called.\n"),
		    s->server);
}

enum err
client_settings(const struct options *o, const char *name, struct errbuf *eb)
{
	struct settings s = { .port = 0 };
	enum err e = find(&s, o, name, eb);

	if (e != E_OK)
		return e;
	if (o->json)
		return print_json(&s, eb);
	print_all(&s);
	print_outlook(&s);
	print_thunderbird(&s);
	print_apple(&s);
	print_notes(&s);
	return E_OK;
}
