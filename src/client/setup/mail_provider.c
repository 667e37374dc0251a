#include "client/setup/mail_provider.h"

#include <string.h>

#include "base/i18n.h"
#include "conf/text.h"

#define POP3S(host) .server = (host), .port = 995, .security = SECURITY_TLS
#define SMTPS(host) \
	.smtp = { .server = (host), .port = 465, .security = SECURITY_TLS }
#define SUBMISSION(host) \
	.smtp = { .server = (host), .port = 587, .security = SECURITY_STARTTLS }

#define ALLOW_POP \
	N_("POP has to be allowed first: open the webmail's settings, find " \
	   "POP/IMAP, and switch POP on")
#define ALLOW_POP_AND_APP \
	N_("POP has to be allowed first in the webmail's settings; then make " \
	   "an app password, and give that one here")
#define MAKE_APP \
	N_("your usual password does not work here: make an app password in " \
	   "the security settings of your account, and give that one")
#define APP_IF_TWO_STEPS \
	N_("POP has to be allowed first in the webmail's settings; with " \
	   "two-step verification, make an app password, and give that one")

const struct provider providers[] = {
	{
	    .name = "Gmail",
	    .domains = "gmail.com googlemail.com",
	    POP3S("pop.gmail.com"),
	    SMTPS("smtp.gmail.com"),
	    .secret = TAKES_APP_OR_TOKEN,
	    .oauth = "google",
	    .first =
		N_("POP has to be allowed first: in Gmail, Settings, See all "
		   "settings, Forwarding and POP/IMAP, Enable POP for all "
		   "mail; a password must be an app password, made at "
		   "https://myaccount.google.com/apppasswords"),
	    .page = "https://support.google.com/mail/answer/7104828",
	},
	{
	    .name = "Google Workspace",
	    .mx = "google.com googlemail.com",
	    POP3S("pop.gmail.com"),
	    SMTPS("smtp.gmail.com"),
	    .secret = TAKES_APP_OR_TOKEN,
	    .oauth = "google",
	    .first =
		N_("POP has to be allowed first: in Gmail, Settings, See all "
		   "settings, Forwarding and POP/IMAP, Enable POP for all "
		   "mail (where that is missing, the administrator has "
		   "switched it off); a password must be an app password, "
		   "made at https://myaccount.google.com/apppasswords"),
	    .page = "https://support.google.com/a/answer/105694",
	},
	{
	    .name = "Outlook.com",
	    .domains = "outlook.com hotmail.com live.com msn.com "
		       "outlook.com.br hotmail.com.br live.com.pt outlook.pt "
		       "hotmail.co.uk live.co.uk outlook.fr hotmail.fr "
		       "live.fr outlook.de hotmail.de live.de outlook.es "
		       "hotmail.es outlook.it hotmail.it live.it live.nl "
		       "outlook.com.ar hotmail.com.ar live.com.ar "
		       "live.com.mx windowslive.com passport.com",
	    .mx = "olc.protection.outlook.com",
	    POP3S("outlook.office365.com"),
	    SUBMISSION("smtp-mail.outlook.com"),
	    .secret = TAKES_TOKEN,
	    .oauth = "microsoft",
	    .first =
		N_("POP has to be allowed first: in Outlook on the web, "
		   "Settings, Mail, Forwarding and IMAP, Let devices and apps "
		   "use POP"),
	    .page = "https://support.microsoft.com/office/"
		    "d088b986-291d-42b8-9564-9c414e2aa040",
	},
	{
	    .name = "Microsoft 365",
	    .mx = "mail.protection.outlook.com mx.microsoft",
	    POP3S("outlook.office365.com"),
	    SUBMISSION("smtp.office365.com"),
	    .secret = TAKES_TOKEN,
	    .oauth = "microsoft",
	    .first = N_("the administrator decides whether the mailbox has "
			"POP; ask for it if the server refuses you"),
	    .page = "https://learn.microsoft.com/exchange/clients-and-mobile-"
		    "in-exchange-online/pop3-and-imap4/pop3-and-imap4",
	},
	{
	    .name = "Yahoo",
	    .domains = "yahoo.com yahoo.com.br ymail.com rocketmail.com "
		       "myyahoo.com yahoo.co.uk yahoo.fr yahoo.de yahoo.es "
		       "yahoo.it yahoo.ca yahoo.in yahoo.co.in yahoo.com.ar "
		       "yahoo.com.mx yahoo.com.au yahoo.co.id yahoo.ie "
		       "yahoo.gr yahoo.pl yahoo.ro yahoo.se yahoo.no "
		       "yahoo.dk yahoo.at yahoo.be yahoo.nl",
	    POP3S("pop.mail.yahoo.com"),
	    SMTPS("smtp.mail.yahoo.com"),
	    .secret = TAKES_APP_OR_TOKEN,
	    .oauth = "yahoo",
	    .first = MAKE_APP,
	    .page = "https://help.yahoo.com/kb/SLN15241.html",
	},
	{
	    .name = "AOL",
	    .domains = "aol.com aim.com love.com ygm.com games.com wow.com",
	    POP3S("pop.aol.com"),
	    SMTPS("smtp.aol.com"),
	    .secret = TAKES_APP_PASSWORD,
	    .first = MAKE_APP,
	    .page = "https://help.aol.com/articles/"
		    "Create-and-manage-app-password",
	},
	{
	    .name = "iCloud",
	    .domains = "icloud.com me.com mac.com",
	    .mx = "mail.icloud.com",
	    .first = N_("it offers IMAP only; set a forwarding to an address "
			"with POP3 in iCloud's mail settings"),
	    .page = "https://support.apple.com/102525",
	},
	{
	    .name = "UOL",
	    .domains = "uol.com.br",
	    POP3S("pop3.uol.com.br"),
	    .page = "https://ajuda.uol.com.br/",
	},
	{
	    .name = "BOL",
	    .domains = "bol.com.br",
	    POP3S("pop3.bol.com.br"),
	    .page = "https://ajuda.uol.com.br/",
	},
	{
	    .name = "Terra",
	    .domains = "terra.com.br",
	    POP3S("pop.terra.com.br"),
	    .page = "https://duvidas.terra.com.br/",
	},
	{
	    .name = "iG",
	    .domains = "ig.com.br",
	    POP3S("pop.ig.com.br"),
	},
	{
	    .name = "Locaweb",
	    .mx = "locaweb.com.br",
	    POP3S("email-ssl.com.br"),
	    SMTPS("email-ssl.com.br"),
	    .page = "https://www.locaweb.com.br/ajuda/",
	},
	{
	    .name = "KingHost",
	    .mx = "kinghost.net",
	    POP3S("pop.kinghost.net"),
	    SMTPS("smtp.kinghost.net"),
	    .page = "https://king.host/wiki/",
	},
	{
	    .name = "UOL Host",
	    .mx = "uhserver.com",
	    POP3S("pop.uhserver.com"),
	    .page = "https://uolhost.uol.com.br/",
	},
	{
	    .name = "Hostinger",
	    .mx = "hostinger.com",
	    POP3S("pop.hostinger.com"),
	    SMTPS("smtp.hostinger.com"),
	    .page = "https://support.hostinger.com/",
	},
	{
	    .name = "Titan (HostGator)",
	    .mx = "titan.email",
	    POP3S("pop.titan.email"),
	    SMTPS("smtp.titan.email"),
	    .first = N_("other programs have to be allowed first: in Titan's "
			"webmail, Settings, Enable Titan on other apps"),
	    .page = "https://support.titan.email/",
	},
	{
	    .name = "GoDaddy",
	    .mx = "secureserver.net",
	    POP3S("pop.secureserver.net"),
	    SMTPS("smtpout.secureserver.net"),
	},
	{
	    .name = "Zoho",
	    .domains = "zoho.com zohomail.com",
	    POP3S("pop.zoho.com"),
	    SMTPS("smtp.zoho.com"),
	    .secret = TAKES_PASSWORD_OR_APP,
	    .first = APP_IF_TWO_STEPS,
	    .page = "https://www.zoho.com/mail/help/pop-access.html",
	},
	{
	    .name = "Zoho",
	    .mx = "zoho.com",
	    POP3S("poppro.zoho.com"),
	    SMTPS("smtppro.zoho.com"),
	    .secret = TAKES_PASSWORD_OR_APP,
	    .first = APP_IF_TWO_STEPS,
	    .page = "https://www.zoho.com/mail/help/pop-access.html",
	},
	{
	    .name = "Zoho",
	    .domains = "zohomail.eu",
	    .mx = "zoho.eu",
	    POP3S("poppro.zoho.eu"),
	    SMTPS("smtppro.zoho.eu"),
	    .secret = TAKES_PASSWORD_OR_APP,
	    .first = APP_IF_TWO_STEPS,
	    .page = "https://www.zoho.com/mail/help/pop-access.html",
	},
	{
	    .name = "Zoho",
	    .domains = "zohomail.in",
	    .mx = "zoho.in",
	    POP3S("poppro.zoho.in"),
	    SMTPS("smtppro.zoho.in"),
	    .secret = TAKES_PASSWORD_OR_APP,
	    .first = APP_IF_TWO_STEPS,
	    .page = "https://www.zoho.com/mail/help/pop-access.html",
	},
	{
	    .name = "GMX",
	    .domains = "gmx.com gmx.us gmx.co.uk gmx.fr gmx.es",
	    POP3S("pop.gmx.com"),
	    SMTPS("mail.gmx.com"),
	    .secret = TAKES_PASSWORD_OR_APP,
	    .first = ALLOW_POP,
	    .page = "https://support.gmx.com/pop-imap/index.html",
	},
	{
	    .name = "GMX",
	    .domains = "gmx.de gmx.net gmx.at gmx.ch gmx.eu gmx.org",
	    POP3S("pop.gmx.net"),
	    SMTPS("mail.gmx.net"),
	    .secret = TAKES_PASSWORD_OR_APP,
	    .first = ALLOW_POP,
	    .page = "https://hilfe.gmx.net/pop-imap/index.html",
	},
	{
	    .name = "WEB.DE",
	    .domains = "web.de email.de",
	    POP3S("pop3.web.de"),
	    SMTPS("smtp.web.de"),
	    .secret = TAKES_PASSWORD_OR_APP,
	    .first = ALLOW_POP,
	    .page = "https://hilfe.web.de/pop-imap/index.html",
	},
	{
	    .name = "mail.com",
	    .domains = "mail.com email.com usa.com post.com europe.com "
		       "consultant.com engineer.com",
	    POP3S("pop.mail.com"),
	    SMTPS("smtp.mail.com"),
	    .first = N_("POP is for paying customers, and has to be allowed "
			"first in the webmail's settings"),
	    .page = "https://support.mail.com/premium/pop3/index.html",
	},
	{
	    .name = "Fastmail",
	    .domains = "fastmail.com fastmail.fm fastmail.net fastmail.org "
		       "fastmail.co.uk sent.com",
	    .mx = "messagingengine.com",
	    POP3S("pop.fastmail.com"),
	    SMTPS("smtp.fastmail.com"),
	    .secret = TAKES_APP_OR_TOKEN,
	    .oauth = "fastmail",
	    .first = MAKE_APP,
	    .page = "https://www.fastmail.help/hc/articles/1500000278342",
	},
	{
	    .name = "Mail.ru",
	    .domains = "mail.ru inbox.ru list.ru bk.ru internet.ru",
	    .mx = "mail.ru",
	    POP3S("pop.mail.ru"),
	    SMTPS("smtp.mail.ru"),
	    .secret = TAKES_APP_PASSWORD,
	    .first = MAKE_APP,
	    .page = "https://help.mail.ru/mail/mailer/password/",
	},
	{
	    .name = "Yandex",
	    .domains = "yandex.ru ya.ru yandex.by yandex.kz",
	    .mx = "yandex.net yandex.ru",
	    POP3S("pop.yandex.ru"),
	    SMTPS("smtp.yandex.ru"),
	    .secret = TAKES_APP_PASSWORD,
	    .first = ALLOW_POP_AND_APP,
	    .page = "https://yandex.ru/support/mail/mail-clients/"
		    "others.html",
	},
	{
	    .name = "Yandex",
	    .domains = "yandex.com",
	    POP3S("pop.yandex.com"),
	    SMTPS("smtp.yandex.com"),
	    .secret = TAKES_APP_PASSWORD,
	    .first = ALLOW_POP_AND_APP,
	    .page = "https://yandex.com/support/mail/mail-clients/"
		    "others.html",
	},
	{
	    .name = "Proton",
	    .domains = "proton.me protonmail.com protonmail.ch pm.me",
	    .mx = "protonmail.ch",
	    .first = N_("it keeps mail encrypted and has no POP3; Proton Mail "
			"Bridge offers IMAP on your own computer to paying "
			"customers"),
	    .page = "https://proton.me/support/imap-smtp-and-pop3-setup",
	},
	{
	    .name = "Tuta",
	    .domains = "tuta.com tutanota.com tutanota.de tutamail.com "
		       "tuta.io keemail.me",
	    .mx = "tutanota.de",
	    .first = N_("it keeps mail encrypted, and only its own programs "
			"can read it"),
	    .page = "https://tuta.com/support",
	},
	{
	    .name = "T-Online",
	    .domains = "t-online.de magenta.de",
	    POP3S("securepop.t-online.de"),
	    SMTPS("securesmtp.t-online.de"),
	    .first = N_("your usual password does not work here: set an "
			"e-mail password (Passwort f\303\274r E-Mail-"
			"Programme) in the customer centre"),
	    .page = "https://www.telekom.de/hilfe/e-mail",
	},
	{
	    .name = "freenet",
	    .domains = "freenet.de",
	    POP3S("mx.freenet.de"),
	    SMTPS("mx.freenet.de"),
	},
	{
	    .name = "IONOS",
	    .mx = "kundenserver.de",
	    POP3S("pop.ionos.de"),
	    SMTPS("smtp.ionos.de"),
	},
	{
	    .name = "IONOS",
	    .mx = "ionos.com 1and1.com perfora.net",
	    POP3S("pop.ionos.com"),
	    SMTPS("smtp.ionos.com"),
	},
	{
	    .name = "Posteo",
	    .domains = "posteo.de posteo.net",
	    POP3S("posteo.de"),
	    SMTPS("posteo.de"),
	},
	{
	    .name = "mailbox.org",
	    .domains = "mailbox.org",
	    .mx = "mailbox.org",
	    POP3S("pop3.mailbox.org"),
	    SMTPS("smtp.mailbox.org"),
	},
	{
	    .name = "Gandi",
	    .mx = "mail.gandi.net",
	    POP3S("mail.gandi.net"),
	    SMTPS("mail.gandi.net"),
	},
	{
	    .name = "Migadu",
	    .mx = "migadu.com",
	    POP3S("pop.migadu.com"),
	    SMTPS("smtp.migadu.com"),
	},
	{
	    .name = "Runbox",
	    .domains = "runbox.com",
	    .mx = "runbox.com",
	    POP3S("pop.runbox.com"),
	    SMTPS("mail.runbox.com"),
	},
	{
	    .name = "Orange",
	    .domains = "orange.fr wanadoo.fr",
	    POP3S("pop.orange.fr"),
	    SMTPS("smtp.orange.fr"),
	    .local_part = true,
	},
	{
	    .name = "Free",
	    .domains = "free.fr",
	    POP3S("pop.free.fr"),
	    SMTPS("smtp.free.fr"),
	    .local_part = true,
	},
	{
	    .name = "La Poste",
	    .domains = "laposte.net",
	    POP3S("pop.laposte.net"),
	    SMTPS("smtp.laposte.net"),
	    .first = ALLOW_POP,
	},
	{
	    .name = "Libero",
	    .domains = "libero.it inwind.it iol.it blu.it giallo.it",
	    POP3S("popmail.libero.it"),
	    SMTPS("smtp.libero.it"),
	},
	{
	    .name = "SAPO",
	    .domains = "sapo.pt",
	    POP3S("pop.sapo.pt"),
	},
	{
	    .name = "AT&T",
	    .domains = "att.net sbcglobal.net bellsouth.net ameritech.net "
		       "pacbell.net swbell.net",
	    POP3S("inbound.att.net"),
	    SMTPS("outbound.att.net"),
	    .secret = TAKES_APP_PASSWORD,
	    .first = N_("your usual password does not work here: make a "
			"secure mail key in your AT&T profile, and give that "
			"one"),
	    .page = "https://www.att.com/support/article/email-support/"
		    "KM1240308",
	},
};

const size_t providers_n = sizeof(providers) / sizeof(providers[0]);

/* Is s one of the words, or, if `below`, within one of them as a domain? */
static bool
is_among(const char *words, const char *s, bool below)
{
	size_t n = strlen(s), len;

	for (const char *w = words; w != NULL && *w != '\0';
	     w += len + strspn(w + len, " ")) {
		len = strcspn(w, " ");
		if (n == len && memcmp(w, s, n) == 0)
			return true;
		if (below && n > len && s[n - len - 1] == '.' &&
		    memcmp(w, s + n - len, len) == 0)
			return true;
	}
	return false;
}

const struct provider *
provider_of_domain(const char *domain)
{
	for (size_t i = 0; i < providers_n; i++)
		if (is_among(providers[i].domains, domain, false))
			return &providers[i];
	return NULL;
}

const struct provider *
provider_of_mx(const char *mx)
{
	for (size_t i = 0; i < providers_n; i++)
		if (is_among(providers[i].mx, mx, true))
			return &providers[i];
	return NULL;
}

/* One letter too many, too few, or another one; short domains are too much
 * alike. */
static bool
is_slip(const char *domain, const char *known)
{
	return strlen(known) > 6 && conf_distance(domain, known) == 1;
}

const char *
provider_domain_like(const char *domain)
{
	static char found[64];
	size_t len;

	for (size_t i = 0; i < providers_n; i++)
		for (const char *w = providers[i].domains;
		     w != NULL && *w != '\0'; w += len + strspn(w + len, " ")) {
			len = strcspn(w, " ");
			if (len >= sizeof(found))
				continue;
			memcpy(found, w, len);
			found[len] = '\0';
			if (is_slip(domain, found))
				return found;
		}
	return NULL;
}
