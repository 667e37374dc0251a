#include "server/conf/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/slurp.h"
#include "base/str.h"
#include "net/tls_names.h"
#include "server/conf/ocsp.h"
#include "server/conf/worker_conf.h"

enum { DAY = 86400 };

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

/* Seconds since 1970. */
static int64_t
time_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void
note_validity(const struct certificate *c, const char *file, struct errbuf *out)
{
	int64_t now = time(NULL), left = c->ends - now;

	out->text[0] = '\0';
	if (left <= 0)
		err_set(out, E_OK,
		    "%s: the certificate has expired; clients will refuse it: "
		    "renew it",
		    file);
	else if (c->begins > now)
		err_set(out, E_OK,
		    "%s: the certificate is not valid yet; look at the clock",
		    file);
	else if (left < CERTIFICATE_SOON)
		err_set(out, E_OK,
		    "%s: the certificate expires in %d days; renew it", file,
		    (int)(left / DAY));
}

/* "a.example *.b.example" */
static char *
names_text(const struct tls_names *v)
{
	size_t room = 1, at = 0;
	char *out;

	for (size_t i = 0; i < v->n; i++)
		room += strlen(v->name[i]) + 1;
	if ((out = malloc(room)) == NULL)
		return NULL;
	for (size_t i = 0; i < v->n; i++)
		at += (size_t)snprintf(
		    out + at, room - at, "%s%s", i != 0 ? " " : "", v->name[i]);
	out[at] = '\0';
	return out;
}

/* What is told of it, and what the names are. */
static enum err
describe(struct certificate *c, X509 *x)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);
	struct tls_names names;
	enum err e;

	c->begins = time_of(X509_get0_notBefore(x));
	c->ends = time_of(X509_get0_notAfter(x));
	snprintf(c->kind, sizeof(c->kind), "%s %d",
	    key != NULL ? EVP_PKEY_get0_type_name(key) : "?",
	    key != NULL ? EVP_PKEY_get_bits(key) : 0);
	if ((e = tls_names_of(&names, x)) != E_OK)
		return e;
	c->names = names_text(&names);
	tls_names_free(&names);
	return c->names != NULL ? E_OK : E_NOMEM;
}

static void
take_staple(
    struct certificate *c, const char *file, SSL_CTX *ctx, struct errbuf *note)
{
	STACK_OF(X509) *chain = NULL;
	X509 *x = SSL_CTX_get0_certificate(ctx);

	note->text[0] = '\0';
	if (file[0] == '\0')
		return;
	SSL_CTX_get0_chain_certs(ctx, &chain);
	(void)(ocsp_read(file, x, chain, c, note) == E_OK); /* a note */
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

/* It fits: what else is to be known and to be said. */
static enum err
finish(struct certificate *c, const struct certificate_files *files,
    SSL_CTX *ctx, struct certificate_notes *notes, struct errbuf *eb)
{
	if (describe(c, SSL_CTX_get0_certificate(ctx)) != E_OK)
		return err_set(eb, E_NOMEM, "out of memory");
	note_validity(c, files->chain, &notes->validity);
	if (c->names[0] == '\0')
		err_set(&notes->names, E_OK,
		    "%s: no client finds its server's name in the certificate; "
		    "have one made with a subjectAltName",
		    files->chain);
	take_staple(c, files->ocsp, ctx, &notes->ocsp);
	return E_OK;
}

enum err
certificate_read(const struct certificate_files *files, struct certificate *out,
    struct certificate_notes *notes, bool *about_key, struct errbuf *eb)
{
	const char *chain_file = files->chain, *key_file = files->key;
	SSL_CTX *ctx;
	mode_t mode;
	enum err e;

	*out = (struct certificate){ .chain = NULL };
	memset(notes, 0, sizeof(*notes));
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
		e = finish(out, files, ctx, notes, eb);
	if (e != E_OK)
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
	free(c->staple);
	free(c->names);
	*c = (struct certificate){ .chain = NULL };
}

bool
certificate_is_for(const struct certificate *c, const char *host)
{
	const char *rest = strchr(host, '.');

	for (const char *p = c->names; *(p += strspn(p, " ")) != '\0';) {
		struct slice name = { p, strcspn(p, " ") };

		if (slice_caseeq(name, host))
			return true;
		if (name.p[0] == '*' && rest != NULL &&
		    slice_caseeq(
			(struct slice){ name.p + 1, name.n - 1 }, rest))
			return true;
		p += name.n;
	}
	return false;
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
