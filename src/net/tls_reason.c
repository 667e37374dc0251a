#include "net/tls_reason.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stddef.h>

#include "base/i18n.h"

struct reason {
	int code;
	const char *words; /* to be translated */
};

static const struct reason certificate[] = {
	{ X509_V_ERR_CERT_SIGNATURE_FAILURE,
	    N_("its signature is not its issuer's") },
	{ X509_V_ERR_CERT_REVOKED, N_("it was revoked") },
	{ X509_V_ERR_CERT_CHAIN_TOO_LONG, N_("it has too many issuers") },
	{ X509_V_ERR_PATH_LENGTH_EXCEEDED, N_("it has too many issuers") },
	{ X509_V_ERR_CERT_REJECTED, N_("it is marked as not trusted") },
	{ X509_V_ERR_CERT_UNTRUSTED, N_("it is marked as not trusted") },
	{ X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
	    N_("it demands something that is not known here") },
	{ X509_V_ERR_PERMITTED_VIOLATION,
	    N_("its issuer may not vouch for that name") },
	{ X509_V_ERR_EXCLUDED_VIOLATION,
	    N_("its issuer may not vouch for that name") },
	{ X509_V_ERR_EE_KEY_TOO_SMALL, N_("its key is too short to be safe") },
	{ X509_V_ERR_CA_KEY_TOO_SMALL,
	    N_("the key of an issuer is too short to be safe") },
	{ X509_V_ERR_CA_MD_TOO_WEAK,
	    N_("it is signed in a way that is not safe any more") },
	{ 0, NULL },
};

static const struct reason handshake[] = {
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, N_("it is damaged") },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
	    N_("it is of a kind that is not taken there") },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, N_("it was revoked") },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, N_("it has expired") },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
	    N_("it is not accepted there") },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, N_("its issuer is not trusted there") },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, N_("it is not permitted there") },
	{ SSL_R_TLSV1_ALERT_INTERNAL_ERROR,
	    N_("the server has an error within itself") },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
	    N_("what came was changed on the way") },
	{ SSL_R_SSLV3_ALERT_BAD_RECORD_MAC,
	    N_("what was sent was changed on the way") },
	{ SSL_R_BAD_SIGNATURE, N_("the server's signature is wrong") },
	{ SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED,
	    N_("the server lacks what protects a renegotiation") },
	{ SSL_R_DH_KEY_TOO_SMALL,
	    N_("the server's key is too short to be safe") },
	{ SSL_R_EE_KEY_TOO_SMALL,
	    N_("the server's key is too short to be safe") },
	{ 0, NULL },
};

static const char *
find(const struct reason *r, int code)
{
	while (r->words != NULL && r->code != code)
		r++;
	return r->words != NULL ? _(r->words) : NULL;
}

const char *
tls_reason_certificate(int error)
{
	const char *words = find(certificate, error);

	return words != NULL ? words : X509_verify_cert_error_string(error);
}

const char *
tls_reason_handshake(unsigned long code)
{
	const char *words = ERR_GET_LIB(code) == ERR_LIB_SSL
				? find(handshake, ERR_GET_REASON(code))
				: NULL;

	if (words == NULL)
		words = ERR_reason_error_string(code);
	return words != NULL ? words : _("unknown error");
}
