#include "client/conf/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/b64.h"
#include "base/i18n.h"
#include "base/str.h"
#include "sasl/sasl.h"

const char *
value_shown(char out[VALUE_SHOWN], const char *value)
{
	return str_quote(out, VALUE_SHOWN, value, strlen(value));
}

static enum err
copy_text(char **field, const char *value, struct errbuf *eb)
{
	if ((*field = strdup(value)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return E_OK;
}

static enum err
copy_lower(char **field, const char *value, struct errbuf *eb)
{
	enum err e = copy_text(field, value, eb);

	for (char *p = *field; e == E_OK && *p != '\0'; p++)
		*p = str_lower1(*p);
	return e;
}

/* ---- text ---- */

enum err
value_secret(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_set(eb, E_CONFIG,
			    _("%s holds a control character, perhaps made of a "
			      "\\; write the value within single quotes"),
			    name);
	return copy_text(field, value, eb);
}

static enum err
check_text(const char *name, const char *value, struct errbuf *eb)
{
	for (const char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_set(eb, E_CONFIG,
			    _("%s holds a control character; write printable "
			      "ones only"),
			    name);
	if (!str_is_utf8(value, strlen(value)))
		return err_set(eb, E_CONFIG,
		    _("%s is not in UTF-8; save the file in that encoding"),
		    name);
	return E_OK;
}

enum err
value_text(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	enum err e = check_text(name, value, eb);

	return e != E_OK ? e : copy_text(field, value, eb);
}

enum err
value_email(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	const char *at = strrchr(value, '@');
	char shown[VALUE_SHOWN];

	if (at == NULL || at == value || at[1] == '\0' ||
	    strpbrk(value, " <>") != NULL)
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" is no address; write NAME@DOMAIN"), name,
		    value_shown(shown, value));
	return value_text(place, name, field, value, eb);
}

enum err
value_server(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	const char *colon = strchr(value, ':');
	char shown[VALUE_SHOWN];

	value_shown(shown, value);
	if (strpbrk(value, " /@[]") != NULL)
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" is no name of a server; write only its name "
		      "or address"),
		    name, shown);
	if (colon != NULL && strchr(colon + 1, ':') == NULL)
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" holds more than a name; write the port as "
		      "port = NUMBER"),
		    name, shown);
	return value_text(place, name, field, value, eb);
}

enum err
value_path(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	enum err e = check_text(name, value, eb);

	return e != E_OK ? e : value_absolute(place, name, field, value, eb);
}

enum err
value_absolute(const struct value_place *place, const char *name, char **path_r,
    const char *value, struct errbuf *eb)
{
	const char *folder = value[0] == '/' ? "" : place->folder;
	char shown[VALUE_SHOWN];

	if (value[0] == '~') {
		if (value[1] != '/' && value[1] != '\0')
			return err_set(eb, E_CONFIG,
			    _("%s: \"%s\" is nobody's home; ~ is yours before "
			      "a / only"),
			    name, value_shown(shown, value));
		if ((folder = place->home) == NULL)
			return err_set(eb, E_CONFIG,
			    _("%s: ~ stands for no home; set HOME, or write "
			      "the whole path"),
			    name);
		value += value[1] == '/' ? 2 : 1;
	}
	if (asprintf(path_r, "%s%s%s", folder,
		folder[0] == '\0' || value[0] == '\0' ? "" : "/", value) < 0) {
		*path_r = NULL;
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	return E_OK;
}

/* ---- words ---- */

enum err
value_yes(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	struct slice s = { value, strlen(value) };
	bool *yes = field;
	char shown[VALUE_SHOWN];

	*yes = slice_caseeq(s, "yes");
	if (!*yes && !slice_caseeq(s, "no"))
		return err_set(eb, E_CONFIG,
		    _("%s = \"%s\" is not known; write \"yes\" or \"no\""),
		    name, value_shown(shown, value));
	return E_OK;
}

const char *
security_name(enum security s)
{
	static const char *const names[] = { [SECURITY_TLS] = "tls",
		[SECURITY_STARTTLS] = "starttls",
		[SECURITY_NONE] = "none",
		[SECURITY_KPOP] = "kpop" };

	return names[s];
}

enum err
value_security(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	/* With what other programs call them. */
	static const struct {
		const char *word;
		enum security security;
	} words[] = {
		{ "tls", SECURITY_TLS },
		{ "ssl", SECURITY_TLS },
		{ "ssl/tls", SECURITY_TLS },
		{ "pop3s", SECURITY_TLS },
		{ "implicit", SECURITY_TLS },
		{ "starttls", SECURITY_STARTTLS },
		{ "stls", SECURITY_STARTTLS },
		{ "none", SECURITY_NONE },
		{ "kpop", SECURITY_KPOP },
	};
	struct slice s = { value, strlen(value) };
	char shown[VALUE_SHOWN];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_caseeq(s, words[i].word)) {
			*(enum security *)field = words[i].security;
			return E_OK;
		}
	return err_set(eb, E_CONFIG,
	    _("%s = \"%s\" is not known; write \"tls\", \"starttls\" or "
	      "\"none\""),
	    name, value_shown(shown, value));
}

enum err
value_auth(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	static const char *const others[] = { "auto", "user", "apop",
		"gssapi" };
	struct slice s = { value, strlen(value) };
	char shown[VALUE_SHOWN];

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (slice_caseeq(s, others[i]))
			return copy_text(field, others[i], eb);
	if (sasl_find(s) != NULL)
		return copy_lower(field, value, eb);
	return err_set(eb, E_CONFIG,
	    _("%s = \"%s\" is not known; write \"auto\", or a way to sign in "
	      "that malote.conf(5) lists"),
	    name, value_shown(shown, value));
}

/* ---- what others know better: only its form is looked at ---- */

/* 64 hexadecimal digits, perhaps with colons, or sha256/ and base64. */
static bool
is_fingerprint(const char *value)
{
	size_t n = 0;

	if (strncasecmp(value, "sha256/", 7) == 0) {
		struct slice s = { value + 7, strlen(value + 7) };
		char digest[B64_ENCODED(32)];

		return s.n == sizeof(digest) &&
		       b64_decode(digest, s, &n) == E_OK && n == 32;
	}
	for (; *value != '\0'; value++) {
		if (*value == ':')
			continue;
		if (strchr("0123456789abcdefABCDEF", *value) == NULL)
			return false;
		n++;
	}
	return n == 64;
}

enum err
value_fingerprint(const struct value_place *place, const char *name,
    void *field, const char *value, struct errbuf *eb)
{
	if (!is_fingerprint(value))
		return err_set(eb, E_CONFIG,
		    _("%s is no SHA-256; write 64 hexadecimal digits, or "
		      "\"sha256/\" and base64"),
		    name);
	return copy_text(field, value, eb);
}

/* The name is always resolved by the proxy: what curl calls socks5h. */
static const char *
behind_scheme(const char *value)
{
	static const char *const schemes[] = { "socks5://", "socks5h://" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strncasecmp(value, schemes[i], strlen(schemes[i])) == 0)
			return value + strlen(schemes[i]);
	return value;
}

/* [USER:PASSWORD@]HOST[:PORT] */
static bool
is_proxy(const char *value)
{
	const char *host, *port;
	uint32_t v;

	host = strrchr(value, '@');
	if (host != NULL && memchr(value, ':', (size_t)(host - value)) == NULL)
		return false;
	host = host != NULL ? host + 1 : value;
	port = host[0] == '[' ? strchr(host, ']') : strchr(host, ':');
	if (port != NULL && *port == ']')
		port++;
	if (strpbrk(host, "/ ") != NULL || host[0] == '\0' || port == host ||
	    (host[0] == '[' && port == NULL))
		return false;
	if (port == NULL || *port == '\0')
		return true;
	return *port == ':' && port[1] != '\0' &&
	       str_to_u32((struct slice){ port + 1, strlen(port + 1) }, &v) &&
	       v != 0 && v <= UINT16_MAX;
}

enum err
value_proxy(const struct value_place *place, const char *name, void *field,
    const char *value, struct errbuf *eb)
{
	value = behind_scheme(value);
	if (!is_proxy(value))
		return err_set(eb, E_CONFIG,
		    _("%s is not understood; write "
		      "\"socks5://[USER:PASSWORD@]HOST[:PORT]\""),
		    name);
	return value_text(place, name, field, value, eb);
}
