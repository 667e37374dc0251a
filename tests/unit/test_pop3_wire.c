/*
 * Messages as they are sent: sizes, dots and line ends, by the portable loops
 * and by vector instructions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guard.h"
#include "pop3/wire.h"
#include "pop3/wire_vector.h"

enum { WIRE_MAX = 4096 };

struct row {
	const char *stored;
	size_t n;
	uint64_t size;
	const char *wire;
	size_t wire_n;
};

#define ROW(stored, size, wire) \
	{ \
		stored, sizeof(stored) - 1, size, wire, sizeof(wire) - 1 \
	}

/* S-ENG-16, M-01..04, M-25: odd messages, their size, and what is sent. */
static const struct row table[] = {
	ROW("A: b\n\nhi\n", 12, "A: b\r\n\r\nhi\r\n.\r\n"),
	ROW("A: b\n\nhi", 12, "A: b\r\n\r\nhi\r\n.\r\n"),
	ROW("A: b\r\n\r\nhi\r\n", 12, "A: b\r\n\r\nhi\r\n.\r\n"),
	ROW("A: b\n\n.\n..x\n", 16, "A: b\r\n\r\n..\r\n...x\r\n.\r\n"),
	ROW("A: b\n\n.", 11, "A: b\r\n\r\n..\r\n.\r\n"),
	ROW("A: b\n", 6, "A: b\r\n.\r\n"),
	ROW("A: b\n\na\rb\n", 13, "A: b\r\n\r\na\rb\r\n.\r\n"),
	ROW("A: b\n\nx\r\r\n", 12, "A: b\r\n\r\nx\r\r\n.\r\n"),
	ROW("", 0, ".\r\n"),
	/* the first line, lines behind either end, none behind a bare CR */
	ROW(".\n", 3, "..\r\n.\r\n"),
	ROW(".\r\n", 3, "..\r\n.\r\n"),
	ROW(".a\n.b\r\n.c", 12, "..a\r\n..b\r\n..c\r\n.\r\n"),
	ROW("a\r.b\n", 6, "a\r.b\r\n.\r\n"),
	ROW("\r.\n", 4, "\r.\r\n.\r\n"),
	ROW("a.\n", 4, "a.\r\n.\r\n"),
	/* a last CR is an octet */
	ROW("a\r", 4, "a\r\r\n.\r\n"),
	ROW("\r", 3, "\r\r\n.\r\n"),
	ROW("\n", 2, "\r\n.\r\n"),
	ROW("\n\r\n\n", 6, "\r\n\r\n\r\n.\r\n"),
	ROW("\r\r\n", 3, "\r\r\n.\r\n"),
	/* S-ENG-18 */
	ROW("\0.\n\0\xff", 8, "\0.\r\n\0\xff\r\n.\r\n"),
};

/* Encodes with portions of input and output of random size (0: all at once)
 * in buffers that end at the end of memory. */
static size_t
encode(const char *in, size_t n, uint64_t lines, unsigned *seed, char *out,
    uint64_t *octets_r)
{
	struct pop3_wire w;
	struct pop3_wire_step step = { 0 };
	char end[POP3_WIRE_END];
	size_t done = 0, made = 0;

	pop3_wire_init(&w, lines);
	while (done < n && !step.enough) {
		size_t part = n - done, room = WIRE_MAX - made;
		char *from, *to;

		if (seed != NULL) {
			part = (size_t)rand_r(seed) % (part + 1);
			room = POP3_WIRE_ROOM + (size_t)rand_r(seed) % 6;
		}
		from = guard_copy(0, in + done, part);
		to = guard_room(1, room);
		step = pop3_wire_encode(&w, from, part, to, room);
		assert_true(step.used <= part && step.made <= room);
		assert_true(part == 0 || step.used != 0 || step.enough);
		assert_true(made + step.made <= WIRE_MAX);
		memcpy(out + made, to, step.made);
		done += step.used;
		made += step.made;
	}
	*octets_r = pop3_wire_size(&w);
	n = pop3_wire_end(&w, end);
	memcpy(out + made, end, n);
	if (lines == POP3_ALL_LINES)
		assert_int_equal(pop3_wire_size(&w), *octets_r);
	return made + n;
}

static uint64_t
count(const char *in, size_t n, unsigned *seed)
{
	struct pop3_wire w;

	pop3_wire_init(&w, POP3_ALL_LINES);
	while (n != 0) {
		size_t part = seed == NULL ? n : (size_t)rand_r(seed) % (n + 1);

		pop3_wire_count(&w, guard_copy(2, in, part), part);
		in += part;
		n -= part;
	}
	return pop3_wire_size(&w);
}

static void
test_table(void **state)
{
	char out[WIRE_MAX + POP3_WIRE_END];
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct row *r = &table[i];

		for (unsigned k = 0; k < 200; k++) {
			unsigned *s = k == 0 ? NULL : &seed;
			uint64_t octets;
			size_t n = encode(
			    r->stored, r->n, POP3_ALL_LINES, s, out, &octets);

			assert_int_equal(n, r->wire_n);
			assert_memory_equal(out, r->wire, n);
			assert_int_equal(octets, r->size);
			assert_int_equal(count(r->stored, r->n, s), r->size);
		}
	}
}

/* Removes stuffing and the terminator as a client does. */
static size_t
unstuff(char *p, size_t n)
{
	size_t o = 0;
	bool start = true;

	assert_true(n >= 3);
	assert_memory_equal(p + n - 3, ".\r\n", 3);
	for (size_t i = 0; i < n - 3; i++) {
		if (start && p[i] == '.') {
			i++;
			assert_true(p[i] != '\r');
		}
		p[o++] = p[i];
		start = o >= 2 && p[o - 2] == '\r' && p[o - 1] == '\n';
	}
	assert_true(start);
	return o;
}

/* What the stored text means, written down in the plainest way. */
static size_t
plain(const char *in, size_t n, char *out)
{
	size_t o = 0;

	for (size_t i = 0; i < n; i++) {
		if (in[i] == '\n' && (i == 0 || in[i - 1] != '\r'))
			out[o++] = '\r';
		out[o++] = in[i];
	}
	if (n != 0 && in[n - 1] != '\n') {
		out[o++] = '\r';
		out[o++] = '\n';
	}
	return o;
}

static size_t
odd_text(char *text, size_t max, unsigned *seed)
{
	static const char some[] = "..\r\r\n\n\nab\0";
	size_t n = (size_t)rand_r(seed) % max;

	for (size_t i = 0; i < n; i++)
		text[i] = some[(size_t)rand_r(seed) % (sizeof(some) - 1)];
	return n;
}

/* S-1939-26: the size is what a client has; count and encode agree. */
static void
test_random(void **state)
{
	char text[200], want[500], out[WIRE_MAX + POP3_WIRE_END];
	unsigned seed = 2;

	(void)state;
	for (unsigned k = 0; k < 20000; k++) {
		size_t n = odd_text(text, sizeof(text), &seed);
		size_t want_n = plain(text, n, want);
		uint64_t octets;
		size_t made =
		    encode(text, n, POP3_ALL_LINES, &seed, out, &octets);

		/* a client sees a lone "\n" after "\r" as a line's end */
		assert_int_equal(octets, want_n);
		assert_int_equal(count(text, n, &seed), want_n);
		assert_int_equal(unstuff(out, made), want_n);
		assert_memory_equal(out, want, want_n);
	}
}

/* TOP in the plainest way, on the whole wire text without its terminator. */
static size_t
top_plain(const char *wire, size_t n, uint64_t k, char *out)
{
	bool body = false;
	size_t o = 0;

	for (size_t i = 0; i < n && !(body && k == 0);) {
		size_t len = 2;

		while (wire[i + len - 2] != '\r' || wire[i + len - 1] != '\n')
			len++;
		memcpy(out + o, wire + i, len);
		o += len;
		i += len;
		if (body)
			k--;
		body = body || len == 2;
	}
	if (!body) {
		memcpy(out + o, "\r\n", 2);
		o += 2;
	}
	memcpy(out + o, ".\r\n", 3);
	return o + 3;
}

/* S-1939-30, S-ENG-08, M-24: every k, and RETR begins with what TOP says. */
static void
test_top(void **state)
{
	char text[100], want[WIRE_MAX], whole[WIRE_MAX + POP3_WIRE_END],
	    out[WIRE_MAX + POP3_WIRE_END];
	unsigned seed = 3;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		size_t n = odd_text(text, sizeof(text), &seed);
		uint64_t octets;
		size_t whole_n =
		    encode(text, n, POP3_ALL_LINES, NULL, whole, &octets);

		for (uint64_t k = 0; k < 60; k++) {
			size_t want_n = top_plain(whole, whole_n - 3, k, want);
			size_t made = encode(text, n, k, &seed, out, &octets);

			assert_int_equal(made, want_n);
			assert_memory_equal(out, want, made);
		}
	}
}

/* TOP stops to ask for input as soon as it has enough. */
static void
test_top_enough(void **state)
{
	static const char text[] = "A: b\n\none\ntwo\n";
	struct pop3_wire w;
	struct pop3_wire_step step;
	char out[100];

	(void)state;
	pop3_wire_init(&w, 1);
	step = pop3_wire_encode(&w, text, 6, out, sizeof(out));
	assert_false(step.enough);
	step = pop3_wire_encode(&w, text + 6, 8, out, sizeof(out));
	assert_true(step.enough);
	assert_int_equal(step.used, 4);
	pop3_wire_init(&w, 0);
	step = pop3_wire_encode(&w, text, 6, out, sizeof(out));
	assert_true(step.enough);
	assert_int_equal(step.used, 6);
}

/* S-ENG-10, M-05: more than 4 GiB. */
static void
test_beyond_32_bits(void **state)
{
	size_t n = 1 << 20;
	char *part = guard_room(0, n);
	struct pop3_wire w;

	(void)state;
	memset(part, 'x', n);
	part[n - 1] = '\n';
	pop3_wire_init(&w, POP3_ALL_LINES);
	for (unsigned i = 0; i < 5 * 1024; i++)
		pop3_wire_count(&w, part, n);
	assert_true(pop3_wire_size(&w) == 5ULL * 1024 * (1048576 + 1));
}

/* S-ENG-19: one line of a megabyte. */
static void
test_long_line(void **state)
{
	size_t n = 1 << 20;
	char *in = guard_room(0, n), *out = guard_room(1, n);
	struct pop3_wire_step step;
	struct pop3_wire w;

	(void)state;
	memset(in, '.', n);
	pop3_wire_init(&w, POP3_ALL_LINES);
	step = pop3_wire_encode(&w, in, n, out, n);
	assert_int_equal(step.made, n);
	assert_int_equal(step.used, n - 1);
	step = pop3_wire_encode(&w, in + n - 1, 1, out, 4);
	assert_int_equal(step.made, 1);
	assert_true(pop3_wire_size(&w) == n + 2);
}

/* Octets of which one in `rare` matters to the encoder. */
static void
mail_text(char *text, size_t n, unsigned rare, unsigned *seed)
{
	for (size_t i = 0; i < n; i++)
		text[i] = (unsigned)rand_r(seed) % rare != 0
			      ? 'a'
			      : "\n\n.\r\n."[rand_r(seed) % 6];
	/* Dots stand at the start of lines more often than that. */
	for (size_t i = 1; i < n; i++)
		if (text[i - 1] == '\n' && rand_r(seed) % 4 == 0)
			text[i] = '.';
}

enum { TEXT_MAX = 3000, LITTLE = 100 };

/* In portions of up to max octets, random ones if there is a seed. */
static size_t
encode_by(size_t max, unsigned *seed, const char *in, size_t n, char *out,
    struct pop3_wire *w)
{
	size_t made = 0;

	pop3_wire_init(w, POP3_ALL_LINES);
	while (n != 0) {
		size_t part = n < max ? n : max;
		size_t room = 2 * TEXT_MAX + POP3_WIRE_ROOM;
		struct pop3_wire_step step;

		if (seed != NULL) {
			part = (size_t)rand_r(seed) % (part + 1);
			room = POP3_WIRE_ROOM + (size_t)rand_r(seed) % max;
		}
		step = pop3_wire_encode(w, guard_copy(0, in, part), part,
		    guard_room(1, room), room);
		memcpy(out + made, guard_room(1, room), step.made);
		made += step.made;
		in += step.used;
		n -= step.used;
	}
	return made;
}

/* S-ENG-16: portions that are too small for vectors, and larger ones, come to
 * the same octets and the same state. */
static void
test_vector(void **state)
{
	static char text[TEXT_MAX], want[2 * TEXT_MAX + POP3_WIRE_ROOM],
	    out[2 * TEXT_MAX + POP3_WIRE_ROOM];
	unsigned seed = 4;

	(void)state;
	if (!pop3_wire_vector_works())
		skip();
	for (unsigned i = 0; i < 20000; i++) {
		size_t n = (size_t)rand_r(&seed) % (sizeof(text) + 1), m;
		struct pop3_wire little, w;

		mail_text(text, n, 1 + (unsigned)rand_r(&seed) % 80, &seed);
		m = encode_by(LITTLE, NULL, text, n, want, &little);
		assert_int_equal(
		    encode_by(n, i % 2 ? &seed : NULL, text, n, out, &w), m);
		assert_memory_equal(out, want, m);
		assert_int_equal(w.at, little.at);
		assert_int_equal(w.octets, little.octets);
		assert_int_equal(
		    count(text, n, i % 2 ? &seed : NULL), pop3_wire_size(&w));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_top_enough),
		cmocka_unit_test(test_beyond_32_bits),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
