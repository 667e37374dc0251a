/* Messages as a client takes them, cut at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "guard.h"
#include "pop3/unstuff.h"
#include "pop3/wire.h"
#include "unstuff_plain.h"

enum { TEXT_MAX = 4096 };

struct result {
	char out[TEXT_MAX];
	size_t used, made;
	uint64_t octets;
	bool ended;
};

/* How the pieces are cut: at `at` (0: nowhere), or by `seed`; decoded in
 * place, or into pieces of memory of their own. */
struct cut {
	size_t at;
	unsigned *seed;
	bool in_place;
	size_t room; /* of each piece of output; 0: as much as there is */
};

/* One portion: what is left of the last one and `more` octets. */
static size_t
step(struct pop3_unstuff *u, const char *in, size_t n, const struct cut *cut,
    struct result *r)
{
	char *from = guard_copy(0, in, n), *to = from;
	size_t room = n;
	struct pop3_unstuff_step s;

	if (!cut->in_place) {
		room = cut->room;
		if (cut->seed != NULL)
			room = (size_t)rand_r(cut->seed) % 7;
		if (room == 0)
			room = n + 1;
		to = guard_room(1, room);
	}
	s = pop3_unstuff(u, from, n, to, room);
	assert_true(s.used <= n && s.made <= room && s.made <= s.used);
	if (!cut->in_place)
		assert_memory_equal(from, in, n);
	/* what is kept back, and nothing else */
	if (s.made < room && !s.ended)
		assert_true(s.used == n ||
			    (n - s.used <= 3 &&
				(in[s.used] == '\r' || in[s.used] == '.')));
	assert_true(s.odd == 0 || (!s.ended && s.odd == n - s.used));
	assert_true(r->made + s.made <= TEXT_MAX);
	memcpy(r->out + r->made, to, s.made);
	r->made += s.made;
	r->used += s.used;
	r->ended = s.ended;
	return s.made < room ? 0 : s.used;
}

static void
decode(const char *in, size_t n, const struct cut *cut, struct result *r)
{
	struct pop3_unstuff u;
	size_t given = cut->at != 0 ? cut->at : cut->seed != NULL ? 0 : n;

	memset(r, 0, sizeof(*r));
	pop3_unstuff_init(&u);
	for (;;) {
		while (!r->ended &&
		       step(&u, in + r->used, given - r->used, cut, r) != 0) {
		}
		if (r->ended || given == n)
			break;
		given =
		    cut->seed == NULL
			? n
			: given + 1 + (size_t)rand_r(cut->seed) % (n - given);
	}
	r->octets = u.octets;
}

static void
check(const char *in, size_t n, const struct cut *cut, const char *out,
    size_t made, uint64_t octets, size_t used)
{
	struct result r;

	decode(in, n, cut, &r);
	assert_true(r.ended);
	assert_int_equal(r.used, used);
	assert_int_equal(r.made, made);
	if (made != 0)
		assert_memory_equal(r.out, out, made);
	assert_int_equal(r.octets, octets);
}

/* At once, cut at each place, at random ones, with each size of output. */
static void
check_all(const char *in, size_t n, const char *out, size_t made,
    uint64_t octets, size_t used)
{
	unsigned seed = 7;

	for (size_t at = 0; at < n; at++)
		for (size_t room = 0; room < 5; room++)
			check(in, n, &(struct cut){ .at = at, .room = room },
			    out, made, octets, used);
	for (size_t at = 0; at < n; at++)
		check(in, n, &(struct cut){ .at = at, .in_place = true }, out,
		    made, octets, used);
	for (unsigned i = 0; i < 100; i++)
		check(in, n,
		    &(struct cut){ .seed = &seed, .in_place = i % 2 != 0 }, out,
		    made, octets, used);
}

struct row {
	const char *wire;
	size_t n;
	const char *want;
	size_t want_n;
	uint64_t octets;
	size_t behind; /* octets of the wire that are not the message's */
};

#define ROW(wire, want, octets, behind) \
	{ \
		wire, sizeof(wire) - 1, want, sizeof(want) - 1, octets, \
		    sizeof(behind) - 1 \
	}

/* C-1939-01, C-ENG-17, C-ENG-33, M-35 */
static const struct row table[] = {
	ROW(".\r\n", "", 0, ""),
	ROW(".\n", "", 0, ""),
	ROW(".\r\n+OK\r\n", "", 0, "+OK\r\n"),
	ROW("A: b\r\n\r\nhi\r\n.\r\n", "A: b\n\nhi\n", 12, ""),
	ROW("a\r\n.\r\n.\r\n", "a\n", 3, ".\r\n"),
	/* one dot goes, whatever is behind it */
	ROW("..\r\n.\r\n", ".\n", 3, ""),
	ROW("...\r\n..x\r\n.y\r\n.\r\n", "..\n.x\ny\n", 11, ""),
	ROW(". \r\n.\r\n", " \n", 3, ""),
	ROW("a.\r\nb..\r\n.\r\n", "a.\nb..\n", 9, ""),
	ROW(".\0\r\n.\r\n", "\0\n", 3, ""),
	/* a CR that no LF follows is an octet, and no line's end */
	ROW("a\rb\r\n.\r\n", "a\rb\n", 5, ""),
	ROW("a\r.\r\n.\r\n", "a\r.\n", 5, ""),
	ROW("a\r.\rb\r\n.\r\n", "a\r.\rb\n", 7, ""),
	ROW("\r\r\n.\r\n", "\r\n", 3, ""),
	ROW("x\r\r\r\n.\r\n", "x\r\r\n", 5, ""),
	ROW("\r.\r\n.\r\n", "\r.\n", 4, ""),
	ROW(".\r\r\n.\r\n", "\r\n", 3, ""),
	ROW(".\rx\r\n.\r\n", "\rx\n", 4, ""),
	ROW("\r\n\r\n.\r\n", "\n\n", 4, ""),
	/* a bare LF among CRLF ends nothing */
	ROW("a\r\nb\n.\nc\r\n.\r\n", "a\nb\n.\nc\n", 10, ""),
	ROW("a\r\nb\n.\r\nc\r\n.\r\n", "a\nb\n.\nc\n", 11, ""),
	ROW("a\r\n\n.\r\n.\r\n", "a\n\n.\n", 7, ""),
	ROW("a\r\n.\nc\r\n.\r\n", "a\n\nc\n", 7, ""),
	ROW("a\r\n.\n\r\n.\r\n", "a\n\n\n", 6, ""),
	ROW("a\r\nb\n..c\r\n.\r\n", "a\nb\n..c\n", 10, ""),
	/* a server that knows bare LF only */
	ROW("a\nb\n.\n", "a\nb\n", 6, ""),
	ROW("a\n..b\n.c\n\r.\n.\n+OK\n", "a\n.b\nc\n\r.\n", 14, "+OK\n"),
	ROW("\n.\n", "\n", 2, ""),
	ROW("a\nb\r\n.\r\n", "a\nb\n", 6, ""),
	ROW("a\r\rb\nc\r.\n.\n", "a\r\rb\nc\r.\n", 11, ""),
	/* NUL and octets over 127 */
	ROW("\0.\r\n\0\xff\r\n.\r\n", "\0.\n\0\xff\n", 8, ""),
};

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct row *r = &table[i];
		char out[TEXT_MAX];
		struct unstuff_plain p = unstuff_plain(r->wire, r->n, out);

		check_all(r->wire, r->n, r->want, r->want_n, r->octets,
		    r->n - r->behind);
		/* what the random tests trust */
		assert_true(p.ended);
		assert_int_equal(p.used, r->n - r->behind);
		assert_int_equal(p.octets, r->octets);
		assert_int_equal(p.made, r->want_n);
		assert_memory_equal(out, r->want, r->want_n);
	}
}

/* C-ENG-17: no end is no end, and what was made is the beginning of it. */
static void
test_no_end(void **state)
{
	static const char *const texts[] = { "", ".", ".\r", "a", "a\r\n",
		"a\r\n.", "a\r\n.\r", "a\r\n.\n", "a\r\nb\n.\n", "a\r\n..\r\n",
		"a\r.\r\n", "a\r\n.x\r\n", ".\r.\r\n", "a\n.\r", "\r.\r\n" };
	unsigned seed = 8;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (unsigned k = 0; k < 50; k++) {
			struct cut cut = { .seed = k == 0 ? NULL : &seed };
			struct result r;

			decode(texts[i], strlen(texts[i]), &cut, &r);
			assert_false(r.ended);
		}
}

/* A line of one "." that may be the end is left while nothing is behind it; what
 * is behind it says that it is text. */
static void
test_odd_dot(void **state)
{
	static const struct {
		const char *wire, *made;
		size_t odd;
	} rows[] = {
		{ "a\r\nb\n.\r\n", "a\nb\n", 3 },
		{ "a\r\nb\n.\n", "a\nb\n", 2 },
		{ "a\r\n.\n", "a\n", 2 },
		{ "a\r\nb\n\n.\r\n", "a\nb\n\n", 3 },
		{ "a\r\nb\n.\r\nc\n.\r\n", "a\nb\n.\nc\n", 3 },
		/* not alone, or not at the end */
		{ "a\r\nb\n..\r\n", "a\nb\n..\n", 0 },
		{ "a\r\nb\n.\r\r\n", "a\nb\n.\r\n", 0 },
		{ "a\r\nb.\r\n", "a\nb.\n", 0 },
		{ "a\r\nb\r.\r\n", "a\nb\r.\n", 0 },
		{ "a\r\nb\n.\r\nc", "a\nb\n.\nc", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].wire);
		char *in = guard_copy(0, rows[i].wire, n);
		struct pop3_unstuff_step s;
		struct pop3_unstuff u;

		pop3_unstuff_init(&u);
		s = pop3_unstuff(&u, in, n, in, n);
		assert_false(s.ended);
		assert_int_equal(s.odd, rows[i].odd);
		assert_int_equal(s.used, n - s.odd);
		assert_int_equal(s.made, strlen(rows[i].made));
		assert_memory_equal(in, rows[i].made, s.made);
		assert_int_equal(
		    u.odd_dot, strstr(rows[i].made, "\n.\n") != NULL);
	}
}

static size_t
odd_text(char *text, size_t max, unsigned *seed)
{
	static const char *const some[] = { ".", ".", "\r", "\n", "\r\n",
		"\r\n", "\r\n.", "a", "bc", "\xff" };
	size_t n = 0;

	max = (size_t)rand_r(seed) % max;
	while (n < max) {
		const char *s =
		    some[(size_t)rand_r(seed) % (sizeof(some) / sizeof(*some))];

		memcpy(text + n, s, strlen(s));
		n += strlen(s);
	}
	return n;
}

/* Any octets, against the plain way. */
static void
test_random(void **state)
{
	char text[100], want[100];
	unsigned seed = 9;

	(void)state;
	for (unsigned k = 0; k < 40000; k++) {
		size_t n = odd_text(text, 60, &seed);
		struct cut cut = { .seed = &seed, .in_place = k % 2 != 0 };
		struct unstuff_plain p;
		struct result r;

		memcpy(text + n, "\r\n.\r\n", 5);
		n += 5;
		p = unstuff_plain(text, n, want);
		assert_true(p.ended);
		check(text, n, &cut, want, p.made, p.octets, p.used);
		/* cut before its end it has none */
		decode(text, (size_t)rand_r(&seed) % p.used, &cut, &r);
		assert_false(r.ended);
		assert_true(r.made <= p.made);
		assert_memory_equal(r.out, want, r.made);
	}
}

/* What pop3/wire.c sends of a stored message is that message with LF at each
 * line's end, and its size what LIST said. */
static void
test_round_trip(void **state)
{
	char stored[100], want[200], wire[TEXT_MAX];
	unsigned seed = 10;

	(void)state;
	for (unsigned k = 0; k < 20000; k++) {
		size_t n = odd_text(stored, 90, &seed), want_n = 0, wire_n;
		struct pop3_wire w;

		for (size_t i = 0; i < n; i++)
			if (stored[i] != '\r' || i + 1 == n ||
			    stored[i + 1] != '\n')
				want[want_n++] = stored[i];
		if (n != 0 && stored[n - 1] != '\n')
			want[want_n++] = '\n';
		pop3_wire_init(&w, POP3_ALL_LINES);
		wire_n = pop3_wire_encode(
		    &w, stored, n, wire, sizeof(wire) - POP3_WIRE_END)
			     .made;
		wire_n += pop3_wire_end(&w, wire + wire_n);
		check(wire, wire_n,
		    &(struct cut){ .seed = &seed, .in_place = k % 2 != 0 },
		    want, want_n, pop3_wire_size(&w), wire_n);
	}
}

static void
test_long_line(void **state)
{
	size_t n = GUARD_ROOM;
	char *in = guard_room(0, n);
	struct pop3_unstuff_step s;
	struct pop3_unstuff u;

	(void)state;
	memset(in, 'x', n);
	memcpy(in + n - 5, "\r\n.\r\n", 5);
	pop3_unstuff_init(&u);
	s = pop3_unstuff(&u, in, n, in, n);
	assert_true(s.ended);
	assert_int_equal(s.used, n);
	assert_int_equal(s.made, n - 4);
	assert_int_equal(u.octets, n - 3);
}

/* With little room a long line is not searched for its end each time: what is
 * behind the room cannot be read here. */
static void
test_little_room(void **state)
{
	struct pop3_unstuff_step s;
	struct pop3_unstuff u;
	char out[16];

	(void)state;
	pop3_unstuff_init(&u);
	s = pop3_unstuff(&u, guard_copy(0, "0123456789abcdefg", 17), 1 << 20,
	    out, sizeof(out));
	assert_int_equal(s.used, 16);
	assert_int_equal(s.made, 16);
}

/* More than 4 GiB. */
static void
test_beyond_32_bits(void **state)
{
	size_t n = 1 << 16;
	char *in = guard_room(0, n), *out = guard_room(1, n);
	struct pop3_unstuff u;

	(void)state;
	memset(in, 'x', n);
	memcpy(in + n - 2, "\r\n", 2);
	pop3_unstuff_init(&u);
	for (unsigned i = 0; i < 5 << 14; i++)
		pop3_unstuff(&u, in, n, out, n);
	assert_true(u.octets == 5ULL << 30);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_no_end),
		cmocka_unit_test(test_odd_dot),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_little_room),
		cmocka_unit_test(test_beyond_32_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
