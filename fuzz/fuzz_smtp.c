/* What a server that takes mail says, line by line; and the record of a message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/send/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
fuzz_record(const uint8_t *data, size_t n)
{
	struct outgoing o;
	char *text;

	if (outgoing_parse(&o, (struct slice){ (const char *)data, n }) != E_OK)
		return;
	text = outgoing_print(&o);
	free(text);
	outgoing_clear(&o);
}

static enum smtp_event
answer(struct smtp *s, enum smtp_event ev, struct buf *out, struct outgoing *o)
{
	switch (ev) {
	case SMTP_START_TLS: return smtp_secured(s, out);
	case SMTP_SIGN_IN:
		return smtp_has_auth(s, "PLAIN")
			   ? smtp_auth(s, out, "PLAIN", NULL)
			   : smtp_mail(s, out, o);
	case SMTP_CHALLENGE:
		return smtp_answer(s, out, (struct slice){ "x", 1 });
	case SMTP_SIGNED_IN: return smtp_mail(s, out, o);
	case SMTP_SEND: smtp_sent(s); return SMTP_MORE;
	case SMTP_OVER: return smtp_quit(s, out);
	default: return ev;
	}
}

/* Nobody has it unless the server has said so of the whole message. */
static void
check(const struct smtp *s, const struct outgoing *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].fate == FATE_SENT && !s->ended)
			abort();
}

static void
fuzz_dialogue(const uint8_t *data, size_t n)
{
	struct recipient to[2] = { { .address = strdup("a@b") },
		{ .address = strdup("c@d") } };
	struct outgoing o = { .sender = strdup("e@f"), .octets = 10, .n = 2 };
	enum smtp_event ev = SMTP_MORE;
	struct smtp s;
	struct buf out;

	o.v = calloc(2, sizeof(*o.v));
	memcpy(o.v, to, sizeof(to));
	buf_init(&out, 100000, false);
	smtp_init(&s, n != 0 && data[0] == '2');
	while (n != 0 && ev == SMTP_MORE) {
		const uint8_t *lf = memchr(data, '\n', n);
		size_t line = lf != NULL ? (size_t)(lf - data) : n;
		char *copy = malloc(line + 1);

		memcpy(copy, data, line);
		copy = realloc(copy, line != 0 ? line : 1);
		ev = smtp_take(&s, (struct slice){ copy, line }, &out);
		ev = answer(&s, ev, &out, &o);
		free(copy);
		buf_consume(&out, out.len);
		check(&s, &o);
		data += line + (lf != NULL);
		n -= line + (lf != NULL);
	}
	buf_free(&out);
	outgoing_clear(&o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n != 0 && data[0] == '{')
		fuzz_record(data, n);
	else
		fuzz_dialogue(data, n);
	return 0;
}
