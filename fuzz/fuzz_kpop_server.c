/*
 * What a client of KPOP says before the greeting: taken whole and octet by octet,
 * with the same words, the same ticket and the same rest for POP3.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pop3/kpop_server.h"

enum { TICKET = 256, ROOM = 4096 };

struct play {
	struct kpop_server kpop;
	struct buf in, out;
	enum kpop_want want;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A ticket of an odd length is good. */
static void
judge(struct play *p)
{
	struct slice t = kpop_server_ticket(&p->kpop, &p->in);

	if (t.n > TICKET || t.n > p->in.len)
		abort();
	if (t.n % 2 == 1)
		kpop_server_accept(
		    &p->kpop, &p->out, (struct slice){ t.p, t.n / 2 });
	else
		kpop_server_refuse(&p->kpop, &p->out, t);
	p->want = kpop_server_run(&p->kpop, &p->in, &p->out);
}

static void
play(struct play *p, const uint8_t *data, size_t size, size_t step)
{
	memset(p, 0, sizeof(*p));
	p->kpop.ticket_max = TICKET;
	buf_init(&p->in, ROOM, true);
	buf_init(&p->out, ROOM, false);
	for (size_t part; size != 0; data += part, size -= part) {
		part = size < step ? size : step;
		if (buf_put(&p->in, data, part) != E_OK)
			abort();
		if (p->want == KPOP_WANT_INPUT)
			p->want = kpop_server_run(&p->kpop, &p->in, &p->out);
		if (p->want == KPOP_WANT_TICKET)
			judge(p);
	}
}

static bool
is_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(buf_data(a), buf_data(b), a->len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play whole, single;

	if (size > ROOM)
		return 0;
	play(&whole, data, size, size);
	play(&single, data, size, 1);
	if (whole.want != single.want || !is_same(&whole.out, &single.out))
		abort();
	if (whole.want == KPOP_WANT_POP3 && !is_same(&whole.in, &single.in))
		abort();
	if (whole.want == KPOP_WANT_CLOSE && whole.kpop.why == NULL)
		abort();
	buf_free(&whole.in);
	buf_free(&whole.out);
	buf_free(&single.in);
	buf_free(&single.out);
	return 0;
}
