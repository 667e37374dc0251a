/* Built without Kerberos. */
#include <stdio.h>

#include "base/i18n.h"
#include "client/secret/exchange.h"

static enum err
none_step(struct exchange *x)
{
	snprintf(x->words, sizeof(x->words), "%s",
	    _("this malote was built without Kerberos"));
	return E_CONFIG;
}

static void
none_end(struct exchange *x)
{
}

const struct exchange_use exchange_gssapi = { none_step, none_end };
const struct exchange_use exchange_kpop = { none_step, none_end };
