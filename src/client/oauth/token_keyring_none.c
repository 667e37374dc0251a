/* Built without libsecret. */
#include "base/i18n.h"
#include "client/oauth/token_keyring.h"

static enum err
no_keyring(struct errbuf *eb)
{
	return err_set(eb, E_CONFIG, "%s",
	    _("keyring: this malote was built without libsecret; leave it "
	      "out, and the tokens are kept in a file"));
}

enum err
token_keyring_load(
    const struct oauth_party *p, struct buf *text, struct errbuf *eb)
{
	return no_keyring(eb);
}

enum err
token_keyring_save(
    const struct oauth_party *p, const char *text, struct errbuf *eb)
{
	return no_keyring(eb);
}
