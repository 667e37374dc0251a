/* What a server says to any commands, fed at once and in pieces: the same
 * comes of it, and talk.c looks at every event.  The first octet cuts the
 * pieces, the second says how many commands there are, each is one octet. */
#include <stdlib.h>
#include <string.h>

#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS_MAX = 32, COMMANDS = POP3_CMD_LANG + 1 };

static void
expect(bool truth)
{
	if (!truth)
		abort();
}

static enum err
say(struct talk *t, enum pop3_cmd cmd, uint8_t octet)
{
	static const struct slice name = { "tim", 3 };
	static const char digest[] = "0123456789abcdef0123456789abcdef";
	struct pop3_client *c = &t->client;
	bool deferred;

	switch (cmd) {
	case POP3_CMD_GREETING: return E_OK;
	case POP3_CMD_USER: return pop3_client_user(c, &t->out, name);
	case POP3_CMD_PASS: return pop3_client_pass(c, &t->out, name);
	case POP3_CMD_APOP: return pop3_client_apop(c, &t->out, name, digest);
	case POP3_CMD_AUTH:
		return pop3_client_auth(c, &t->out, "LOGIN", NULL, &deferred);
	case POP3_CMD_LANG: return pop3_client_lang(c, &t->out, "pt-BR");
	case POP3_CMD_TOP:
	case POP3_CMD_RETR:
	case POP3_CMD_LIST_ONE:
	case POP3_CMD_UIDL_ONE:
	case POP3_CMD_ENV:
	case POP3_CMD_DELE: return pop3_client_message(c, &t->out, cmd, octet);
	default: return pop3_client_send(c, &t->out, cmd);
	}
}

static void
start(struct talk *t, size_t in_max, const uint8_t *commands, size_t n)
{
	talk_init(t, in_max);
	t->response[0] = "tim";
	for (size_t i = 0; i < n; i++)
		expect(say(t, commands[i] % COMMANDS, commands[i]) == E_OK);
	expect(t->client.pending_octets == t->out.len);
}

static void
feed(struct talk *t, unsigned seed, unsigned most, const char *p, size_t size)
{
	for (size_t i = 0, n; i < size; i += n) {
		n = 1 + (size_t)rand_r(&seed) % most;
		n = n < size - i ? n : size - i;
		talk_feed(t, p + i, n);
	}
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(buf_data(a), buf_data(b), a->len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *commands = data + 2;
	bool has_stls = false; /* there, how it comes makes a difference */
	size_t n_commands;
	struct talk a, b, c;
	const char *p;

	if (size < 2)
		return 0;
	size -= 2;
	n_commands = data[1] % COMMANDS_MAX;
	if (n_commands > size)
		n_commands = size;
	size -= n_commands;
	p = (const char *)commands + n_commands;
	for (size_t i = 0; i < n_commands; i++)
		if (commands[i] % COMMANDS == POP3_CMD_STLS)
			has_stls = true;

	start(&a, 1 << 20, commands, n_commands);
	start(&b, 0, commands, n_commands);
	talk_feed(&a, p, size);
	feed(&b, data[0], 1 + data[0] % 50, p, size);
	start(&c, 0, commands, n_commands);
	c.probes = true; /* where depends on the pieces */
	feed(&c, data[0], 1 + data[0] % 50, p, size);
	if (!has_stls)
		expect(same(&a.log, &b.log) && same(&a.out, &b.out) &&
		       a.client.n_pending == b.client.n_pending &&
		       strcmp(a.client.timestamp, b.client.timestamp) == 0 &&
		       strcmp(a.client.capa.sasl, b.client.capa.sasl) == 0);
	talk_clear(&a);
	talk_clear(&b);
	talk_clear(&c);
	return 0;
}
