#include "net/records.h"

#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "base/str.h"
#include "net/dns.h"

struct records {
	struct dns dns;
	enum records_kind kind;
	records_done *done;
	void *arg;
	int status;
	struct record v[RECORDS_MAX];
	size_t n;
};

/* ---- an answer ---- */

/* A name that is no computer's is none to connect to. */
static bool
take_host(struct record *r, const char *host)
{
	return host_canonical(r->host, host);
}

static size_t
take_mx(struct record v[RECORDS_MAX], const unsigned char *answer, int octets)
{
	struct ares_mx_reply *all, *mx;
	size_t n = 0;

	if (ares_parse_mx_reply(answer, octets, &all) != ARES_SUCCESS)
		return 0;
	for (mx = all; mx != NULL && n < RECORDS_MAX; mx = mx->next) {
		v[n] = (struct record){ .priority = mx->priority };
		n += take_host(&v[n], mx->host);
	}
	ares_free_data(all);
	return n;
}

static size_t
take_srv(struct record v[RECORDS_MAX], const unsigned char *answer, int octets)
{
	struct ares_srv_reply *all, *srv;
	size_t n = 0;

	if (ares_parse_srv_reply(answer, octets, &all) != ARES_SUCCESS)
		return 0;
	for (srv = all; srv != NULL && n < RECORDS_MAX; srv = srv->next) {
		v[n] = (struct record){ .priority = srv->priority,
			.weight = srv->weight,
			.port = srv->port };
		n += srv->port != 0 && take_host(&v[n], srv->host);
	}
	ares_free_data(all);
	return n;
}

static int
compare(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return x->priority != y->priority ? x->priority - y->priority
					  : y->weight - x->weight;
}

size_t
records_parse(struct record v[RECORDS_MAX], enum records_kind kind,
    const unsigned char *answer, int n)
{
	size_t found =
	    kind == RECORDS_MX ? take_mx(v, answer, n) : take_srv(v, answer, n);

	qsort(v, found, sizeof(*v), compare);
	return found;
}

/* ---- the question ---- */

static void
on_ares(void *arg, int status, int timeouts, unsigned char *answer, int n)
{
	struct records *r = arg;

	r->status = status;
	if (status == ARES_SUCCESS)
		r->n = records_parse(r->v, r->kind, answer, n);
	dns_over(&r->dns);
}

static void
answered(void *arg)
{
	struct records *r = arg;
	enum err e = E_IO;

	if (r->n != 0)
		e = E_OK;
	else if (r->status == ARES_SUCCESS || r->status == ARES_ENODATA ||
		 r->status == ARES_ENOTFOUND || r->status == ARES_EBADNAME)
		e = E_NOENT;
	r->done(r->arg, e, r->v, r->n); /* r may be gone now */
}

enum err
records_start(struct records **r_r, struct ev_loop *loop, const char *servers,
    enum records_kind kind, const char *name, records_done *done, void *arg,
    struct errbuf *eb)
{
	static const int types[] = { [RECORDS_MX] = 15, [RECORDS_SRV] = 33 };
	enum { INTERNET = 1 };
	struct records *r = calloc(1, sizeof(*r));
	enum err e;

	*r_r = NULL;
	if (r == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if ((e = dns_init(&r->dns, loop, servers, answered, r, eb)) != E_OK) {
		free(r);
		return e;
	}
	r->kind = kind;
	r->done = done;
	r->arg = arg;
	ares_query(r->dns.channel, name, INTERNET, types[kind], on_ares, r);
	dns_wait(&r->dns);
	*r_r = r;
	return E_OK;
}

void
records_free(struct records *r)
{
	if (r == NULL)
		return;
	dns_clear(&r->dns); /* calls on_ares if it is not over */
	free(r);
}
