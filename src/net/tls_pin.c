#include "net/tls_pin.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/b64.h"
#include "base/i18n.h"

static const char b64_prefix[] = "sha256/";

enum { B64_PREFIX = sizeof(b64_prefix) - 1, B64_PIN = B64_ENCODED(TLS_PIN) };

static int
hex_digit(char c)
{
	c = str_lower1(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
parse_hex(unsigned char pin[TLS_PIN], const char *p)
{
	for (size_t i = 0; i < TLS_PIN; i++) {
		int high, low;

		if (i > 0 && *p == ':')
			p++;
		if ((high = hex_digit(p[0])) < 0 || (low = hex_digit(p[1])) < 0)
			return false;
		pin[i] = (unsigned char)(high << 4 | low);
		p += 2;
	}
	return *p == '\0';
}

static bool
parse_b64(unsigned char pin[TLS_PIN], const char *text)
{
	struct slice s = { text, strlen(text) };
	char raw[B64_PIN];
	size_t n;

	if (s.n != B64_PIN || b64_decode(raw, s, &n) != E_OK || n != TLS_PIN)
		return false;
	memcpy(pin, raw, TLS_PIN);
	return true;
}

enum err
tls_pin_parse(unsigned char pin[TLS_PIN], const char *text, struct errbuf *eb)
{
	bool good = strncmp(text, b64_prefix, B64_PREFIX) == 0
			? parse_b64(pin, text + B64_PREFIX)
			: parse_hex(pin, text);

	if (good)
		return E_OK;
	return err_set(eb, E_CONFIG, "%s",
	    _("a fingerprint is the SHA-256 of a certificate or key: 64 "
	      "hexadecimal digits, or \"sha256/\" and base64"));
}

static bool
of_certificate(unsigned char out[TLS_PIN], const X509 *x)
{
	return X509_digest(x, EVP_sha256(), out, NULL) == 1;
}

static bool
of_key(unsigned char out[TLS_PIN], const X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	bool good = n > 0 && EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(),
				 NULL) == 1;

	OPENSSL_free(der);
	return good;
}

bool
tls_pin_is(const unsigned char pin[TLS_PIN], const X509 *x)
{
	unsigned char is[TLS_PIN];

	return (of_certificate(is, x) && memcmp(is, pin, TLS_PIN) == 0) ||
	       (of_key(is, x) && memcmp(is, pin, TLS_PIN) == 0);
}

char *
tls_pin_hex(char out[TLS_PIN_HEX], const X509 *x)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char is[TLS_PIN] = { 0 };
	char *o = out;

	of_certificate(is, x);
	for (size_t i = 0; i < TLS_PIN; i++) {
		*o++ = hex[is[i] >> 4];
		*o++ = hex[is[i] & 15];
	}
	*o = '\0';
	return out;
}

char *
tls_pin_key(char out[TLS_PIN_B64], const X509 *x)
{
	unsigned char is[TLS_PIN] = { 0 };

	of_key(is, x);
	memcpy(out, b64_prefix, B64_PREFIX);
	b64_encode(out + B64_PREFIX, is, TLS_PIN);
	out[B64_PREFIX + B64_PIN] = '\0';
	return out;
}
