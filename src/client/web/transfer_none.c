/* Built without libcurl. */
#include <stdio.h>

#include "base/i18n.h"
#include "client/web/transfer.h"

void
transfer_run(struct transfer *t)
{
	t->e = E_CONFIG;
	snprintf(t->words, sizeof(t->words), "%s",
	    _("this malote was built without libcurl, by which it would ask "
	      "the web"));
}
