#include "client/session/arrivals.h"

#include <stdlib.h>
#include <string.h>

#include "client/message/summary.h"
#include "client/session/core.h"

enum {
	HEAD_MAX = 16 * 1024, /* octets of a header that are looked at */
	WAITING_MAX = 4 * ARRIVALS_MAX, /* messages that may not be stored */
};

struct arriving {
	size_t n; /* octets of the header of the one that comes */
	char head[HEAD_MAX];
	size_t n_waiting;
	struct {
		size_t item;
		struct summary summary;
	} waiting[WAITING_MAX];
};

/* Characters stay whole. */
static void
copy_text(char *to, size_t size, const char *text)
{
	size_t n = text != NULL ? strnlen(text, size) : 0;

	if (n == size)
		for (n--; n != 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
			n--;
	if (n != 0)
		memcpy(to, text, n);
	to[n] = '\0';
}

void
arrivals_join(struct arrivals *to, const struct arrivals *more)
{
	for (unsigned i = 0; i < more->n && to->n < ARRIVALS_MAX; i++)
		to->v[to->n++] = more->v[i];
}

void
arrivals_begin(struct visit *v)
{
	if (v->arriving != NULL)
		v->arriving->n = 0;
}

void
arrivals_add(struct visit *v, struct slice data)
{
	struct arriving *a = v->arriving;
	size_t n;

	if (a == NULL)
		return;
	n = data.n < HEAD_MAX - a->n ? data.n : HEAD_MAX - a->n;
	memcpy(a->head + a->n, data.p, n);
	a->n += n;
}

void
arrivals_end(struct visit *v, size_t i)
{
	struct arriving *a = v->arriving;

	if (a == NULL || a->n_waiting == WAITING_MAX)
		return;
	a->waiting[a->n_waiting].item = i;
	summary_read(&a->waiting[a->n_waiting++].summary, a->head, a->n);
}

void
arrivals_stored(struct visit *v, size_t i)
{
	struct arriving *a = v->arriving;
	struct arrivals *to = &v->result.arrivals;
	const struct summary *s;
	size_t k = 0;

	while (a != NULL && k < a->n_waiting && a->waiting[k].item != i)
		k++;
	if (a == NULL || k == a->n_waiting || to->n == ARRIVALS_MAX)
		return;
	s = &a->waiting[k].summary;
	copy_text(to->v[to->n].from, sizeof(to->v->from), s->from);
	copy_text(to->v[to->n].subject, sizeof(to->v->subject), s->subject);
	to->n++;
}

bool
arrivals_new(struct visit *v)
{
	if (!v->conf.account->notify)
		return true;
	v->arriving = calloc(1, sizeof(*v->arriving));
	return v->arriving != NULL;
}

void
arrivals_free(struct visit *v)
{
	struct arriving *a = v->arriving;

	for (size_t k = 0; a != NULL && k < a->n_waiting; k++)
		summary_clear(&a->waiting[k].summary);
	free(a);
}
