#include "server/conf/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/slurp.h"
#include "server/conf/worker_conf.h"

enum { SOON_DAYS = 7 };

static const char *
ssl_reason(void)
{
	const char *s = ERR_reason_error_string(ERR_peek_last_error());

	return s != NULL ? s : "unknown reason";
}

static enum err
read_pem(const char *file, char **text_r, mode_t *mode_r, struct errbuf *eb)
{
	struct slurp in;
	struct errbuf why;

	if (slurp(file, PEM_MAX, &in, &why) != E_OK)
		return err_set(eb, E_CONFIG,
		    "%s: %s; name a PEM file that maloted can read", file,
		    why.text);
	*text_r = in.text;
	*mode_r = in.st.st_mode;
	return E_OK;
}

/* The first certificate is the server's, those after it lead to the root. */
static enum err
use_chain(SSL_CTX *ctx, const char *file, const char *text, struct errbuf *eb)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	X509 *x;
	unsigned n = 0;
	long ok = 1;

	while (ok == 1 && bio != NULL &&
	       (x = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		ok = n++ == 0 ? SSL_CTX_use_certificate(ctx, x)
			      : SSL_CTX_add1_chain_cert(ctx, x);
		X509_free(x);
	}
	BIO_free(bio);
	if (n == 0)
		return err_set(eb, E_CONFIG,
		    "%s: no certificate in it; name a PEM file with "
		    "BEGIN CERTIFICATE",
		    file);
	if (ok != 1)
		return err_set(eb, E_CONFIG,
		    "%s: %s; name one that TLS 1.2 and 1.3 accept", file,
		    ssl_reason());
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return err_set(eb, E_CONFIG,
		    "%s: damaged after certificate %u (%s); copy it anew", file,
		    n, ssl_reason());
	ERR_clear_error();
	return E_OK;
}

/* Never asks on the terminal. */
static int
no_passphrase(char *buf, int size, int writing, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

static enum err
use_key(SSL_CTX *ctx, const char *chain_file, const char *file,
    const char *text, struct errbuf *eb)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	bool asked = false;
	EVP_PKEY *k = bio == NULL ? NULL
				  : PEM_read_bio_PrivateKey(
					bio, NULL, no_passphrase, &asked);
	enum err e = E_OK;

	BIO_free(bio);
	if (k == NULL && asked)
		return err_set(eb, E_CONFIG,
		    "%s: the key has a passphrase; remove it with openssl pkey",
		    file);
	if (k == NULL)
		return err_set(eb, E_CONFIG,
		    "%s: no private key in it; name a PEM file with "
		    "BEGIN PRIVATE KEY",
		    file);
	if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), k) != 1)
		e = err_set(eb, E_CONFIG,
		    "%s: not the key of the certificate in %s; name the one "
		    "it was made with",
		    file, chain_file);
	else if (SSL_CTX_use_PrivateKey(ctx, k) != 1)
		e = err_set(eb, E_CONFIG,
		    "%s: %s; name one that TLS 1.2 and 1.3 accept", file,
		    ssl_reason());
	EVP_PKEY_free(k);
	return e;
}

static void
note_validity(const X509 *x, const char *file, struct errbuf *out)
{
	const ASN1_TIME *end = X509_get0_notAfter(x);
	int days = 0, seconds = 0;

	out->text[0] = '\0';
	ASN1_TIME_diff(&days, &seconds, NULL, end);
	if (X509_cmp_current_time(end) < 0)
		err_set(out, E_OK,
		    "%s: the certificate has expired; clients will refuse it: "
		    "renew it",
		    file);
	else if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		err_set(out, E_OK,
		    "%s: the certificate is not valid yet; look at the clock",
		    file);
	else if (days < SOON_DAYS)
		err_set(out, E_OK,
		    "%s: the certificate expires in %d days; renew it", file,
		    days);
}

static enum err
check(SSL_CTX *ctx, const char *chain_file, const char *key_file,
    const struct certificate *c, bool *about_key, struct errbuf *eb)
{
	enum err e;

	*about_key = false;
	if (ctx == NULL)
		return err_set(eb, E_NOMEM, "out of memory");
	if ((e = use_chain(ctx, chain_file, c->chain, eb)) != E_OK)
		return e;
	*about_key = true;
	return use_key(ctx, chain_file, key_file, c->key, eb);
}

enum err
certificate_read(const char *chain_file, const char *key_file,
    struct certificate *out, struct certificate_notes *notes, bool *about_key,
    struct errbuf *eb)
{
	SSL_CTX *ctx;
	mode_t mode;
	enum err e;

	*out = (struct certificate){ NULL, NULL };
	notes->key.text[0] = '\0';
	*about_key = false;
	if ((e = read_pem(chain_file, &out->chain, &mode, eb)) != E_OK)
		return e;
	*about_key = true;
	if ((e = read_pem(key_file, &out->key, &mode, eb)) != E_OK) {
		certificate_free(out);
		return e;
	}
	if ((mode & S_IROTH) != 0)
		err_set(&notes->key, E_OK,
		    "%s: everybody may read the private key; chmod o= %s",
		    key_file, key_file);
	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_server_method());
	e = check(ctx, chain_file, key_file, out, about_key, eb);
	if (e == E_OK)
		note_validity(SSL_CTX_get0_certificate(ctx), chain_file,
		    &notes->validity);
	else
		certificate_free(out);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return e;
}

void
certificate_free(struct certificate *c)
{
	if (c->key != NULL)
		explicit_bzero(c->key, strlen(c->key));
	free(c->key);
	free(c->chain);
	*c = (struct certificate){ NULL, NULL };
}

enum err
certificate_ciphers(const char *list, struct errbuf *eb)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	enum err e = E_OK;

	if (ctx == NULL || SSL_CTX_set_cipher_list(ctx, list) != 1)
		e = err_set(eb, E_CONFIG, "%s", ssl_reason());
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return e;
}
