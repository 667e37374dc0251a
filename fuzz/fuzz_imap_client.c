/*
 * What an IMAP server says: taken whole, octet by octet and in pieces of a
 * changing size, with the same events; and what data in it means, taken apart.
 */
#include <stdlib.h>
#include <string.h>

#include "imap/imap_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IN_MAX = 64 * 1024, EVENTS = 4096 };

struct talk {
	struct imap_client client;
	struct buf in, out;
	size_t n, sum; /* of events */
	bool over;
};

static void
within(const struct talk *t, struct slice s)
{
	const char *begin = buf_data(&t->in);

	if (s.n != 0 && (s.p < begin || s.p + s.n > begin + t->in.len))
		abort();
}

static bool
add_number(void *arg, uint32_t number)
{
	struct talk *t = arg;

	t->sum += number;
	return true;
}

static void
take_apart(struct talk *t, const struct imap_response *r)
{
	struct imap_mailbox m;
	struct imap_fetch f;
	struct imap_list l;
	struct slice rest = r->rest, word;
	uint32_t v;

	if (imap_status_read(r->rest, &m))
		t->sum += m.uidnext + 3 * (size_t)m.uidvalidity;
	if (imap_fetch_read(r->rest, &f)) {
		t->sum += f.uid + f.body.n;
		if (f.has_body && f.body.n != 0)
			within(t, f.body);
	}
	if (imap_list_read(r->rest, &l)) {
		within(t, l.name);
		within(t, l.flags);
	}
	imap_esearch_read(rest, EVENTS, add_number, t);
	while (imap_number_take(&rest, &v))
		t->sum += v;
	while (imap_word_take(&rest, &word))
		within(t, word);
}

static void
look(struct talk *t)
{
	struct imap_event ev;

	while (!t->over) {
		imap_client_run(&t->client, &t->in, &ev);
		if (ev.type == IMAP_EV_MORE)
			return;
		if (++t->n > EVENTS)
			abort();
		t->sum = t->sum * 31 + (size_t)ev.type * 7 +
			 (size_t)ev.response.status + ev.item;
		t->over = ev.type == IMAP_EV_BROKEN || ev.type == IMAP_EV_BYE;
		if ((ev.why != NULL) != (ev.type == IMAP_EV_BROKEN))
			abort();
		if (ev.type != IMAP_EV_BROKEN)
			take_apart(t, &ev.response);
	}
}

static void
talk(struct talk *t, const uint8_t *p, size_t n, size_t piece, size_t more)
{
	const struct imap_append a = { .mailbox = { "x", 1 }, .octets = 5 };

	memset(t, 0, sizeof(*t));
	imap_client_init(&t->client);
	buf_init(&t->in, 2 * IN_MAX, false);
	buf_init(&t->out, 4096, false);
	if (imap_client_plain(&t->client, &t->out, IMAP_CAPABILITY) != E_OK ||
	    imap_client_append(&t->client, &t->out, &a, 7) != E_OK)
		abort();
	while (n != 0 && !t->over) {
		size_t part = piece < n ? piece : n;

		if (buf_put(&t->in, p, part) != E_OK)
			abort();
		p += part;
		n -= part;
		piece += more;
		look(t);
	}
	buf_free(&t->in);
	buf_free(&t->out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		size_t piece, more;
	} ways[] = { { 1, 0 }, { 1, 1 }, { 3, 0 } };
	struct talk whole, cut;

	if (size > EVENTS)
		return 0;
	talk(&whole, data, size, IN_MAX, 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		talk(&cut, data, size, ways[i].piece, ways[i].more);
		if (cut.n != whole.n || cut.sum != whole.sum ||
		    cut.over != whole.over)
			abort();
	}
	return 0;
}
