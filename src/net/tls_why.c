/*
 * Why a handshake failed.  All of it has to fit in an errbuf: the words that
 * matter come first, and what the certificate says is cut.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/str.h"
#include "net/host.h"
#include "net/tls_client.h"
#include "net/tls_peer.h"
#include "net/tls_pin.h"
#include "net/tls_reason.h"

enum { NAME_SHOWN = 48, NAMES_SHOWN = 4, DATE = 32 };

/* ---- what certificates say ---- */

static void
quote(char *out, size_t size, const ASN1_STRING *s)
{
	str_quote(
	    out, size, ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

/* The common name or the organisation is what a person knows it by. */
static void
show_name(char out[NAME_SHOWN], const X509_NAME *name)
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
		str_quote(out, NAME_SHOWN, utf8, (size_t)n);
		OPENSSL_free(utf8);
		return;
	}
	X509_NAME_oneline(name, line, sizeof(line));
	str_quote(out, NAME_SHOWN, line, strlen(line));
}

static void
show_time(char out[DATE], const ASN1_TIME *t)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1 ||
	    strftime(out, DATE, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		memcpy(out, "?", 2);
}

static void
show_now(char out[DATE])
{
	time_t now = (time_t)(clock_unix_ms() / 1000);
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(out, DATE, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		memcpy(out, "?", 2);
}

/* False if it is no name of a host. */
static bool
show_alternative(char out[NAME_SHOWN], const GENERAL_NAME *g)
{
	char text[INET6_ADDRSTRLEN];
	const ASN1_OCTET_STRING *ip;

	if (g->type == GEN_DNS) {
		quote(out, NAME_SHOWN, g->d.dNSName);
		return true;
	}
	if (g->type != GEN_IPADD)
		return false;
	ip = g->d.iPAddress;
	if ((ip->length != 4 && ip->length != 16) ||
	    inet_ntop(ip->length == 4 ? AF_INET : AF_INET6, ip->data, text,
		sizeof(text)) == NULL)
		return false;
	snprintf(out, NAME_SHOWN, "%s", text);
	return true;
}

/* Writes "a.example.org, b.example.org", or nothing if there are no names;
 * returns how many more there are. */
static unsigned
show_names(char *out, size_t size, const X509 *x)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(names), shown = 0;
	unsigned more = 0;
	char one[NAME_SHOWN];
	size_t len = 0;

	out[0] = '\0';
	for (int i = 0; i < n; i++) {
		if (!show_alternative(one, sk_GENERAL_NAME_value(names, i)))
			continue;
		if (shown == NAMES_SHOWN || len + strlen(one) + 2 >= size) {
			more++;
			continue;
		}
		len += (size_t)snprintf(out + len, size - len, "%s%s",
		    shown++ > 0 ? ", " : "", one);
	}
	GENERAL_NAMES_free(names);
	return more;
}

/* ---- certificates that do not pass ---- */

static void
why_name(const struct tls_peer *peer, const char *host, struct errbuf *eb)
{
	char names[130];
	unsigned more = show_names(names, sizeof(names), peer->leaf);

	if (names[0] == '\0')
		err_set(eb, E_DENIED,
		    _("%s: the certificate has no names of servers; a common "
		      "name alone does not count"),
		    host);
	else if (more != 0)
		err_set(eb, E_DENIED,
		    ngettext("%s: the certificate is for other names: %s and "
			     "%u more",
			"%s: the certificate is for other names: %s and %u "
			"more",
			more),
		    host, names, more);
	else
		err_set(eb, E_DENIED,
		    _("%s: the certificate is for other names: %s"), host,
		    names);
}

static void
why_time(const struct tls_peer *peer, const char *host, bool expired,
    struct errbuf *eb)
{
	const X509 *x = peer->at != NULL ? peer->at : peer->leaf;
	char date[DATE], now[DATE];

	show_time(
	    date, expired ? X509_get0_notAfter(x) : X509_get0_notBefore(x));
	show_now(now);
	if (X509_cmp(x, peer->leaf) != 0)
		err_set(eb, E_DENIED,
		    expired ? _("%s: a certificate of the issuers has expired "
				"on %s "
				"(this computer's clock says %s)")
			    : _("%s: a certificate of the issuers is valid "
				"only from "
				"%s on (this computer's clock says %s)"),
		    host, date, now);
	else
		err_set(eb, E_DENIED,
		    expired ? _("%s: the certificate has expired on %s (this "
				"computer's clock says %s)")
			    : _("%s: the certificate is valid only from %s on "
				"(this computer's clock says %s)"),
		    host, date, now);
}

static void
why_issuer(const struct tls_peer *peer, const char *host, struct errbuf *eb)
{
	const X509 *x = peer->at != NULL ? peer->at : peer->leaf;
	char hex[TLS_PIN_HEX], issuer[NAME_SHOWN];

	tls_pin_hex(hex, peer->leaf);
	show_name(issuer, X509_get_issuer_name(x));
	err_set(eb, E_DENIED,
	    _("%s: unknown issuer; if its owner confirms that it is the right "
	      "one: fingerprint = \"%s\", or ca_file (issuer: \"%s\")"),
	    host, hex, issuer);
}

static void
why_self_signed(
    const struct tls_peer *peer, const char *host, struct errbuf *eb)
{
	char hex[TLS_PIN_HEX];

	err_set(eb, E_DENIED,
	    _("%s: the certificate is signed by itself; if its owner confirms "
	      "that it is the right one: fingerprint = \"%s\""),
	    host, tls_pin_hex(hex, peer->leaf));
}

static void
why_pin(const struct tls_peer *peer, const char *host, struct errbuf *eb)
{
	char hex[TLS_PIN_HEX], key[TLS_PIN_B64];

	err_set(eb, E_DENIED,
	    _("%s: not the fingerprint that is configured; now it is %s, of "
	      "the key %s"),
	    host, tls_pin_hex(hex, peer->leaf), tls_pin_key(key, peer->leaf));
}

static void
why_certificate(
    const struct tls_peer *peer, const char *host, struct errbuf *eb)
{
	if (peer->pinned) {
		why_pin(peer, host, eb);
		return;
	}
	switch (peer->error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH: why_name(peer, host, eb); break;
	case X509_V_ERR_CERT_HAS_EXPIRED: why_time(peer, host, true, eb); break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		why_time(peer, host, false, eb);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		why_issuer(peer, host, eb);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		why_self_signed(peer, host, eb);
		break;
	case X509_V_ERR_INVALID_PURPOSE:
		err_set(eb, E_DENIED,
		    _("%s: the certificate is not one for servers (its purpose "
		      "is another)"),
		    host);
		break;
	case X509_V_ERR_INVALID_CA:
		err_set(eb, E_DENIED,
		    _("%s: the certificate was issued by one that is no "
		      "authority's"),
		    host);
		break;
	default:
		err_set(eb, E_DENIED, _("%s: the certificate is not valid: %s"),
		    host, tls_reason_certificate(peer->error));
	}
}

/* ---- handshakes that break ---- */

/* A record begins with its type and a version whose first octet is 3. */
static bool
speaks_tls(const struct tls_peer *peer)
{
	return !peer->heard || (peer->head[0] >= SSL3_RT_CHANGE_CIPHER_SPEC &&
				   peer->head[0] <= SSL3_RT_APPLICATION_DATA &&
				   peer->head[1] == SSL3_VERSION_MAJOR);
}

static void
why_no_tls(const struct tls_peer *peer, const char *host, struct errbuf *eb)
{
	bool pop3 = memcmp(peer->head, "+OK", 3) == 0 ||
		    memcmp(peer->head, "-ERR", 4) == 0;
	char shown[4 * sizeof(peer->head) + 1];

	str_quote(shown, sizeof(shown), peer->head, sizeof(peer->head));
	if (pop3)
		err_set(eb, E_FORMAT,
		    _("%s: this port does not speak TLS but POP3 in plain text "
		      "(starttls, perhaps?)"),
		    host);
	else
		err_set(eb, E_FORMAT,
		    _("%s: this port does not speak TLS: it sent \"%s\""), host,
		    shown);
}

static void
why_protocol(const char *host, unsigned long code, struct errbuf *eb)
{
	const char *reason = tls_reason_handshake(code);

	switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		err_set(eb, E_FORMAT,
		    _("%s: the server speaks only versions of TLS before 1.2, "
		      "which are not safe"),
		    host);
		return;
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
		err_set(eb, E_FORMAT,
		    _("%s: the server found nothing in common in the TLS "
		      "handshake, or wants a certificate of yours"),
		    host);
		return;
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		err_set(eb, E_DENIED,
		    _("%s: the server wants a certificate of yours "
		      "(client_certificate)"),
		    host);
		return;
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
		err_set(eb, E_DENIED,
		    _("%s: the server refuses your certificate: %s"), host,
		    reason);
		return;
	case SSL_R_TLSV1_UNRECOGNIZED_NAME:
		err_set(eb, E_DENIED,
		    _("%s: the server does not know itself by that name"),
		    host);
		return;
	}
	err_set(
	    eb, E_FORMAT, _("%s: the TLS handshake failed: %s"), host, reason);
}

bool
tls_client_heard(const struct conn *c)
{
	const struct tls_peer *peer =
	    c->ssl != NULL ? tls_peer_of(c->ssl) : NULL;

	return peer != NULL && peer->heard && speaks_tls(peer);
}

static bool
was_cut(unsigned long code)
{
	return code == 0 || ERR_GET_LIB(code) == ERR_LIB_SYS ||
	       (ERR_GET_LIB(code) == ERR_LIB_SSL &&
		   ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING);
}

bool
tls_client_why(const struct conn *c, const char *host, struct errbuf *eb)
{
	const struct tls_peer *peer =
	    c->ssl != NULL ? tls_peer_of(c->ssl) : NULL;
	unsigned long code = ERR_peek_error();
	char shown[NAME_SHOWN], ascii[HOST_MAX];

	if (host_ascii(ascii, host, NULL) == E_OK)
		host = ascii;
	str_quote(shown, sizeof(shown), host, strlen(host));
	if (peer != NULL && peer->leaf != NULL && peer->error != X509_V_OK) {
		why_certificate(peer, shown, eb);
	} else if (peer != NULL && !speaks_tls(peer)) {
		why_no_tls(peer, shown, eb);
	} else if (was_cut(code)) {
		err_set(eb, E_CLOSED,
		    _("%s: the connection was closed during the TLS handshake"),
		    shown);
		return false;
	} else {
		why_protocol(shown, code, eb);
	}
	return true;
}
