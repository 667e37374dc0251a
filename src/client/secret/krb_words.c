#include "client/secret/krb_words.h"

#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"

static const char no_ticket[] =
    N_("there is no Kerberos ticket; get one: kinit");
static const char expired[] =
    N_("the Kerberos ticket has expired; get a new one: kinit");
static const char clocks[] =
    N_("clocks differ too much for Kerberos: set that of this computer right, "
       "then get a new ticket: kinit");
static const char no_service[] =
    N_("Kerberos knows no POP3 service at this server; is \"server\" its whole "
       "name, and is it of your realm?");
static const char no_realm[] =
    N_("no Kerberos server (KDC) is found for the server's realm; is there a "
       "network? Else see krb5.conf(5)");
static const char no_kdc[] = N_("the Kerberos server (KDC) cannot be reached");
static const char no_key[] =
    N_("the server does not have the key that the ticket is for: its "
       "administrator must give it a new keytab");

static const struct {
	krb5_error_code code;
	enum err e;
	const char *words;
} known[] = {
	{ KRB5_FCC_NOFILE, E_DENIED, no_ticket },
	{ KRB5_CC_NOTFOUND, E_DENIED, no_ticket },
	{ KRB5KRB_AP_ERR_TKT_EXPIRED, E_DENIED, expired },
	{ KRB5KRB_AP_ERR_TKT_NYV, E_DENIED, clocks },
	{ KRB5KRB_AP_ERR_SKEW, E_DENIED, clocks },
	{ KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, E_DENIED, no_service },
	{ KRB5_REALM_UNKNOWN, E_IO, no_realm },
	{ KRB5_KDC_UNREACH, E_IO, no_kdc },
	{ KRB5KRB_AP_ERR_BAD_INTEGRITY, E_DENIED, no_key },
	{ KRB5KRB_AP_ERR_BADKEYVER, E_DENIED, no_key },
	{ KRB5KRB_AP_ERR_MODIFIED, E_DENIED, no_key },
	{ KRB5KRB_AP_ERR_NOKEY, E_DENIED, no_key },
	{ KRB5KRB_AP_ERR_NOT_US, E_DENIED, no_key },
};

enum err
krb_failed(struct exchange *x, krb5_error_code code, const char *text)
{
	char quoted[256];

	str_quote(quoted, sizeof(quoted), text, strlen(text));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].code == code) {
			snprintf(x->words, sizeof(x->words), "%s (%s)",
			    _(known[i].words), quoted);
			return known[i].e;
		}
	snprintf(x->words, sizeof(x->words),
	    _("the Kerberos ticket does not serve: %s"), quoted);
	return E_DENIED;
}
