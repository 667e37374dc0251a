#include "server/worker/worker_tls.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/tls.h"

/* Those that have come. */
static struct coming {
	unsigned n;
	struct tls_pair pair[CERTIFICATES_MAX];
} coming;

void
worker_tls_begin(void)
{
	SSL_CTX_free(SSL_CTX_new(TLS_server_method()));
}

bool
worker_tls_is_ready(const struct worker *w)
{
	return w->serving->has_tls || w->conf.n_certificates == 0;
}

static void
forget(struct coming *c)
{
	while (c->n > 0) {
		struct tls_pair *p = &c->pair[--c->n];

		explicit_bzero((void *)(uintptr_t)p->key, strlen(p->key));
		free((void *)(uintptr_t)p->certificate);
		free((void *)(uintptr_t)p->key);
		free((void *)(uintptr_t)p->staple.p);
		*p = (struct tls_pair){ .key = NULL };
	}
}

/* Those of a listener; another one that has the same shares the context. */
static enum err
make_one(struct serving *v, const struct coming *c, SSL_CTX *made[], unsigned i,
    struct errbuf *eb)
{
	const struct listen_conf *l = v->conf.listener;
	struct tls_pair pair[CERTIFICATES_MAX];
	struct tls_conf tc = { pair, 0, v->conf.tls_min, v->conf.tls_ciphers };

	for (unsigned k = 0; k < i; k++)
		if (made[k] != NULL && l[k].certificates == l[i].certificates) {
			made[i] = made[k];
			return SSL_CTX_up_ref(made[k]) == 1 ? E_OK : E_NOMEM;
		}
	for (unsigned k = 0; k < c->n; k++)
		if ((l[i].certificates & 1u << k) != 0)
			pair[tc.n_pairs++] = c->pair[k];
	return tls_context_new(&made[i], &tc, eb);
}

/* All or none. */
static enum err
make_all(struct serving *v, const struct coming *c, struct errbuf *eb)
{
	SSL_CTX *made[LISTENERS_MAX] = { NULL };
	enum err e = E_OK;

	for (unsigned i = 0; i < v->conf.n_listeners && e == E_OK; i++)
		if (v->conf.listener[i].certificates != 0)
			e = make_one(v, c, made, i, eb);
	for (unsigned i = 0; i < v->conf.n_listeners; i++)
		if (e == E_OK) {
			tls_context_free(v->listener[i].context);
			v->listener[i].context = made[i];
		} else {
			tls_context_free(made[i]);
		}
	v->has_tls = v->has_tls || e == E_OK;
	return e;
}

static void
use(struct worker *w, struct coming *c)
{
	struct errbuf eb = { "out of memory" };
	enum err e = make_all(w->serving, c, &eb);

	forget(c);
	if (e == E_OK)
		return;
	log_line(LOG_FAULT, "ev=certificate error=\"%s\"", eb.text);
	if (!w->serving->has_tls)
		fatal("ev=start error=certificate");
}

static char *
copy(struct slice s)
{
	char *out = malloc(s.n + 1);

	if (out == NULL)
		fatal("ev=certificate error=\"out of memory\"");
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return out;
}

enum err
worker_tls_take(struct worker *w, struct ipc_in *in)
{
	uint16_t i = ipc_get_u16(in), n = ipc_get_u16(in);
	struct slice chain = ipc_get_slice(in), key = ipc_get_slice(in);
	struct slice staple = ipc_get_slice(in);
	int64_t until = (int64_t)ipc_get_u64(in);
	bool later = ipc_get_u8(in) != 0;

	if (ipc_get_end(in) != E_OK || n > CERTIFICATES_MAX || i >= n)
		return E_FORMAT;
	if (i == 0)
		forget(&coming);
	if (i != coming.n)
		return E_FORMAT;
	coming.pair[coming.n++] = (struct tls_pair){ copy(chain), copy(key),
		{ copy(staple), staple.n, until } };
	if (coming.n == n && !later)
		use(w, &coming);
	return E_OK;
}

enum err
worker_tls_prepare(struct serving *v, struct errbuf *eb)
{
	unsigned n = coming.n;
	enum err e = E_OK;

	if (n == v->conf.n_certificates && n != 0)
		e = make_all(v, &coming, eb);
	forget(&coming);
	return n == v->conf.n_certificates
		   ? e
		   : err_set(eb, E_FORMAT, "certificates are missing");
}
