#include "net/tls_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/str.h"
#include "net/host.h"
#include "net/tls_peer.h"
#include "net/tls_pin.h"

/* ---- what hangs on a context and on a connection ---- */

static void
free_pin(void *parent, void *p, CRYPTO_EX_DATA *ad, int idx, long l, void *arg)
{
	OPENSSL_free(p);
}

static void
free_peer(void *parent, void *p, CRYPTO_EX_DATA *ad, int idx, long l, void *arg)
{
	struct tls_peer *peer = p;

	if (peer == NULL)
		return;
	X509_free(peer->leaf);
	X509_free(peer->at);
	OPENSSL_free(peer);
}

static int
pin_index(void)
{
	static int idx = -1;

	if (idx < 0)
		idx = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_pin);
	return idx;
}

static int
peer_index(void)
{
	static int idx = -1;

	if (idx < 0)
		idx = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_peer);
	return idx;
}

struct tls_peer *
tls_peer_of(const SSL *ssl)
{
	return SSL_get_ex_data(ssl, peer_index());
}

/* ---- verification ---- */

static void
hold(X509 **slot, X509 *x)
{
	X509_free(*slot);
	*slot = x;
	if (x != NULL)
		X509_up_ref(x);
}

/* Verifies in place of OpenSSL's own function, which it calls unless there is a
 * pin.  Keeps the certificate for tls_client_why(), as OpenSSL drops it after a
 * failure. */
static int
verify(X509_STORE_CTX *sc, void *arg)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(
	    sc, SSL_get_ex_data_X509_STORE_CTX_idx());
	const unsigned char *pin =
	    SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), pin_index());
	struct tls_peer *peer = tls_peer_of(ssl);
	bool good;

	hold(&peer->leaf, X509_STORE_CTX_get0_cert(sc));
	if (pin != NULL) {
		good = tls_pin_is(pin, peer->leaf);
		peer->pinned = true;
		X509_STORE_CTX_set_error(
		    sc, good ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
	} else {
		good = X509_verify_cert(sc) == 1;
	}
	if (!good) {
		peer->error = X509_STORE_CTX_get_error(sc);
		hold(&peer->at, X509_STORE_CTX_get_current_cert(sc));
	}
	return good;
}

/* Keeps the first octets that came, which show whether the server speaks
 * TLS. */
static void
listen_in(int out, int version, int type, const void *p, size_t n, SSL *ssl,
    void *arg)
{
	struct tls_peer *peer = arg;

	if (out || type != SSL3_RT_HEADER || n < sizeof(peer->head))
		return;
	memcpy(peer->head, p, sizeof(peer->head));
	peer->heard = true;
	SSL_set_msg_callback(ssl, NULL);
}

/* ---- the context ---- */

/* Does `what` say it already, and in the person's language? */
static bool
is_no_pem(unsigned long code)
{
	return ERR_GET_LIB(code) == ERR_LIB_PEM ||
	       ERR_GET_REASON(code) == ERR_R_PEM_LIB ||
	       (ERR_GET_LIB(code) == ERR_LIB_X509 &&
		   ERR_GET_REASON(code) == X509_R_NO_CERTIFICATE_OR_CRL_FOUND);
}

static enum err
cannot(
    struct errbuf *eb, const char *setting, const char *file, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);
	char shown[100];

	str_quote(shown, sizeof(shown), file, strlen(file));
	ERR_clear_error();
	if (is_no_pem(code))
		return err_set(
		    eb, E_CONFIG, "%s = \"%s\": %s", setting, shown, what);
	return err_set(eb, E_CONFIG, "%s = \"%s\": %s: %s", setting, shown,
	    what, why != NULL ? why : _("unknown error"));
}

/* Found out here, as OpenSSL's error does not say that a file is missing. */
static enum err
check_readable(const char *setting, const char *file, struct errbuf *eb)
{
	char shown[100];

	if (access(file, R_OK) == 0)
		return E_OK;
	str_quote(shown, sizeof(shown), file, strlen(file));
	return err_sys(eb, E_CONFIG, "%s = \"%s\"", setting, shown);
}

/* Each certificate in ca_file is trusted, also if it is an intermediate one or
 * the server's own. */
static enum err
set_trust(SSL_CTX *ctx, const char *ca_file, struct errbuf *eb)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	enum err e;

	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	if (ca_file == NULL) {
		SSL_CTX_set_default_verify_paths(ctx);
		return E_OK;
	}
	if ((e = check_readable("ca_file", ca_file, eb)) != E_OK)
		return e;
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	if (SSL_CTX_load_verify_file(ctx, ca_file) != 1)
		return cannot(eb, "ca_file", ca_file,
		    _("no certificates can be read from it"));
	return E_OK;
}

static enum err
set_pin(SSL_CTX *ctx, const char *fingerprint, struct errbuf *eb)
{
	unsigned char pin[TLS_PIN], *kept;
	enum err e = tls_pin_parse(pin, fingerprint, eb);

	if (e != E_OK)
		return e;
	kept = OPENSSL_memdup(pin, sizeof(pin));
	if (kept != NULL && SSL_CTX_set_ex_data(ctx, pin_index(), kept) == 1)
		return E_OK;
	OPENSSL_free(kept);
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

/* A key with a passphrase fails: nobody is there to be asked. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	return -1;
}

static enum err
set_certificate(
    SSL_CTX *ctx, const char *file, const char *key, struct errbuf *eb)
{
	enum err e;

	if ((e = check_readable("client_certificate", file, eb)) != E_OK ||
	    (key != NULL &&
		(e = check_readable("client_key", key, eb)) != E_OK))
		return e;
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, file) != 1)
		return cannot(eb, "client_certificate", file,
		    _("no certificate can be read from it"));
	if (SSL_CTX_use_PrivateKey_file(
		ctx, key != NULL ? key : file, SSL_FILETYPE_PEM) != 1)
		return cannot(eb,
		    key != NULL ? "client_key" : "client_certificate",
		    key != NULL ? key : file,
		    _("no private key without a passphrase, that fits the "
		      "certificate, can be read from it"));
	return E_OK;
}

static void
set_policy(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
}

enum err
tls_client_context_new(
    SSL_CTX **ctx_r, const struct tls_client_conf *conf, struct errbuf *eb)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	enum err e;

	*ctx_r = NULL;
	if (ctx == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	set_policy(ctx);
	e = set_trust(ctx, conf->ca_file, eb);
	if (e == E_OK && conf->fingerprint != NULL)
		e = set_pin(ctx, conf->fingerprint, eb);
	if (e == E_OK && conf->certificate != NULL)
		e = set_certificate(ctx, conf->certificate, conf->key, eb);
	ERR_clear_error();
	if (e == E_OK)
		*ctx_r = ctx;
	else
		SSL_CTX_free(ctx);
	return e;
}

enum err
tls_client_check_fingerprint(const char *fingerprint, struct errbuf *eb)
{
	unsigned char pin[TLS_PIN];

	return tls_pin_parse(pin, fingerprint, eb);
}

/* ---- a connection ---- */

static bool
set_name(SSL *ssl, char host[HOST_MAX])
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	struct sockaddr_storage a;
	size_t n = strlen(host);

	if (host_address(&a, host)) {
		host[strcspn(host, "%")] = '\0';
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	}
	if (n > 0 && host[n - 1] == '.')
		host[n - 1] = '\0';
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, host) == 1;
}

static enum err
attach_peer(SSL *ssl)
{
	struct tls_peer *peer = OPENSSL_zalloc(sizeof(*peer));

	if (peer == NULL || SSL_set_ex_data(ssl, peer_index(), peer) != 1) {
		OPENSSL_free(peer);
		return E_NOMEM;
	}
	SSL_set_msg_callback(ssl, listen_in);
	SSL_set_msg_callback_arg(ssl, peer);
	return E_OK;
}

enum err
tls_client_start(struct conn *c, SSL_CTX *ctx, const char *host)
{
	char name[HOST_MAX];
	enum err e;

	if ((e = host_ascii(name, host, NULL)) != E_OK ||
	    (e = conn_attach_tls(c, ctx)) != E_OK)
		return e;
	SSL_set_connect_state(c->ssl);
	if ((e = attach_peer(c->ssl)) == E_OK && !set_name(c->ssl, name))
		e = E_NOMEM;
	return e;
}

enum err
tls_client_binding(const struct conn *c, struct tls_binding *b)
{
	bool is13 = c->ssl != NULL && SSL_version(c->ssl) >= TLS1_3_VERSION;
	enum err e =
	    tls_binding_get(c, is13 ? "tls-exporter" : "tls-unique", b);

	return e == E_OK ? e : tls_binding_get(c, "tls-server-end-point", b);
}
