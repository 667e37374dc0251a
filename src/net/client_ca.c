#include "net/client_ca.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/conn.h"

enum { FILE_MAX = 4 * 1024 * 1024 };

struct client_ca {
	X509_STORE *store;
	STACK_OF(X509_NAME) * names; /* to help a client to choose */
};

/* ---- reading ---- */

static char *
read_all(int fd, size_t *n_r)
{
	char *text = malloc(FILE_MAX);
	size_t at = 0;
	ssize_t n = 1;

	while (text != NULL && at < FILE_MAX && n != 0) {
		n = pread(fd, text + at, FILE_MAX - at, (off_t)at);
		if (n < 0 && errno != EINTR)
			break;
		at += n > 0 ? (size_t)n : 0;
	}
	if (n != 0 || at == 0) {
		free(text);
		return NULL;
	}
	*n_r = at;
	return text;
}

static bool
add_certificate(struct client_ca *ca, X509 *x)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(x));

	if (name == NULL || sk_X509_NAME_push(ca->names, name) == 0) {
		X509_NAME_free(name);
		return false;
	}
	return X509_STORE_add_cert(ca->store, x) == 1;
}

/* How many there were of what was wanted; -1: one could not be added. */
static int
add_items(struct client_ca *ca, STACK_OF(X509_INFO) * items, bool crl)
{
	int found = 0;
	bool ok = true;

	for (int i = 0; ok && i < sk_X509_INFO_num(items); i++) {
		const X509_INFO *it = sk_X509_INFO_value(items, i);

		if (crl && it->crl != NULL)
			ok = X509_STORE_add_crl(ca->store, it->crl) == 1;
		else if (!crl && it->x509 != NULL)
			ok = add_certificate(ca, it->x509);
		else
			continue;
		found++;
	}
	return ok ? found : -1;
}

static enum err
read_pem(struct client_ca *ca, int fd, bool crl, struct errbuf *eb)
{
	const char *what = crl ? "list of revoked certificates" : "certificate";
	STACK_OF(X509_INFO) *items = NULL;
	size_t n = 0;
	char *text = read_all(fd, &n);
	BIO *bio = text != NULL ? BIO_new_mem_buf(text, (int)n) : NULL;
	int found;

	if (bio != NULL)
		items = PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
	found = items != NULL ? add_items(ca, items, crl) : 0;
	sk_X509_INFO_pop_free(items, X509_INFO_free);
	BIO_free(bio);
	free(text);
	ERR_clear_error();
	if (found == 0)
		return err_set(eb, E_CONFIG,
		    "no %s in it that can be read; name a PEM file of some",
		    what);
	return found > 0 ? E_OK
			 : err_set(eb, E_CONFIG, "a %s is damaged", what);
}

static unsigned long
revocation(int crl_fd)
{
	return crl_fd < 0 ? 0
			  : X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
}

enum err
client_ca_read(
    struct client_ca **ca_r, int ca_fd, int crl_fd, struct errbuf *eb)
{
	struct client_ca *ca = calloc(1, sizeof(*ca));
	enum err e;

	*ca_r = NULL;
	if (ca == NULL || (ca->store = X509_STORE_new()) == NULL ||
	    (ca->names = sk_X509_NAME_new_null()) == NULL ||
	    X509_STORE_set_flags(ca->store, revocation(crl_fd)) != 1 ||
	    X509_STORE_set_purpose(ca->store, X509_PURPOSE_SSL_CLIENT) != 1) {
		client_ca_free(ca);
		return err_set(eb, E_NOMEM, "out of memory");
	}
	e = read_pem(ca, ca_fd, false, eb);
	if (e == E_OK && crl_fd >= 0)
		e = read_pem(ca, crl_fd, true, eb);
	if (e == E_OK)
		*ca_r = ca;
	else
		client_ca_free(ca);
	return e;
}

void
client_ca_free(struct client_ca *ca)
{
	if (ca == NULL)
		return;
	X509_STORE_free(ca->store);
	sk_X509_NAME_pop_free(ca->names, X509_NAME_free);
	free(ca);
}

/* ---- a connection ---- */

enum err
client_ca_ask(const struct client_ca *ca, struct conn *c)
{
	STACK_OF(X509_NAME) *names = SSL_dup_CA_list(ca->names);

	if (names == NULL ||
	    SSL_set1_verify_cert_store(c->ssl, ca->store) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return E_NOMEM;
	}
	SSL_set_client_CA_list(c->ssl, names);
	SSL_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_options(c->ssl, SSL_OP_NO_TICKET);
	return SSL_set_num_tickets(c->ssl, 0) == 1 ? E_OK : E_NOMEM;
}

size_t
client_ca_certificate(const struct conn *c, void *out, size_t n)
{
	X509 *x = c->ssl != NULL ? SSL_get0_peer_certificate(c->ssl) : NULL;
	unsigned char *to = out;
	int len = x != NULL ? i2d_X509(x, NULL) : 0;

	if (len <= 0 || (size_t)len > n)
		return 0;
	return i2d_X509(x, &to) == len ? (size_t)len : 0;
}

/* ---- who it is ---- */

static bool
take(const ASN1_STRING *from, char *name, size_t size)
{
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, from);
	bool ok =
	    n > 0 && (size_t)n < size && memchr(utf8, '\0', (size_t)n) == NULL;

	if (ok) {
		memcpy(name, utf8, (size_t)n);
		name[n] = '\0';
	}
	OPENSSL_free(utf8);
	return ok;
}

/* How many fields of that kind the subject has; the last one is taken. */
static int
take_subject(const X509 *x, int nid, char *name, size_t size)
{
	const X509_NAME *subject = X509_get_subject_name(x);
	int found = 0;

	for (int i = -1; (i = X509_NAME_get_index_by_NID(subject, nid, i)) >= 0;
	     found++)
		if (!take(X509_NAME_ENTRY_get_data(
			      X509_NAME_get_entry(subject, i)),
			name, size))
			return -1;
	return found;
}

static int
take_address(const X509 *x, char *name, size_t size)
{
	GENERAL_NAMES *all =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int found = 0;

	for (int i = 0; found >= 0 && i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);

		if (g->type == GEN_EMAIL)
			found =
			    take(g->d.rfc822Name, name, size) ? found + 1 : -1;
	}
	GENERAL_NAMES_free(all);
	return found != 0 ? found
			  : take_subject(x, NID_pkcs9_emailAddress, name, size);
}

static enum err
owner(const X509 *x, enum client_name which, char *name, size_t size,
    struct errbuf *eb)
{
	static const int nid[CLIENT_NAMES] = { [CLIENT_NAME_CN] =
						   NID_commonName,
		[CLIENT_NAME_UID] = NID_userId };
	int n = which == CLIENT_NAME_EMAIL
		    ? take_address(x, name, size)
		    : take_subject(x, nid[which], name, size);

	return n == 1 ? E_OK
		      : err_set(eb, E_DENIED,
			    "it does not name its owner exactly once");
}

static enum err
is_believed(const struct client_ca *ca, X509 *x, struct errbuf *eb)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	enum err e = E_NOMEM;

	if (ctx != NULL && X509_STORE_CTX_init(ctx, ca->store, x, NULL) == 1) {
		e = X509_verify_cert(ctx) == 1 ? E_OK : E_DENIED;
		if (e == E_DENIED)
			err_set(eb, e, "%s",
			    X509_verify_cert_error_string(
				X509_STORE_CTX_get_error(ctx)));
	}
	X509_STORE_CTX_free(ctx);
	return e;
}

enum err
client_ca_check(const struct client_ca *ca, struct slice der,
    enum client_name which, char *name, size_t size, struct errbuf *eb)
{
	const unsigned char *p = (const unsigned char *)der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	enum err e = E_DENIED;

	if (x == NULL || p != (const unsigned char *)der.p + der.n)
		err_set(eb, e, "it is damaged");
	else if ((e = is_believed(ca, x, eb)) == E_OK)
		e = owner(x, which, name, size, eb);
	X509_free(x);
	ERR_clear_error();
	return e;
}
