/* Built without libsecret. */
#include "base/i18n.h"
#include "client/secret/source.h"

static enum err
keyring_start(struct secret *s, struct errbuf *eb)
{
	return err_set(eb, E_CONFIG, "%s",
	    _("keyring: this malote was built without libsecret; use "
	      "password_command"));
}

static void
keyring_stop(struct secret *s)
{
}

const struct secret_source secret_keyring = { keyring_start, keyring_stop };
