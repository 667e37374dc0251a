#include "net/tls_sites.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

struct staple {
	LIST_ENTRY(staple) link;
	X509 *x; /* whose it is; alive as long as the context */
	int64_t until;
	size_t n;
	unsigned char p[];
};

struct site {
	TAILQ_ENTRY(site) link;
	SSL_CTX *ctx; /* referenced, but for the first one's own */
	struct tls_names names;
};

/* What a context has beside what OpenSSL knows. */
struct extra {
	LIST_HEAD(, staple) staples;
	TAILQ_HEAD(, site) sites; /* of the first: all, in order */
	SSL_CTX *self;
};

static void
extra_free(
    void *parent, void *p, CRYPTO_EX_DATA *ad, int idx, long l, void *arg)
{
	struct extra *x = p;
	struct staple *st;
	struct site *si;

	if (x == NULL)
		return;
	while ((st = LIST_FIRST(&x->staples)) != NULL) {
		LIST_REMOVE(st, link);
		free(st);
	}
	while ((si = TAILQ_FIRST(&x->sites)) != NULL) {
		TAILQ_REMOVE(&x->sites, si, link);
		if (si->ctx != x->self)
			SSL_CTX_free(si->ctx);
		tls_names_free(&si->names);
		free(si);
	}
	free(x);
}

static int
extra_index(void)
{
	static int index = -1;

	if (index < 0)
		index =
		    SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, extra_free);
	return index;
}

/* Of ctx, made if there is none yet; NULL: memory. */
static struct extra *
extra_of(SSL_CTX *ctx)
{
	struct extra *x = SSL_CTX_get_ex_data(ctx, extra_index());

	if (x != NULL || (x = calloc(1, sizeof(*x))) == NULL)
		return x;
	LIST_INIT(&x->staples);
	TAILQ_INIT(&x->sites);
	x->self = ctx;
	if (SSL_CTX_set_ex_data(ctx, extra_index(), x) == 1)
		return x;
	free(x);
	return NULL;
}

/* ---- staples ---- */

/* The certificate has been chosen. */
static int
on_status(SSL *ssl, void *arg)
{
	const struct extra *x = arg;
	const X509 *of = SSL_get_certificate(ssl);
	const struct staple *s;
	unsigned char *copy;

	LIST_FOREACH (s, &x->staples, link)
		if (s->x == of && s->until > time(NULL))
			break;
	if (s == NULL || (copy = OPENSSL_memdup(s->p, s->n)) == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)s->n);
	return SSL_TLSEXT_ERR_OK;
}

enum err
tls_site_staple(SSL_CTX *ctx, X509 *x, const struct tls_staple *s)
{
	struct extra *extra;
	struct staple *new;

	if (s->n == 0)
		return E_OK;
	if ((extra = extra_of(ctx)) == NULL ||
	    (new = malloc(sizeof(*new) + s->n)) == NULL)
		return E_NOMEM;
	*new = (struct staple){ .x = x, .until = s->until, .n = s->n };
	memcpy(new->p, s->p, s->n);
	LIST_INSERT_HEAD(&extra->staples, new, link);
	SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	SSL_CTX_set_tlsext_status_arg(ctx, extra);
	return E_OK;
}

/* ---- sites ---- */

/* A context has its own store to verify clients by, the connection perhaps
 * another: that one stays. */
static void
take_site(SSL *ssl, SSL_CTX *ctx)
{
	X509_STORE *store = NULL;

	if (SSL_get0_verify_cert_store(ssl, &store) == 1 && store != NULL &&
	    X509_STORE_up_ref(store) != 1)
		store = NULL;
	SSL_set_SSL_CTX(ssl, ctx);
	if (store != NULL && SSL_set0_verify_cert_store(ssl, store) != 1)
		X509_STORE_free(store);
}

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const struct extra *x = arg;
	const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	enum tls_name_match best = TLS_NAME_NOT;
	const struct site *s, *taken = NULL;

	if (host == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	TAILQ_FOREACH (s, &x->sites, link) {
		enum tls_name_match m = tls_names_match(&s->names, host);

		if (m <= best)
			continue;
		best = m;
		taken = s;
	}
	if (taken != NULL && taken->ctx != x->self)
		take_site(ssl, taken->ctx);
	return taken != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

enum err
tls_site_add(SSL_CTX *first, SSL_CTX *ctx, struct tls_names *names)
{
	struct extra *x = extra_of(first);
	struct site *s = calloc(1, sizeof(*s));

	if (x == NULL || s == NULL ||
	    (ctx != first && SSL_CTX_up_ref(ctx) != 1)) {
		free(s);
		return E_NOMEM;
	}
	s->ctx = ctx;
	s->names = *names;
	*names = (struct tls_names){ NULL, 0 };
	TAILQ_INSERT_TAIL(&x->sites, s, link);
	return E_OK;
}

SSL_CTX *
tls_site_find(SSL_CTX *first, const struct tls_names *names)
{
	const struct extra *x = SSL_CTX_get_ex_data(first, extra_index());
	const struct site *s;

	if (x == NULL)
		return NULL;
	TAILQ_FOREACH (s, &x->sites, link)
		if (tls_names_are_same(&s->names, names))
			return s->ctx;
	return NULL;
}

void
tls_sites_done(SSL_CTX *first)
{
	struct extra *x = SSL_CTX_get_ex_data(first, extra_index());

	if (x == NULL || TAILQ_FIRST(&x->sites) == NULL ||
	    TAILQ_NEXT(TAILQ_FIRST(&x->sites), link) == NULL)
		return;
	SSL_CTX_set_tlsext_servername_callback(first, on_name);
	SSL_CTX_set_tlsext_servername_arg(first, x);
}
