/*
 * Why a handshake failed.  All of it has to fit in an errbuf: the words that
 * matter come first, and what the certificate says is cut.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "net/host.h"
#include "net/tls_client.h"
#include "net/tls_peer.h"
#include "net/tls_pin.h"
#include "net/tls_reason.h"
#include "net/tls_text.h"

/* ---- certificates that do not pass ---- */

/* On shared hosting the certificate has the provider's name. */
static void
why_name(const struct tls_peer *peer, const char *host, struct errbuf *eb)
{
	char names[90], best[TLS_TEXT_NAME];

	if (tls_text_names(
		names, sizeof(names) - strlen(", ..."), peer->leaf) != 0)
		strcat(names, ", ...");
	if (names[0] == '\0')
		err_set(eb, E_DENIED,
		    _("%s: the certificate has no names of servers; a common "
		      "name alone does not count"),
		    host);
	else if (tls_text_best_name(best, peer->leaf))
		err_set(eb, E_DENIED,
		    _("%s: the certificate is for %s; is that your provider? "
		      "Then write server = \"%s\""),
		    host, names, best);
	else
		err_set(eb, E_DENIED,
		    _("%s: the certificate is for %s; is that your provider? "
		      "Then write as server the name there that it tells "
		      "you"),
		    host, names);
}

static void
why_time(const struct tls_peer *peer, const char *host, bool expired,
    struct errbuf *eb)
{
	const X509 *x = peer->at != NULL ? peer->at : peer->leaf;
	char date[TLS_TEXT_DATE], now[TLS_TEXT_DATE];

	tls_text_time(
	    date, expired ? X509_get0_notAfter(x) : X509_get0_notBefore(x));
	tls_text_now(now);
	if (!expired)
		err_set(eb, E_DENIED,
		    _("%s: the certificate is valid only from %s on; this "
		      "computer's clock says %s: set it right"),
		    host, date, now);
	else if (X509_cmp(x, peer->leaf) != 0)
		err_set(eb, E_DENIED,
		    _("%s: a certificate of the issuers has expired on %s; "
		      "this computer's clock says %s: if that is right, its "
		      "owner has to mend it"),
		    host, date, now);
	else
		err_set(eb, E_DENIED,
		    _("%s: the certificate has expired on %s; this computer's "
		      "clock says %s: if that is right, its owner has to renew "
		      "it"),
		    host, date, now);
}

/* Programs and boxes that read along put a certificate of their own in place of
 * the server's, and name themselves in it. */
static bool
is_interceptor(const char *issuer)
{
	static const char *const words[] = { "Avast", "AVG", "Kaspersky",
		"ESET SSL", "Bitdefender", "Norton", "Symantec Endpoint",
		"McAfee", "Sophos", "Fortinet", "FortiGate", "Zscaler",
		"Netskope", "Palo Alto", "Blue Coat", "Cisco Umbrella",
		"WatchGuard", "Untangle", "pfSense", "mitmproxy", "Web Shield",
		"Mail Shield", "SSL Filter", "SonicWall", "Check Point" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(issuer, words[i]) != NULL)
			return true;
	return false;
}

static bool
is_intercepted(const struct tls_peer *peer)
{
	char issuer[TLS_TEXT_NAME];

	tls_text_name(issuer,
	    X509_get_issuer_name(peer->at != NULL ? peer->at : peer->leaf));
	return is_interceptor(issuer);
}

static void
why_issuer(const struct tls_peer *peer, const char *host, struct errbuf *eb)
{
	const X509 *x = peer->at != NULL ? peer->at : peer->leaf;
	char hex[TLS_PIN_HEX], issuer[TLS_TEXT_NAME];

	tls_pin_hex(hex, peer->leaf);
	tls_text_name(issuer, X509_get_issuer_name(x));
	if (is_intercepted(peer)) {
		err_set(eb, E_DENIED,
		    _("%s: this is not the server's certificate but one of "
		      "\"%s\", which reads along; switch that off for mail, "
		      "or give its certificate in ca_file"),
		    host, issuer);
		return;
	}
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
		    _("%s: this port does not speak TLS at once: write "
		      "security = \"starttls\""),
		    host);
	else if (memcmp(peer->head, "* ", 2) == 0)
		err_set(eb, E_FORMAT,
		    _("%s: this is a port of IMAP; that of POP3 with TLS is "
		      "995"),
		    host);
	else if (memcmp(peer->head, "220", 3) == 0)
		err_set(eb, E_FORMAT,
		    _("%s: this is a port for sending mail; that of POP3 with "
		      "TLS is 995"),
		    host);
	else
		err_set(eb, E_FORMAT,
		    _("%s: this port does not speak TLS: it sent \"%s\"; that "
		      "of POP3 with TLS is 995"),
		    host, shown);
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
	char shown[TLS_TEXT_NAME], ascii[HOST_MAX];

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

/* ---- what was found ---- */

static enum tls_fault
certificate_fault(const struct tls_peer *peer)
{
	if (peer->pinned)
		return TLS_FAULT_PIN;
	switch (peer->error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH: return TLS_FAULT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED: return TLS_FAULT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID: return TLS_FAULT_NOT_YET;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return is_intercepted(peer) ? TLS_FAULT_INTERCEPTED
					    : TLS_FAULT_ISSUER;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return TLS_FAULT_ISSUER;
	default: return TLS_FAULT_OTHER;
	}
}

static enum tls_fault
fault_of(const SSL *ssl, const struct tls_peer *peer)
{
	if (peer->leaf != NULL && peer->error != X509_V_OK)
		return certificate_fault(peer);
	if (!speaks_tls(peer))
		return memcmp(peer->head, "+OK", 3) == 0 ||
			       memcmp(peer->head, "-ERR", 4) == 0
			   ? TLS_FAULT_POP3
			   : TLS_FAULT_NO_TLS;
	return SSL_is_init_finished(ssl) ? TLS_FAULT_NONE : TLS_FAULT_OTHER;
}

void
tls_client_found(const struct conn *c, struct tls_found *f)
{
	const struct tls_peer *peer =
	    c->ssl != NULL ? tls_peer_of(c->ssl) : NULL;

	*f = (struct tls_found){ .fault = TLS_FAULT_OTHER };
	if (peer == NULL)
		return;
	f->fault = fault_of(c->ssl, peer);
	if (SSL_is_init_finished(c->ssl)) {
		snprintf(
		    f->version, sizeof(f->version), "%s", conn_tls_version(c));
		snprintf(
		    f->cipher, sizeof(f->cipher), "%s", conn_tls_cipher(c));
	}
	if (peer->leaf == NULL)
		return;
	tls_text_names(f->names, sizeof(f->names), peer->leaf);
	tls_text_name(f->subject, X509_get_subject_name(peer->leaf));
	tls_text_name(f->issuer, X509_get_issuer_name(peer->leaf));
	tls_text_time(f->from, X509_get0_notBefore(peer->leaf));
	tls_text_time(f->until, X509_get0_notAfter(peer->leaf));
	tls_pin_hex(f->fingerprint, peer->leaf);
}
