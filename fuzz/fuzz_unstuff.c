/* A message of a server, decoded at once, in pieces, and the plain way: all
 * the same.  The first octet cuts the pieces, bit 0 says whether in place. */
#include <stdlib.h>
#include <string.h>

#include "pop3/unstuff.h"
#include "unstuff_plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool truth)
{
	if (!truth)
		abort();
}

/* Each portion is memory of its own, so that a step too far is seen. */
static struct pop3_unstuff_step
portion(struct pop3_unstuff *u, const char *in, size_t n, size_t room,
    char *out, size_t left)
{
	char *from = malloc(n + 1), *to = room == 0 ? from : malloc(room);
	struct pop3_unstuff_step s;

	expect(from != NULL && to != NULL);
	memcpy(from, in, n);
	s = pop3_unstuff(u, from, n, to, room == 0 ? n : room);
	expect(s.used <= n && s.made <= s.used && s.made <= left);
	expect(room == 0 || s.made <= room);
	memcpy(out, to, s.made);
	if (room != 0)
		free(to);
	free(from);
	return s;
}

static struct unstuff_plain
in_pieces(const char *in, size_t n, unsigned seed, char *out)
{
	struct unstuff_plain r = { 0 };
	struct pop3_unstuff u;
	bool in_place = seed % 2 != 0;
	size_t given = 0;

	pop3_unstuff_init(&u);
	while (given < n && !r.ended) {
		struct pop3_unstuff_step s = { .used = 1 };

		given += 1 + (size_t)rand_r(&seed) % (n - given);
		while (!r.ended && s.used != 0) {
			size_t room =
			    in_place ? 0 : 1 + (size_t)rand_r(&seed) % 40;

			s = portion(&u, in + r.used, given - r.used, room,
			    out + r.made, n - r.made);
			r.used += s.used;
			r.made += s.made;
			r.ended = s.ended;
		}
		expect(r.ended || given - r.used <= 3);
	}
	r.octets = u.octets;
	return r;
}

static void
same(const struct unstuff_plain *a, const char *a_out,
    const struct unstuff_plain *b, const char *b_out)
{
	expect(a->ended == b->ended && a->used == b->used &&
	       a->made == b->made && a->octets == b->octets);
	expect(memcmp(a_out, b_out, a->made) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unstuff_plain want, got, whole;
	struct pop3_unstuff_step s;
	struct pop3_unstuff u;
	char *in, *out, *plain;
	size_t n;

	if (size < 1)
		return 0;
	n = size - 1 + 5;
	in = malloc(n);
	out = malloc(n);
	plain = malloc(n);
	expect(in != NULL && out != NULL && plain != NULL);
	memcpy(in, data + 1, size - 1);
	memcpy(in + size - 1, "\r\n.\r\n", 5); /* now it has an end */
	want = unstuff_plain(in, n, plain);
	expect(want.ended);
	got = in_pieces(in, n, data[0], out);
	same(&got, out, &want, plain);
	got = in_pieces(in, want.used - 1, data[0], out);
	expect(!got.ended && memcmp(out, plain, got.made) == 0);

	pop3_unstuff_init(&u);
	s = pop3_unstuff(&u, in, n, in, n);
	whole = (struct unstuff_plain){ s.used, s.made, u.octets, s.ended };
	same(&whole, in, &want, plain);
	free(in);
	free(out);
	free(plain);
	return 0;
}
