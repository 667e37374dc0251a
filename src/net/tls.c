#include "net/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

/* One key: 16 octets name it, 32 are for AES-256-CBC, 32 for HMAC-SHA-256. */
enum { KEY_NAME = 16, KEY_CIPHER = 32, KEY_MAC = 32 };

static unsigned char ticket_keys[TLS_TICKET_KEYS][TLS_TICKET_KEY];
static size_t n_ticket_keys;

enum err
tls_tickets_set(const void *keys, size_t n)
{
	if (n == 0 || n > sizeof(ticket_keys) || n % TLS_TICKET_KEY != 0)
		return E_FORMAT;
	explicit_bzero(ticket_keys, sizeof(ticket_keys));
	memcpy(ticket_keys, keys, n);
	n_ticket_keys = n / TLS_TICKET_KEY;
	return E_OK;
}

static const unsigned char *
ticket_key_find(const unsigned char *name, size_t *age_r)
{
	for (*age_r = 0; *age_r < n_ticket_keys; ++*age_r)
		if (memcmp(ticket_keys[*age_r], name, KEY_NAME) == 0)
			return ticket_keys[*age_r];
	return NULL;
}

/* OpenSSL's contract: -1 error, 0 no such key (full handshake), 1 good, 2 good
 * but issue a new ticket. */
static int
ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	const EVP_CIPHER *aes = EVP_aes_256_cbc();
	const unsigned char *k;
	size_t age = 0;
	OSSL_PARAM params[3];
	char digest[] = "SHA256";

	if (seal) {
		if (n_ticket_keys == 0)
			return 0;
		k = ticket_keys[0];
		memcpy(name, k, KEY_NAME);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) != 1)
			return -1;
	} else if ((k = ticket_key_find(name, &age)) == NULL) {
		return 0;
	}
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
	    (void *)(uintptr_t)(k + KEY_NAME + KEY_CIPHER), KEY_MAC);
	params[1] =
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	if (EVP_CipherInit_ex(cipher, aes, NULL, k + KEY_NAME, iv, seal) != 1 ||
	    EVP_MAC_CTX_set_params(mac, params) != 1)
		return -1;
	return age == 0 ? 1 : 2;
}

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
    const unsigned char *in, unsigned in_n, void *arg)
{
	static const unsigned char pop3[] = "\4pop3";

	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_n, pop3,
		sizeof(pop3) - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static enum err
fail(struct errbuf *eb, const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);

	ERR_clear_error();
	return err_set(
	    eb, E_CONFIG, "%s: %s", what, why != NULL ? why : "unknown error");
}

/* Certificates in PEM: the server's own first, then its chain. */
static enum err
use_certificate(SSL_CTX *ctx, const struct tls_pair *pair, struct errbuf *eb)
{
	const char *pem = pair->certificate;
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x;
	enum err e = E_OK;
	bool leaf = true;

	if (bio == NULL)
		return E_NOMEM;
	while (e == E_OK &&
	       (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (leaf && SSL_CTX_use_certificate(ctx, x) != 1)
			e = fail(eb, "certificate");
		else if (!leaf && SSL_CTX_add1_chain_cert(ctx, x) != 1)
			e = fail(eb, "certificate chain");
		else if (leaf)
			e = tls_site_staple(ctx, x, &pair->staple);
		leaf = false;
		X509_free(x);
	}
	if (e == E_OK && leaf)
		e = fail(eb, "certificate");
	ERR_clear_error(); /* the end of the PEM data counts as one */
	BIO_free(bio);
	return e;
}

static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	return 0;
}

static enum err
use_key(SSL_CTX *ctx, const char *pem, struct errbuf *eb)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key;
	enum err e = E_OK;

	if (bio == NULL)
		return E_NOMEM;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	if (key == NULL)
		e = fail(eb, "private key");
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1)
		e = fail(eb, "private key and certificate");
	EVP_PKEY_free(key);
	BIO_free(bio);
	return e;
}

/* What does not depend on the certificate. */
static enum err
context_begin(SSL_CTX **ctx_r, const struct tls_conf *conf, struct errbuf *eb)
{
	bool only13 = strcmp(conf->min, "1.3") == 0;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if ((*ctx_r = ctx) == NULL)
		return fail(eb, "TLS");
	SSL_CTX_set_min_proto_version(
	    ctx, only13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
		SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	if ((conf->ciphers[0] != '\0' &&
		SSL_CTX_set_cipher_list(ctx, conf->ciphers) != 1) ||
	    SSL_CTX_set_session_id_context(
		ctx, (const unsigned char *)"malote", 6) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key) != 1)
		return fail(eb, "TLS policy");
	return E_OK;
}

static enum err
use_pair(SSL_CTX *ctx, const struct tls_pair *pair, struct errbuf *eb)
{
	enum err e = use_certificate(ctx, pair, eb);

	return e == E_OK ? use_key(ctx, pair->key, eb) : e;
}

static X509 *
read_first(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return x;
}

static int
kind_of(const X509 *x)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);

	return key != NULL ? EVP_PKEY_get_base_id(key) : NID_undef;
}

/* A second one of that kind would put the first one away. */
static bool
has_kind(SSL_CTX *ctx, const X509 *x)
{
	long r = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);

	for (; r == 1; r = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
		if (kind_of(SSL_CTX_get0_certificate(ctx)) == kind_of(x))
			return true;
	return false;
}

/* A site that is not there yet. */
static enum err
new_site(SSL_CTX *first, struct tls_names *names, const struct tls_conf *conf,
    const struct tls_pair *pair, struct errbuf *eb)
{
	SSL_CTX *ctx;
	enum err e = context_begin(&ctx, conf, eb);

	if (e == E_OK)
		e = use_pair(ctx, pair, eb);
	if (e == E_OK)
		e = tls_site_add(first, ctx, names);
	SSL_CTX_free(ctx); /* the first one has a reference */
	return e;
}

static enum err
add_named(SSL_CTX *first, const struct tls_conf *conf,
    const struct tls_pair *pair, X509 *x, struct tls_names *names,
    struct errbuf *eb)
{
	SSL_CTX *there = tls_site_find(first, names);
	enum err e;

	if (there != NULL)
		return has_kind(there, x) ? E_OK : use_pair(there, pair, eb);
	if (pair != conf->pair)
		return new_site(first, names, conf, pair, eb);
	e = use_pair(first, pair, eb);
	return e == E_OK ? tls_site_add(first, first, names) : e;
}

static enum err
add_pair(SSL_CTX *first, const struct tls_conf *conf,
    const struct tls_pair *pair, struct errbuf *eb)
{
	X509 *x = read_first(pair->certificate);
	struct tls_names names = { NULL, 0 };
	enum err e =
	    x != NULL ? tls_names_of(&names, x) : fail(eb, "certificate");

	if (e == E_OK)
		e = add_named(first, conf, pair, x, &names, eb);
	tls_names_free(&names);
	X509_free(x);
	return e;
}

enum err
tls_context_new(SSL_CTX **ctx_r, const struct tls_conf *conf, struct errbuf *eb)
{
	SSL_CTX *ctx;
	enum err e = context_begin(&ctx, conf, eb);

	*ctx_r = NULL;
	for (size_t i = 0; i < conf->n_pairs && e == E_OK; i++)
		e = add_pair(ctx, conf, &conf->pair[i], eb);
	if (e != E_OK) {
		SSL_CTX_free(ctx);
		return e;
	}
	tls_sites_done(ctx);
	*ctx_r = ctx;
	return E_OK;
}

void
tls_context_free(SSL_CTX *ctx)
{
	SSL_CTX_free(ctx);
}
