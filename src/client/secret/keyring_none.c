/* Built without libsecret. */
#include "base/i18n.h"
#include "client/secret/source.h"

static enum err
none(struct errbuf *eb)
{
	return err_set(eb, E_CONFIG, "%s",
	    _("keyring: this malote was built without libsecret; use "
	      "password_command"));
}

static enum err
keyring_start(struct secret *s, struct errbuf *eb)
{
	return none(eb);
}

static void
keyring_stop(struct secret *s)
{
}

const struct secret_source secret_keyring = { keyring_start, keyring_stop };

enum err
secret_keep(const struct account *a, const char *password, struct errbuf *eb)
{
	return none(eb);
}

bool
secret_can_keep(const struct account *a)
{
	return false;
}
