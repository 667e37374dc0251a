/*
 * What a server says before the greeting of KPOP: taken whole, octet by octet
 * and in pieces of a changing size, with the same events and the same greeting
 * left.
 */
#include <stdlib.h>
#include <string.h>

#include "pop3/kpop_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENTS = 4, IN_MAX = 64 * 1024 };

struct talk {
	struct kpop_client client;
	struct buf in;
	enum kpop_event_type events[EVENTS];
	size_t n_events;
	size_t said; /* octets of data of the events */
};

static void
answer(struct talk *t)
{
	struct buf out;

	buf_init(&out, 64, false);
	if (kpop_client_request(
		&t->client, &out, (struct slice){ "request", 7 }) != E_OK ||
	    out.len != 11)
		abort();
	buf_free(&out);
}

static void
look(struct talk *t)
{
	struct kpop_event ev;

	for (;;) {
		kpop_client_run(&t->client, &t->in, &ev);
		if (ev.type == KPOP_EV_MORE)
			return;
		if (t->n_events == EVENTS)
			abort(); /* it does not end */
		t->events[t->n_events++] = ev.type;
		if ((ev.why != NULL) != (ev.type == KPOP_EV_BROKEN) ||
		    ev.data.n > KPOP_ANSWER_MAX)
			abort();
		for (size_t i = 0; i < ev.data.n; i++)
			t->said += (unsigned char)ev.data.p[i] + i;
		if (ev.type == KPOP_EV_SUITS)
			answer(t);
	}
}

static void
talk(struct talk *t, const uint8_t *p, size_t n, size_t piece, size_t more)
{
	struct buf out;

	memset(t, 0, sizeof(*t));
	buf_init(&t->in, IN_MAX, false);
	buf_init(&out, 64, false);
	if (kpop_client_begin(&t->client, &out) != E_OK)
		abort();
	buf_free(&out);
	while (n != 0) {
		size_t part = piece < n ? piece : n;

		if (buf_put(&t->in, p, part) != E_OK)
			abort();
		p += part;
		n -= part;
		piece += more;
		look(t);
	}
	kpop_client_end(&t->client, &t->in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		size_t piece, more;
	} ways[] = { { 1, 0 }, { 1, 1 }, { 3, 0 } };
	struct talk whole, cut;

	if (size > IN_MAX)
		return 0;
	talk(&whole, data, size, IN_MAX, 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		talk(&cut, data, size, ways[i].piece, ways[i].more);
		if (cut.n_events != whole.n_events || cut.said != whole.said ||
		    memcmp(cut.events, whole.events, sizeof(cut.events)) != 0 ||
		    cut.in.len != whole.in.len)
			abort();
		buf_free(&cut.in);
	}
	buf_free(&whole.in);
	return 0;
}
