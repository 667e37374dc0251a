#include "net/tls_binding.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>

#include "net/conn.h"

enum { EXPORTED = 32 };

static bool
exporter(SSL *ssl, struct tls_binding *b)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	static const unsigned char context[1];

	if (SSL_version(ssl) < TLS1_3_VERSION &&
	    SSL_get_extms_support(ssl) != 1)
		return false;
	b->n = EXPORTED;
	return SSL_export_keying_material(ssl, b->data, EXPORTED, label,
		   sizeof(label) - 1, context, 0, 1) == 1;
}

/* The first Finished of the handshake: the client's, or the server's when a
 * session is resumed. */
static bool
unique(SSL *ssl, struct tls_binding *b)
{
	bool ours = !SSL_is_server(ssl) != (SSL_session_reused(ssl) == 1);

	if (SSL_version(ssl) >= TLS1_3_VERSION ||
	    SSL_get_extms_support(ssl) != 1)
		return false;
	b->n = ours ? SSL_get_finished(ssl, b->data, sizeof(b->data))
		    : SSL_get_peer_finished(ssl, b->data, sizeof(b->data));
	return b->n > 0 && b->n <= sizeof(b->data);
}

static bool
end_point(SSL *ssl, struct tls_binding *b)
{
	X509 *x = SSL_is_server(ssl) ? SSL_get_certificate(ssl)
				     : SSL_get0_peer_certificate(ssl);
	unsigned char hash[EVP_MAX_MD_SIZE];
	const EVP_MD *md;
	unsigned n = 0;
	int nid;

	if (x == NULL ||
	    X509_get_signature_info(x, &nid, NULL, NULL, NULL) != 1)
		return false;
	if (nid == NID_md5 || nid == NID_sha1)
		nid = NID_sha256;
	if ((md = EVP_get_digestbynid(nid)) == NULL ||
	    X509_digest(x, md, hash, &n) != 1 || n > sizeof(b->data))
		return false;
	memcpy(b->data, hash, n);
	b->n = n;
	return true;
}

enum err
tls_binding_get(const struct conn *c, const char *name, struct tls_binding *b)
{
	static const struct {
		const char *name;
		bool (*get)(SSL *ssl, struct tls_binding *b);
	} kinds[] = {
		{ "tls-exporter", exporter },
		{ "tls-unique", unique },
		{ "tls-server-end-point", end_point },
	};
	bool got = false;

	memset(b, 0, sizeof(*b));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		b->name = kinds[i].name;
		got = c->ssl != NULL && SSL_is_init_finished(c->ssl) &&
		      kinds[i].get(c->ssl, b);
	}
	ERR_clear_error();
	if (!got)
		memset(b, 0, sizeof(*b));
	return got ? E_OK : E_NOENT;
}
