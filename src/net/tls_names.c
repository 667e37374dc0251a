#include "net/tls_names.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

enum { HOST_MAX = 255 };

/* Letters, digits, hyphens and dots; perhaps "*." before them. */
static bool
is_host(const char *p, size_t n)
{
	const char *end = p + n;
	size_t dots = 0;

	if (n == 0 || n > HOST_MAX)
		return false;
	if (n > 2 && p[0] == '*' && p[1] == '.')
		p += 2;
	for (const char *at = p; at < end; at++) {
		char c = str_lower1(*at);

		if (c == '.')
			dots++;
		else if ((c < 'a' || c > 'z') && (c < '0' || c > '9') &&
			 c != '-' && c != '_')
			return false;
	}
	return *p != '.' && end[-1] != '.' &&
	       (end - p == (ptrdiff_t)n || dots != 0);
}

static char *
copy_lower(const char *p, size_t n)
{
	char *out = malloc(n + 1);

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		out[i] = str_lower1(p[i]);
	out[n] = '\0';
	return out;
}

static int
order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
sort(struct tls_names *v)
{
	size_t n = 0;

	if (v->n == 0)
		return;
	qsort(v->name, v->n, sizeof(v->name[0]), order);
	for (size_t i = 0; i < v->n; i++)
		if (n == 0 || strcmp(v->name[n - 1], v->name[i]) != 0)
			v->name[n++] = v->name[i];
		else
			free(v->name[i]);
	v->n = n;
}

static enum err
add(struct tls_names *v, const GENERAL_NAME *g)
{
	const char *p;
	size_t n;

	if (g->type != GEN_DNS)
		return E_OK;
	p = (const char *)ASN1_STRING_get0_data(g->d.dNSName);
	n = (size_t)ASN1_STRING_length(g->d.dNSName);
	if (!is_host(p, n))
		return E_OK;
	if ((v->name[v->n] = copy_lower(p, n)) == NULL)
		return E_NOMEM;
	v->n++;
	return E_OK;
}

enum err
tls_names_of(struct tls_names *out, X509 *x)
{
	GENERAL_NAMES *all =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int n = all != NULL ? sk_GENERAL_NAME_num(all) : 0;
	enum err e = E_OK;

	*out = (struct tls_names){ NULL, 0 };
	if (n > 0 &&
	    (out->name = calloc((size_t)n, sizeof(out->name[0]))) == NULL)
		e = E_NOMEM;
	for (int i = 0; i < n && e == E_OK; i++)
		e = add(out, sk_GENERAL_NAME_value(all, i));
	GENERAL_NAMES_free(all);
	if (e == E_OK)
		sort(out);
	else
		tls_names_free(out);
	return e;
}

void
tls_names_free(struct tls_names *v)
{
	while (v->n > 0)
		free(v->name[--v->n]);
	free(v->name);
	v->name = NULL;
}

bool
tls_names_are_same(const struct tls_names *a, const struct tls_names *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->name[i], b->name[i]) != 0)
			return false;
	return true;
}

enum tls_name_match
tls_names_match(const struct tls_names *v, const char *host)
{
	const char *rest = strchr(host, '.');
	enum tls_name_match best = TLS_NAME_NOT;

	for (size_t i = 0; i < v->n; i++) {
		const char *name = v->name[i];

		if (strcasecmp(name, host) == 0)
			return TLS_NAME_ITSELF;
		if (name[0] == '*' && rest != NULL && rest != host &&
		    strcasecmp(name + 1, rest) == 0)
			best = TLS_NAME_BY_STAR;
	}
	return best;
}
