/* A stored message, counted and encoded in pieces: the size is right, and what
 * a client makes of the wire is the original with CRLF.  The first octet cuts
 * the pieces, the second is how many lines TOP wants. */
#include <stdlib.h>
#include <string.h>

#include "pop3/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool truth)
{
	if (!truth)
		abort();
}

/* At once, where there is room for vectors. */
static void
check_at_once(const char *in, size_t n, const char *wire, size_t wire_n)
{
	char *out = malloc(2 * n + POP3_WIRE_ROOM + POP3_WIRE_END);
	struct pop3_wire_step step;
	struct pop3_wire w;

	expect(out != NULL);
	pop3_wire_init(&w, POP3_ALL_LINES);
	step = pop3_wire_encode(&w, in, n, out, 2 * n + POP3_WIRE_ROOM);
	expect(step.used == n);
	step.made += pop3_wire_end(&w, out + step.made);
	expect(step.made == wire_n && memcmp(out, wire, wire_n) == 0);
	free(out);
}

static size_t
encode(const char *in, size_t n, uint64_t lines, unsigned seed, char *out)
{
	struct pop3_wire_step step = { 0 };
	struct pop3_wire w;
	size_t made = 0;

	pop3_wire_init(&w, lines);
	while (n != 0 && !step.enough) {
		size_t part = (size_t)rand_r(&seed) % (n + 1);
		size_t room = POP3_WIRE_ROOM + (size_t)rand_r(&seed) % 60;

		step = pop3_wire_encode(&w, in, part, out + made, room);
		expect(step.used <= part && step.made <= room);
		in += step.used;
		n -= step.used;
		made += step.made;
	}
	return made + pop3_wire_end(&w, out + made);
}

/* Against the original: each LF has one CR before it, all else is the same. */
static void
check_unstuffed(const char *wire, size_t n, const char *in, size_t in_n)
{
	bool start = true;
	size_t i = 0;
	char last = '\n';

	expect(n >= 3 && memcmp(wire + n - 3, ".\r\n", 3) == 0);
	for (size_t o = 0; o < n - 3; o++) {
		if (start && wire[o] == '.')
			expect(wire[++o] != '\r');
		if (wire[o] == '\r' && wire[o + 1] == '\n' &&
		    (i == in_n || in[i] == '\n'))
			o++; /* ours */
		start = wire[o] == '\n' && wire[o - 1] == '\r';
		if (i < in_n)
			expect(wire[o] == in[i++]);
		else
			expect(start && o + 1 == n - 3 && last != '\n');
		last = i > 0 ? in[i - 1] : '\n';
	}
	expect(start && i == in_n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data + 2;
	struct pop3_wire w;
	size_t n, top, stuffed = 0;
	char *wire, *head;

	if (size < 2)
		return 0;
	size -= 2;
	expect((wire = malloc(2 * size + 128)) != NULL);
	expect((head = malloc(2 * size + 128)) != NULL);
	n = encode(in, size, POP3_ALL_LINES, data[0], wire);
	check_unstuffed(wire, n, in, size);
	check_at_once(in, size, wire, n);
	for (size_t i = 0; i < size; i++)
		stuffed += in[i] == '.' && (i == 0 || in[i - 1] == '\n');
	pop3_wire_init(&w, POP3_ALL_LINES);
	pop3_wire_count(&w, in, size / 3);
	pop3_wire_count(&w, in + size / 3, size - size / 3);
	expect(pop3_wire_size(&w) == n - 3 - stuffed);
	top = encode(in, size, data[1], data[0] + 1U, head);
	expect(top <= n + 2);
	expect(memcmp(head, wire, top - 3 < n - 3 ? top - 3 : n - 3) == 0);
	free(wire);
	free(head);
	return 0;
}
