#include "client/oauth/token_keyring.h"

#include "base/i18n.h"
#include "base/module.h"
#include "client/oauth/token_use.h"

/* NULL: there is none. */
static const struct token_use *
use_find(struct errbuf *eb)
{
	const struct token_use *use = module_find("keyring", "token_libsecret");

	if (use == NULL)
		err_set(eb, E_CONFIG, "%s",
		    _("keyring: libsecret, or malote's module for it, is not "
		      "installed; leave it out, and the tokens are kept in a "
		      "file"));
	return use;
}

enum err
token_keyring_load(
    const struct oauth_party *p, struct buf *text, struct errbuf *eb)
{
	const struct token_use *use = use_find(eb);

	return use != NULL ? use->load(p, text, eb) : E_CONFIG;
}

enum err
token_keyring_save(
    const struct oauth_party *p, const char *text, struct errbuf *eb)
{
	const struct token_use *use = use_find(eb);

	return use != NULL ? use->save(p, text, eb) : E_CONFIG;
}
