#include "client/session/advice.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/i18n.h"

/* ---- providers ---- */

/* Those that say of each refusal that the password is wrong. */
static const struct {
	const char *domain; /* the end of the server's name */
	enum cause cause;
} providers[] = {
	{ "gmail.com", CAUSE_APP_PASSWORD },
	{ "googlemail.com", CAUSE_APP_PASSWORD },
	{ "yahoo.com", CAUSE_APP_PASSWORD },
	{ "aol.com", CAUSE_APP_PASSWORD },
	{ "fastmail.com", CAUSE_APP_PASSWORD },
	{ "yandex.com", CAUSE_APP_PASSWORD },
	{ "yandex.ru", CAUSE_APP_PASSWORD },
	{ "mail.ru", CAUSE_APP_PASSWORD },
	{ "outlook.com", CAUSE_OAUTH },
	{ "office365.com", CAUSE_OAUTH },
	{ "office.com", CAUSE_OAUTH },
	{ "gmx.net", CAUSE_POP_OFF },
	{ "gmx.com", CAUSE_POP_OFF },
	{ "web.de", CAUSE_POP_OFF },
};

static bool
is_below(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	return n >= d && strcasecmp(name + n - d, domain) == 0 &&
	       (n == d || name[n - d - 1] == '.');
}

enum cause
advice_provider(const struct account *a)
{
	if (a->token_command != NULL)
		return CAUSE_TOKEN;
	for (size_t i = 0; i < sizeof(providers) / sizeof(providers[0]); i++)
		if (is_below(a->server, providers[i].domain))
			return providers[i].cause;
	return CAUSE_PASSWORD;
}

/* ---- sentences ---- */

static const char *
address_of(const struct account *a)
{
	return a->email != NULL ? a->email : "";
}

/* Many know a person by the whole address, some by what stands before the @.
 * setting: where that is written. */
static void
about_password(char out[ADVICE], const struct account *a, const char *setting)
{
	size_t n = strcspn(a->user, "@");

	if (a->user[n] == '@')
		snprintf(out, ADVICE,
		    _("is the password right? If it is, the server may want "
		      "the name without the domain: %s = \"%.*s\""),
		    setting, (int)n, a->user);
	else if (strchr(address_of(a), '@') != NULL)
		snprintf(out, ADVICE,
		    _("is the password right? If it is, the server may want "
		      "the whole address: %s = \"%s\""),
		    setting, a->email);
	else
		snprintf(out, ADVICE,
		    _("is the password right? If it is, the server may want "
		      "the whole address as %s"),
		    setting);
}

/* Where there is no source the words say it already. */
static const char *
about_secret(const struct account *a)
{
	if (a->keyring)
		return _("the keyring is open once you have signed in to the "
			 "desktop; elsewhere write password_command");
	if (a->password_command != NULL || a->token_command != NULL)
		return _("run that command yourself: it is to print the "
			 "password or token, and nothing else");
	return "";
}

/* Without a place for a value. */
static const struct {
	enum cause cause;
	const char *words;
} plain[] = {
	{ CAUSE_NO_NAME_SERVICE,
	    N_("is this computer connected to the network?") },
	{ CAUSE_UNREACHABLE, N_("is this computer connected to the network?") },
	{ CAUSE_PROXY,
	    N_("is the setting \"proxy\" right, and does the proxy run?") },
	{ CAUSE_HUNG_UP,
	    N_("it may have too many connections of yours, or keep your "
	       "address out for a while: wait, and try again") },
	{ CAUSE_OTHER_PROTOCOL,
	    N_("write port = 995 and security = \"tls\", or port = 110 and "
	       "security = \"starttls\"") },
	{ CAUSE_NO_STARTTLS,
	    N_("write port = 995 and security = \"tls\", which encrypts from "
	       "the beginning") },
	{ CAUSE_CERTIFICATE_PIN,
	    N_("if the server's owner confirms the new one, write it as "
	       "fingerprint; else somebody is between you and the server") },
	{ CAUSE_APP_PASSWORD,
	    N_("this provider wants an app password: make one in the security "
	       "settings of its web page, and give that in place of your "
	       "own") },
	{ CAUSE_MECHANISM,
	    N_("leave \"auth\" out: what both sides have is found by "
	       "itself") },
	{ CAUSE_NO_OAUTH,
	    N_("this server takes no tokens: write password_command, keyring "
	       "or password in place of token_command") },
	{ CAUSE_TOKEN,
	    N_("does token_command print a token of this user, for POP?") },
	{ CAUSE_POP_OFF,
	    N_("is POP switched on? It is in the settings of the provider's "
	       "web mail; if it is, the password is wrong") },
	{ CAUSE_IN_USE,
	    N_("another program has the mailbox open: close it, or wait some "
	       "minutes") },
	{ CAUSE_TOO_OFTEN,
	    N_("the provider wants longer pauses: wait a quarter of an hour, "
	       "and collect less often") },
	{ CAUSE_BLOCKED,
	    N_("sign in on the provider's web page once, and see what it asks "
	       "for there") },
	{ CAUSE_SPACE,
	    N_("make room, or let \"deliver\" name a place on another disk") },
};

static const char *
plain_words(enum cause cause)
{
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (plain[i].cause == cause)
			return _(plain[i].words);
	return "";
}

char *
advice_write(char out[ADVICE], enum cause cause, const struct account *a)
{
	/* A token is what they speak of, where there is one. */
	if (cause == CAUSE_OAUTH && a->token_command != NULL)
		cause = CAUSE_TOKEN;
	switch (cause) {
	case CAUSE_NO_SUCH_HOST:
		snprintf(out, ADVICE,
		    _("is server = \"%s\" spelt as the provider says?"),
		    a->server);
		break;
	case CAUSE_REFUSED:
		snprintf(out, ADVICE,
		    _("nobody listens at port %u: write port = 995 and "
		      "security = \"tls\", or port = 110 and security = "
		      "\"starttls\""),
		    a->port);
		break;
	case CAUSE_NO_ANSWER:
		snprintf(out, ADVICE,
		    _("a firewall may let nothing through to port %u, or the "
		      "server is another: try it from another network"),
		    a->port);
		break;
	case CAUSE_SECRET: snprintf(out, ADVICE, "%s", about_secret(a)); break;
	case CAUSE_PASSWORD: about_password(out, a, "user"); break;
	case CAUSE_OAUTH:
		snprintf(out, ADVICE,
		    _("this provider takes no passwords: run malote add %s, "
		      "which signs in in the browser, or write "
		      "token_command"),
		    address_of(a));
		break;
	case CAUSE_DESTINATION:
		snprintf(out, ADVICE,
		    _("mend that, or \"deliver\" of account %s"), a->name);
		break;
	default: snprintf(out, ADVICE, "%s", plain_words(cause)); break;
	}
	return out;
}

char *
advice_write_to_send(
    char out[ADVICE], enum cause cause, const struct account *a)
{
	if (cause == CAUSE_PASSWORD)
		about_password(out, a, "smtp_user");
	else if (cause == CAUSE_TOKEN)
		snprintf(out, ADVICE, "%s",
		    _("does token_command print a token of this user, for "
		      "SMTP?"));
	else
		advice_write(out, cause, a);
	return out;
}
