#include "client/conf/check.h"

#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "sasl/sasl.h"

enum {
	PORT_POP3 = 110,
	PORT_POP3S = 995,
	PORT_KPOP = 1109,
	PORT_SMTPS = 465, /* RFC 8314 */
	PORT_SMTP = 587,
};

#define DEST_DEFAULT "maildir:~/Mail/malote"

static void
check_name(const struct account *a, const struct conf_lines *l)
{
	char shown[VALUE_SHOWN];

	if (!account_name_is_good(a->name))
		conf_error(&l->text, a->line,
		    _("\"%s\" cannot be an account's name; write letters and "
		      "digits"),
		    value_shown(shown, a->name));
}

static enum err
check_who(struct account *a, bool said, const struct conf_lines *l)
{
	char shown[VALUE_SHOWN];
	const char *at;

	if (a->email == NULL && a->user != NULL &&
	    (at = strchr(a->user, '@')) != NULL && at != a->user &&
	    at[1] != '\0' && (a->email = strdup(a->user)) == NULL)
		return E_NOMEM;
	if (a->email == NULL) {
		if (said)
			return E_OK;
		conf_error(&l->text, a->line,
		    _("account \"%s\" has no address; write email = "
		      "\"NAME@DOMAIN\""),
		    value_shown(shown, a->name));
		return E_OK;
	}
	if (a->user == NULL && (a->user = strdup(a->email)) == NULL)
		return E_NOMEM;
	return E_OK;
}

static void
check_where(struct account *a, const struct account_said *said,
    const struct conf_lines *l)
{
	char shown[VALUE_SHOWN];

	value_shown(shown, a->name);
	if (a->server == NULL && !said->server)
		conf_error(&l->text, a->line,
		    _("account \"%s\" has no server; write server = \"NAME\""),
		    shown);
	if (!said->security)
		a->security =
		    a->port == PORT_POP3 ? SECURITY_STARTTLS : SECURITY_TLS;
	if (a->port == 0)
		a->port = a->security == SECURITY_TLS    ? PORT_POP3S
			  : a->security == SECURITY_KPOP ? PORT_KPOP
							 : PORT_POP3;
}

static void
check_line(const struct account *a, const struct conf_lines *l)
{
	char shown[VALUE_SHOWN];

	if (a->security == SECURITY_TLS || a->security == SECURITY_STARTTLS)
		return;
	value_shown(shown, a->name);
	if (account_uses_ticket(a))
		WARN(l, "security",
		    _("account \"%s\" sends its mail so that everybody on the "
		      "way can read it"),
		    shown);
	else
		WARN(l, "security",
		    _("account \"%s\" sends its password and mail so that "
		      "everybody on the way can read them"),
		    shown);
}

/* KPOP has no TLS, and one way to sign in. */
static void
check_kpop(const struct account *a, const struct conf_lines *l)
{
	const struct {
		const char *setting, *value;
	} tls[] = {
		{ "ca_file", a->ca_file },
		{ "fingerprint", a->fingerprint },
		{ "client_certificate", a->client_certificate },
		{ "client_key", a->client_key },
	};

	if (a->security != SECURITY_KPOP)
		return;
	for (size_t i = 0; i < sizeof(tls) / sizeof(tls[0]); i++)
		if (tls[i].value != NULL)
			COMPLAIN(l, tls[i].setting,
			    _("security = \"kpop\" has no TLS; leave %s "
			      "out"),
			    tls[i].setting);
	if (strcmp(a->auth, "auto") != 0)
		COMPLAIN(l, "auth",
		    _("security = \"kpop\" signs in by itself; leave auth "
		      "out"));
}

void
account_check_secrets(const struct account *a, const struct conf_lines *l)
{
	unsigned needs = sasl_flags(a->auth);

	if ((a->password != NULL) + (a->password_command != NULL) + a->keyring >
	    1)
		COMPLAIN(l, a->keyring ? "keyring" : "password_command",
		    _("there are several of password, password_command and "
		      "keyring; leave one of them"));
	if ((needs & SASL_NEEDS_TOKEN) && a->token_command == NULL &&
	    a->oauth == NULL)
		COMPLAIN(l, "auth",
		    _("auth = \"%s\" needs a token; write oauth = \"NAME\" "
		      "or token_command = 'COMMAND'"),
		    a->auth);
	if (a->token_command != NULL && a->oauth != NULL)
		COMPLAIN(l, "oauth",
		    _("there are both token_command and oauth; leave one of "
		      "them"));
	if ((needs & SASL_NEEDS_CERTIFICATE) && a->client_certificate == NULL)
		COMPLAIN(l, "auth",
		    _("auth = \"%s\" needs a certificate; write "
		      "client_certificate = \"FILE\""),
		    a->auth);
	if (a->client_key != NULL && a->client_certificate == NULL)
		COMPLAIN(l, "client_key",
		    _("there is a client_key but no client_certificate; write "
		      "client_certificate = \"FILE\""));
}

static void
check_sdps(const struct account *a, const struct account_said *said,
    const struct conf_lines *l)
{
	if (!a->sdps && a->folders != NULL)
		COMPLAIN(l, "folders",
		    _("there are folders, but nothing is sorted into them; "
		      "write sdps = yes"));
	if (a->sdps && !said->folders)
		COMPLAIN(l, "sdps",
		    _("sdps sorts mail into folders, and there are none; write "
		      "folders = \"NAME NAME\", or leave sdps out"));
	if (a->sdps && a->dest.kind != DEST_MAILDIR)
		COMPLAIN(l, "sdps",
		    _("sdps sorts mail into folders of a Maildir; write "
		      "deliver = \"maildir:PATH\""));
}

static void
check_mine(const struct account *a, const struct conf_lines *l)
{
	if (a->trash != NULL && !a->delete_mine)
		COMPLAIN(l, "trash",
		    _("there is trash, but nothing looks into it; write "
		      "delete_mine = yes"));
	if (a->delete_mine && a->dest.kind != DEST_MAILDIR)
		COMPLAIN(l, "delete_mine",
		    _("delete_mine looks into a Maildir; write deliver = "
		      "\"maildir:PATH\""));
}

/* Settings that say how to reach a server that is not there. */
static void
check_no_smtp(const struct account *a, const struct conf_lines *l)
{
	const struct {
		const char *setting;
		bool said;
	} all[] = {
		{ "smtp_port", a->smtp.port != 0 },
		{ "smtp_user", a->smtp.user != NULL },
		{ "smtp_auth", a->smtp.auth != NULL },
		{ "smtp_fingerprint", a->smtp.fingerprint != NULL },
		{ "sent", a->sent.text != NULL },
		{ "default", a->is_default },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].said)
			COMPLAIN(l, all[i].setting,
			    _("there is %s, but no server that sends mail; "
			      "write smtp_server = \"NAME\""),
			    all[i].setting);
}

/* A name that the server's own sign-in has no mechanism for is one of POP3. */
static void
check_smtp_values(const struct account *a, const struct conf_lines *l)
{
	char shown[VALUE_SHOWN];

	if (a->smtp.security == SECURITY_KPOP)
		COMPLAIN(l, "smtp_security",
		    _("smtp_security = \"kpop\" is not for sending; write "
		      "\"tls\" or \"starttls\""));
	if (a->smtp.security == SECURITY_NONE)
		WARN(l, "smtp_security",
		    _("account \"%s\" sends its password and mail so that "
		      "everybody on the way can read them"),
		    value_shown(shown, a->name));
	if (a->sent.kind == DEST_GMAIL)
		COMPLAIN(l, "sent",
		    _("sent = \"%s\" is not possible: Gmail keeps what its "
		      "server sends by itself; leave it out"),
		    value_shown(shown, a->sent.text));
	if (strcmp(a->smtp.auth, "auto") != 0 &&
	    sasl_find((struct slice){ a->smtp.auth, strlen(a->smtp.auth) }) ==
		NULL)
		COMPLAIN(l, "smtp_auth",
		    _("smtp_auth = \"%s\" is not for sending; leave it out"),
		    a->smtp.auth);
}

static enum err
check_smtp(struct account *a, bool security_said, const struct conf_lines *l)
{
	struct account_smtp *s = &a->smtp;

	if (s->server == NULL) {
		check_no_smtp(a, l);
		return E_OK;
	}
	if (!security_said)
		s->security = s->port == PORT_SMTP || s->port == 25
				  ? SECURITY_STARTTLS
				  : SECURITY_TLS;
	if (s->port == 0)
		s->port = s->security == SECURITY_TLS ? PORT_SMTPS : PORT_SMTP;
	if ((s->auth == NULL && (s->auth = strdup("auto")) == NULL) ||
	    (s->user == NULL && a->user != NULL &&
		(s->user = strdup(a->user)) == NULL))
		return E_NOMEM;
	check_smtp_values(a, l);
	return E_OK;
}

enum err
account_check(struct account *a, const struct account_said *said,
    const struct value_place *place, const struct conf_lines *l)
{
	struct errbuf eb;
	enum err e = E_OK;

	check_name(a, l);
	if (check_who(a, said->email, l) == E_NOMEM)
		return E_NOMEM;
	check_where(a, said, l);
	if (a->auth == NULL && (a->auth = strdup("auto")) == NULL)
		return E_NOMEM;
	check_line(a, l);
	check_kpop(a, l);
	account_check_secrets(a, l);
	if (a->dest.text == NULL)
		e = value_dest(place, "deliver", &a->dest, DEST_DEFAULT, &eb);
	if (e != E_OK && e != E_NOMEM)
		COMPLAIN(l, "deliver", "%s", eb.text);
	check_sdps(a, said, l);
	check_mine(a, l);
	if (check_smtp(a, said->smtp_security, l) == E_NOMEM)
		return E_NOMEM;
	return e == E_NOMEM ? E_NOMEM : E_OK;
}
