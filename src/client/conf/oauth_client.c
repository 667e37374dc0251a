#include "client/conf/oauth_client.h"

#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"

/* What providers have published.  Some want more in the question than the
 * standard asks for: it stands behind the ? of the address.  A new one is a row
 * here and in malote-oauth(7). */
static const struct provider {
	const char *name;
	const char *authorization_url, *device_url, *token_url;
	const char *scope;
	const char *redirect_url;
} providers[] = {
	/* The refresh token is given at the first time only, unless the person
	 * is asked anew.  By device code there is no scope for mail. */
	{ .name = "google",
	    .authorization_url = "https://accounts.google.com/o/oauth2/v2/auth"
				 "?access_type=offline&prompt=consent",
	    .token_url = "https://oauth2.googleapis.com/token",
	    .scope = "https://mail.google.com/",
	    .redirect_url = "http://127.0.0.1" },
	{ .name = "microsoft",
	    .authorization_url = "https://login.microsoftonline.com/common/"
				 "oauth2/v2.0/authorize",
	    .device_url = "https://login.microsoftonline.com/common/"
			  "oauth2/v2.0/devicecode",
	    .token_url = "https://login.microsoftonline.com/common/"
			 "oauth2/v2.0/token",
	    .scope = "https://outlook.office.com/POP.AccessAsUser.All "
		     "offline_access",
	    .redirect_url = "http://localhost" },
	{ .name = "yahoo",
	    .authorization_url =
		"https://api.login.yahoo.com/oauth2/request_auth",
	    .token_url = "https://api.login.yahoo.com/oauth2/get_token",
	    .scope = "mail-w",
	    .redirect_url = "http://localhost" },
	{ .name = "fastmail",
	    .authorization_url = "https://api.fastmail.com/oauth/authorize",
	    .token_url = "https://api.fastmail.com/oauth/refresh",
	    .scope = "urn:ietf:params:oauth:scope:mail offline_access",
	    .redirect_url = "http://localhost/" },
};

enum { PROVIDERS = sizeof(providers) / sizeof(providers[0]) };

static const struct provider *
find_provider(const char *name)
{
	for (size_t i = 0; i < PROVIDERS; i++)
		if (strcmp(providers[i].name, name) == 0)
			return &providers[i];
	return NULL;
}

bool
oauth_provider_is_known(const char *name)
{
	return find_provider(name) != NULL;
}

/* ---- values ---- */

enum err
value_flow(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	static const struct {
		const char *word;
		enum oauth_flow flow;
	} words[] = {
		{ "browser", OAUTH_BROWSER },
		{ "device", OAUTH_DEVICE },
		{ "client", OAUTH_CLIENT },
	};
	struct slice s = { value, strlen(value) };
	char shown[VALUE_SHOWN];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_caseeq(s, words[i].word)) {
			*(enum oauth_flow *)field = words[i].flow;
			return E_OK;
		}
	return err_set(eb, E_CONFIG,
	    _("%s = \"%s\" is not known; write \"browser\", \"device\" or "
	      "\"client\""),
	    name, value_shown(shown, value));
}

/* Printable ASCII without spaces, of which nothing ends a URL. */
static bool
is_url(const char *value)
{
	for (; *value != '\0'; value++)
		if (*value <= ' ' || *value > '~' || *value == '#' ||
		    *value == '\\')
			return false;
	return true;
}

enum err
value_web(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	static const char scheme[] = "https://";
	size_t n = sizeof(scheme) - 1;

	if (strncmp(value, scheme, n) != 0 || value[n] == '\0' ||
	    value[n] == '/' || !is_url(value))
		return err_set(eb, E_CONFIG,
		    _("%s is not understood; write \"https://...\""), name);
	return value_text(place, name, field, value, eb);
}

/* Only this computer hears what the browser is sent to it with. */
enum err
value_redirect(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	static const char *const bases[] = { "http://127.0.0.1",
		"http://localhost" };
	const char *port = NULL;
	uint32_t v = 0;
	bool good = false;
	size_t n;

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		if (strncmp(value, bases[i], strlen(bases[i])) == 0)
			port = value + strlen(bases[i]);
	if (port != NULL) {
		n = strcspn(port, "/");
		good = n == 0 ||
		       (port[0] == ':' &&
			   str_to_u32((struct slice){ port + 1, n - 1 }, &v) &&
			   v != 0 && v <= UINT16_MAX);
	}
	if (!good || strchr(value, '?') != NULL || !is_url(value))
		return err_set(eb, E_CONFIG,
		    _("%s is not understood; write "
		      "\"http://localhost[:PORT][/PATH]\""),
		    name);
	return value_text(place, name, field, value, eb);
}

enum err
value_provider(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	char shown[VALUE_SHOWN];

	if (!oauth_provider_is_known(value))
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" is not known; write \"google\", "
		      "\"microsoft\", \"yahoo\" or \"fastmail\", or leave it "
		      "out and write token_url, scope and authorization_url"),
		    name, value_shown(shown, value));
	return value_text(place, name, field, value, eb);
}

/* ---- the block as a whole ---- */

static bool
by_default(char **to, const char *text)
{
	return *to != NULL || text == NULL || (*to = strdup(text)) != NULL;
}

/* What each flow must have. */
static void
check_urls(const struct oauth_client *c, const struct conf_lines *l)
{
	char shown[VALUE_SHOWN];

	value_shown(shown, c->name);
	if (c->flow == OAUTH_BROWSER && c->authorization_url == NULL)
		COMPLAIN(l, "flow",
		    _("oauth \"%s\" has no authorization_url, which a browser "
		      "needs; write authorization_url = \"https://...\""),
		    shown);
	if (c->flow == OAUTH_DEVICE && c->device_url == NULL)
		COMPLAIN(l, "flow",
		    _("oauth \"%s\" gives out no codes for devices: leave "
		      "flow out, or write device_url = \"https://...\""),
		    shown);
	if (c->flow == OAUTH_CLIENT && c->client_secret == NULL)
		COMPLAIN(l, "flow",
		    _("flow = \"client\" signs in by a client_secret; write "
		      "client_secret = \"...\""));
	if (c->flow == OAUTH_ANY && c->authorization_url == NULL &&
	    c->device_url == NULL)
		conf_error(&l->text, c->line,
		    _("oauth \"%s\" says no place where it can be allowed; "
		      "write authorization_url = \"https://...\""),
		    shown);
}

enum err
oauth_client_check(struct oauth_client *c, const struct conf_lines *l)
{
	static const struct provider none = { .redirect_url =
						  "http://127.0.0.1" };
	const struct provider *p =
	    find_provider(c->provider != NULL ? c->provider : c->name);
	char shown[VALUE_SHOWN];

	if (p == NULL)
		p = &none;
	if (!by_default(&c->authorization_url, p->authorization_url) ||
	    !by_default(&c->device_url, p->device_url) ||
	    !by_default(&c->token_url, p->token_url) ||
	    !by_default(&c->scope, p->scope) ||
	    !by_default(&c->redirect_url, p->redirect_url))
		return E_NOMEM;
	value_shown(shown, c->name);
	if (c->client_id == NULL)
		conf_error(&l->text, c->line,
		    _("oauth \"%s\" has no client_id; malote-oauth(7) says how "
		      "to get one"),
		    shown);
	if (c->token_url == NULL)
		conf_error(&l->text, c->line,
		    _("oauth \"%s\" has no token_url; write token_url = "
		      "\"https://...\""),
		    shown);
	check_urls(c, l);
	return E_OK;
}
