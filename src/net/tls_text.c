#include "net/tls_text.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/str.h"

static void
quote(char *out, size_t size, const ASN1_STRING *s)
{
	str_quote(
	    out, size, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

void
tls_text_name(char out[TLS_TEXT_NAME], const X509_NAME *name)
{
	static const int nids[] = { NID_commonName, NID_organizationName,
		NID_organizationalUnitName };
	char line[256];

	for (size_t i = 0; i < sizeof(nids) / sizeof(nids[0]); i++) {
		int at = X509_NAME_get_index_by_NID(name, nids[i], -1);
		unsigned char *utf8 = NULL;
		int n;

		if (at < 0)
			continue;
		n = ASN1_STRING_to_UTF8(&utf8,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
		if (n < 0)
			continue;
		str_quote(out, TLS_TEXT_NAME, utf8, (size_t)n);
		OPENSSL_free(utf8);
		return;
	}
	X509_NAME_oneline(name, line, sizeof(line));
	str_quote(out, TLS_TEXT_NAME, line, strlen(line));
}

void
tls_text_time(char out[TLS_TEXT_DATE], const ASN1_TIME *t)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1 ||
	    strftime(out, TLS_TEXT_DATE, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		memcpy(out, "?", 2);
}

void
tls_text_now(char out[TLS_TEXT_DATE])
{
	time_t now = (time_t)(clock_unix_ms() / 1000);
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(out, TLS_TEXT_DATE, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		memcpy(out, "?", 2);
}

/* False if it is no name of a host. */
static bool
show_alternative(char out[TLS_TEXT_NAME], const GENERAL_NAME *g)
{
	char text[INET6_ADDRSTRLEN];
	const ASN1_OCTET_STRING *ip;

	if (g->type == GEN_DNS) {
		quote(out, TLS_TEXT_NAME, g->d.dNSName);
		return true;
	}
	if (g->type != GEN_IPADD)
		return false;
	ip = g->d.iPAddress;
	if ((ip->length != 4 && ip->length != 16) ||
	    inet_ntop(ip->length == 4 ? AF_INET : AF_INET6, ip->data, text,
		sizeof(text)) == NULL)
		return false;
	snprintf(out, TLS_TEXT_NAME, "%s", text);
	return true;
}

unsigned
tls_text_names(char *out, size_t size, const X509 *x)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(names), shown = 0;
	unsigned more = 0;
	char one[TLS_TEXT_NAME];
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; i < n; i++) {
		if (!show_alternative(one, sk_GENERAL_NAME_value(names, i)))
			continue;
		if (shown == TLS_TEXT_NAMES || len + strlen(one) + 2 >= size) {
			more++;
			continue;
		}
		len += (size_t)snprintf(out + len, size - len, "%s%s",
		    shown++ > 0 ? ", " : "", one);
	}
	GENERAL_NAMES_free(names);
	return more;
}

/* The longer the word that it begins with, the better. */
static int
worth(const char *name)
{
	static const char *const words[] = { "pop", "mail" };

	if (strchr(name, '*') != NULL || strchr(name, '\\') != NULL)
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(name, words[i], strlen(words[i])) == 0)
			return 3 - (int)i;
	return 1;
}

bool
tls_text_best_name(char out[TLS_TEXT_NAME], const X509 *x)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	char one[TLS_TEXT_NAME];
	int best = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type != GEN_DNS || !show_alternative(one, g) ||
		    g->d.dNSName->length >= TLS_TEXT_NAME || worth(one) <= best)
			continue;
		best = worth(one);
		memcpy(out, one, sizeof(one));
	}
	GENERAL_NAMES_free(names);
	return best != 0;
}
