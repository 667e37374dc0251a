#include "server/helper/db_filter.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct text {
	char *p;
	size_t n, size;
};

static void
put(struct text *t, char c)
{
	if (t->n < t->size)
		t->p[t->n] = c;
	t->n++;
}

/* As it stands, if that could mean nothing else; or as an octet, which both take. */
static void
put_value(struct text *t, const char *value, const char *plain)
{
	static const char digits[] = "0123456789abcdef";

	for (const char *v = value; v != NULL && *v != '\0'; v++) {
		unsigned char c = (unsigned char)*v;

		if (c < 0x80 && (isalnum(c) || strchr(plain, c) != NULL)) {
			put(t, *v);
			continue;
		}
		put(t, '\\');
		put(t, digits[c >> 4]);
		put(t, digits[c & 15]);
	}
}

static enum err
expand(char *out, size_t size, const char *query, const struct db_parameters *p,
    const char *plain, struct errbuf *eb)
{
	struct text t = { .p = out, .size = size };

	for (const char *q = query; *q != '\0'; q++)
		if (*q == '$' && q[1] > '0' && q[1] <= '0' + DB_PARAMETERS)
			put_value(&t, p->value[*++q - '1'], plain);
		else
			put(&t, *q);
	put(&t, '\0');
	return t.n <= size
		   ? E_OK
		   : err_set(eb, E_FULL, "the query is of more than %zu octets",
			 size - 1);
}

enum err
db_filter(char *out, size_t size, const char *query,
    const struct db_parameters *p, struct errbuf *eb)
{
	return expand(out, size, query, p, "@.-_+ ", eb);
}

enum err
db_dn(char *out, size_t size, const char *query, const struct db_parameters *p,
    struct errbuf *eb)
{
	return expand(out, size, query, p, "@.-_", eb);
}
