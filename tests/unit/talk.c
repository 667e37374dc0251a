#include "talk.h"

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_MAX = 64 << 20 };

void
talk_init(struct talk *t, size_t in_max)
{
	memset(t, 0, sizeof(*t));
	pop3_client_init(&t->client);
	buf_init(&t->in, in_max != 0 ? in_max : POP3_REPLY_MAX, true);
	buf_init(&t->out, ALL_MAX, true);
	buf_init(&t->log, ALL_MAX, false);
}

void
talk_clear(struct talk *t)
{
	pop3_client_clear(&t->client);
	buf_free(&t->in);
	buf_free(&t->out);
	buf_free(&t->log);
}

static void
add(struct talk *t, const void *p, size_t n)
{
	enum err e = buf_put(&t->log, p, n);

	assert(e == E_OK);
}

static void
add_text(struct talk *t, const char *text)
{
	add(t, text, strlen(text));
}

static void
add_number(struct talk *t, uint64_t v)
{
	char digits[STR_U64_MAX];

	add_text(t, " ");
	add(t, digits, str_from_u64(digits, v));
}

static void
add_slice(struct talk *t, struct slice s)
{
	if (s.n == 0)
		return;
	add_text(t, " ");
	add(t, s.p, s.n);
}

/* Octets of the input that the event borrows. */
static void
check_borrowed(const struct talk *t, struct slice s)
{
	const char *begin = buf_data(&t->in);

	if (s.n != 0)
		assert(s.p >= begin && s.p + s.n <= begin + t->in.len);
}

static void
check_counts(const struct talk *t, uint32_t before, const struct pop3_event *ev)
{
	const struct pop3_client *c = &t->client;
	bool multi = ev->cmd == POP3_CMD_CAPA || ev->cmd == POP3_CMD_LIST ||
		     ev->cmd == POP3_CMD_UIDL || ev->cmd == POP3_CMD_TOP ||
		     ev->cmd == POP3_CMD_RETR || ev->cmd == POP3_CMD_ENV;
	bool answered = ev->type == POP3_EV_ERR || ev->type == POP3_EV_END ||
			(ev->type == POP3_EV_OK && !multi);

	if (ev->cmd == POP3_CMD_GREETING)
		answered = false;
	if (ev->type != POP3_EV_BROKEN)
		assert(c->n_pending == before - answered);
	assert(c->n_pending <= c->ring_size);
	assert((c->n_pending == 0) == (c->pending_octets == 0));
	assert(c->pending_octets <= (size_t)c->n_pending * 255);
}

static void
check(struct talk *t, const struct pop3_event *ev)
{
	check_borrowed(t, ev->text);
	check_borrowed(t, ev->data);
	assert((ev->type == POP3_EV_BROKEN) == (ev->why != NULL));
	assert(!t->broken || ev->type == POP3_EV_BROKEN);
	switch (ev->type) {
	case POP3_EV_OK:
	case POP3_EV_ERR:
		assert(!t->inside);
		assert(ev->cmd == POP3_CMD_STAT ||
		       ev->cmd == POP3_CMD_LIST_ONE ||
		       ev->cmd == POP3_CMD_UIDL_ONE || !ev->odd);
		assert(ev->count <= POP3_MSGNO_MAX);
		break;
	case POP3_EV_CHALLENGE: assert(ev->cmd == POP3_CMD_AUTH); break;
	case POP3_EV_ENTRY:
		assert(t->inside && ev->msgno <= POP3_MSGNO_MAX);
		assert(ev->odd || ev->msgno != 0);
		assert(ev->data.n <= (ev->cmd == POP3_CMD_ENV ? POP3_REPLY_MAX
							      : POP3_UID_MAX));
		assert(ev->cmd != POP3_CMD_ENV ||
		       (ev->count != 0 && ev->count <= POP3_ENV_LINES));
		break;
	case POP3_EV_DATA: assert(t->inside && ev->data.n != 0); break;
	case POP3_EV_END:
	case POP3_EV_PROBED: assert(t->inside); break;
	case POP3_EV_MORE: assert(t->in.len < t->in.max); break;
	case POP3_EV_BROKEN: break;
	}
}

static void
note_text(struct talk *t, const struct pop3_event *ev)
{
	add_text(t, ev->type == POP3_EV_OK ? " ok" : " err");
	if (ev->odd) {
		add_text(t, " odd");
	} else if (ev->cmd == POP3_CMD_STAT && ev->type == POP3_EV_OK) {
		add_number(t, ev->count);
		add_number(t, ev->octets);
	}
	if (ev->code != POP3_NO_CODE)
		add_number(t, ev->code);
	add_slice(t, ev->text);
	add_slice(t, ev->data);
	if (ev->cmd == POP3_CMD_LIST_ONE && ev->octets != 0)
		add_number(t, ev->octets);
}

static void
note_rest(struct talk *t, const struct pop3_event *ev)
{
	static const char *const words[] = { [POP3_EV_CHALLENGE] = " challenge",
		[POP3_EV_ENTRY] = " entry",
		[POP3_EV_END] = " end",
		[POP3_EV_PROBED] = " probed" };

	add_text(t, words[ev->type]);
	if (ev->type == POP3_EV_ENTRY)
		add_number(t, ev->cmd == POP3_CMD_ENV ? ev->count : ev->msgno);
	if (ev->odd)
		add_text(t, " odd");
	else if ((ev->cmd == POP3_CMD_LIST && ev->type == POP3_EV_ENTRY) ||
		 ev->cmd == POP3_CMD_LIST_ONE)
		add_number(t, ev->octets);
	else if (ev->cmd == POP3_CMD_TOP || ev->cmd == POP3_CMD_RETR)
		add_number(t, ev->octets);
	add_slice(t, ev->data);
}

static void
note(struct talk *t, const struct pop3_event *ev)
{
	bool goes_on = t->in_data && ev->type == POP3_EV_DATA;

	if (t->in_data && !goes_on)
		add_text(t, "\n");
	t->in_data = ev->type == POP3_EV_DATA;
	if (goes_on) {
		add(t, ev->data.p, ev->data.n);
		return;
	}
	if (ev->type == POP3_EV_BROKEN) {
		add_text(t, "broken ");
		add_text(t, ev->why);
		add_text(t, "\n");
		return;
	}
	add_text(t, pop3_cmd_name(ev->cmd));
	if (ev->msgno != 0 && ev->type != POP3_EV_ENTRY)
		add_number(t, ev->msgno);
	if (ev->type == POP3_EV_DATA) {
		add_text(t, " data");
		add_slice(t, ev->data);
		return;
	}
	if (ev->type == POP3_EV_OK || ev->type == POP3_EV_ERR)
		note_text(t, ev);
	else
		note_rest(t, ev);
	add_text(t, "\n");
}

static void
answer(struct talk *t)
{
	const char *response = t->response[t->challenges++ % 2];
	enum err e;

	if (response == NULL)
		e = pop3_client_cancel(&t->client, &t->out);
	else
		e = pop3_client_answer(&t->client, &t->out,
		    (struct slice){ response, strlen(response) });
	assert(e == E_OK);
}

static void
run(struct talk *t)
{
	struct pop3_event ev;

	do {
		uint32_t before = t->client.n_pending;

		pop3_client_run(&t->client, &t->in, &ev);
		check(t, &ev);
		check_counts(t, before, &ev);
		if (ev.type == POP3_EV_MORE)
			break;
		note(t, &ev);
		if (ev.type == POP3_EV_CHALLENGE)
			answer(t);
		if (ev.type == POP3_EV_PROBED && !ev.odd)
			pop3_client_end(&t->client);
		t->inside = ev.type == POP3_EV_DATA ||
			    ev.type == POP3_EV_ENTRY ||
			    ev.type == POP3_EV_PROBED ||
			    (ev.type == POP3_EV_OK && t->client.inside);
		t->broken = ev.type == POP3_EV_BROKEN;
	} while (!t->broken);
	if (t->broken) {
		pop3_client_run(&t->client, &t->in, &ev);
		check(t, &ev);
	}
}

static void
probe(struct talk *t)
{
	struct pop3_client *c = &t->client;
	enum err e;

	if (!t->probes || !c->doubtful || c->n_pending != 1)
		return;
	e = pop3_client_message(c, &t->out, POP3_CMD_UIDL_ONE, 7);
	assert(e == E_OK);
	pop3_client_probe(c);
}

void
talk_feed(struct talk *t, const char *p, size_t n)
{
	while (n != 0 && !t->broken) {
		size_t part = t->in.max - t->in.len;
		enum err e;

		if (part > n)
			part = n;
		e = buf_put(&t->in, p, part);
		assert(e == E_OK);
		p += part;
		n -= part;
		run(t);
		probe(t);
	}
}

const char *
talk_log(struct talk *t)
{
	add(t, "", 1);
	t->log.len--;
	return buf_data(&t->log);
}
