#include "server/helper/verify_reply.h"

#include <string.h>
#include <sys/socket.h>

struct out {
	char p[VERIFY_REPLY_MAX];
	size_t n;
};

/* False: there is no room. */
static bool
put(struct out *o, const char *text, size_t n)
{
	if (n >= sizeof(o->p) - o->n)
		return false;
	memcpy(o->p + o->n, text, n);
	o->p[o->n + n] = '\0';
	o->n += n + 1;
	return true;
}

enum err
verify_reply_send(int fd, const struct verify_answer *a)
{
	struct out o; /* what is not used is not touched, which costs */
	bool fits;

	o.p[0] = (char)(a->result | (a->ask_again ? VERIFY_ASK_AGAIN : 0));
	o.n = 1;
	fits = put(&o, a->why.text, strlen(a->why.text));
	for (size_t i = 0; i < a->row.n && fits; i++)
		fits =
		    put(&o, a->row.column[i].name,
			strlen(a->row.column[i].name)) &&
		    put(&o, a->row.column[i].value, a->row.column[i].value_n);
	return fits && send(fd, o.p, o.n, MSG_NOSIGNAL) == (ssize_t)o.n ? E_OK
									: E_IO;
}

/* The next text, off *p; NULL: there is none that ends. */
static const char *
take(const char **p, size_t *n)
{
	const char *text = *p;
	const char *end = *n != 0 ? memchr(text, '\0', *n) : NULL;

	if (end == NULL)
		return NULL;
	*n -= (size_t)(end + 1 - text);
	*p = end + 1;
	return text;
}

static enum err
take_row(struct verify_answer *a, const char *p, size_t n)
{
	const char *name, *value;

	while (n != 0)
		if ((name = take(&p, &n)) == NULL ||
		    (value = take(&p, &n)) == NULL ||
		    db_row_put(&a->row, name, value, strlen(value), NULL) !=
			E_OK)
			return E_FORMAT;
	return E_OK;
}

static enum err
take_all(struct verify_answer *a, const char *p, size_t n)
{
	unsigned first = n != 0 ? (unsigned char)*p : LOOKUP_RESULTS;
	const char *why;

	if ((first & ~VERIFY_ASK_AGAIN) >= LOOKUP_RESULTS)
		return E_FORMAT;
	a->result = (enum lookup_result)(first & ~VERIFY_ASK_AGAIN);
	a->ask_again = (first & VERIFY_ASK_AGAIN) != 0;
	p++;
	n--;
	if ((why = take(&p, &n)) == NULL)
		return E_FORMAT;
	err_set(&a->why, E_OK, "%s", why);
	return take_row(a, p, n);
}

void
verify_reply_take(struct verify_answer *a, const char *p, size_t n)
{
	*a = (struct verify_answer){ .result = LOOKUP_FAILED };
	if (take_all(a, p, n) == E_OK)
		return;
	db_row_clear(&a->row);
	a->result = LOOKUP_FAILED;
	a->ask_again = false;
	err_set(&a->why, E_FORMAT, "what it says makes no sense");
}
