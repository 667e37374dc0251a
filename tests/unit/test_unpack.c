/*
 * Compressed messages of every format that this build has: what comes out, and
 * what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/store/unpack/unpack.h"

#ifdef HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef HAVE_LZ4
#include <lz4.h>
#endif
#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

enum { ROOM = 1 << 20 };

/* Returns how many octets it has written into out, of which there are ROOM. */
typedef size_t (*pack)(const uint8_t *in, size_t n, uint8_t *out);

#ifdef HAVE_ZLIB
static size_t
pack_gzip(const uint8_t *in, size_t n, uint8_t *out)
{
	z_stream z;

	memset(&z, 0, sizeof(z));
	assert_int_equal(
	    deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
	    Z_OK);
	z.next_in = (uint8_t *)(uintptr_t)in;
	z.avail_in = (unsigned)n;
	z.next_out = out;
	z.avail_out = ROOM;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}
#endif

#ifdef HAVE_BZIP2
static size_t
pack_bzip2(const uint8_t *in, size_t n, uint8_t *out)
{
	unsigned out_n = ROOM;

	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)out, &out_n,
			     (char *)(uintptr_t)in, (unsigned)n, 9, 0, 0),
	    BZ_OK);
	return out_n;
}
#endif

#ifdef HAVE_LZMA
static size_t
pack_xz(const uint8_t *in, size_t n, uint8_t *out)
{
	size_t out_n = 0;

	assert_int_equal(lzma_easy_buffer_encode(3, LZMA_CHECK_CRC64, NULL, in,
			     n, out, &out_n, ROOM),
	    LZMA_OK);
	return out_n;
}
#endif

#ifdef HAVE_ZSTD
static size_t
pack_zstd(const uint8_t *in, size_t n, uint8_t *out)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();
	size_t out_n;

	assert_non_null(z);
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
	out_n = ZSTD_compress2(z, out, ROOM, in, n);
	assert_false(ZSTD_isError(out_n));
	ZSTD_freeCCtx(z);
	return out_n;
}
#endif

#ifdef HAVE_LZ4
enum { CHUNK = 64 * 1024 };

static void
put_length(uint8_t *p, size_t n)
{
	p[0] = (uint8_t)(n >> 24);
	p[1] = (uint8_t)(n >> 16);
	p[2] = (uint8_t)(n >> 8);
	p[3] = (uint8_t)n;
}

static size_t
pack_lz4(const uint8_t *in, size_t n, uint8_t *out)
{
	size_t at = UNPACK_MAGIC;

	memcpy(out, "Dovecot-LZ4\x0d\x2a\x9b\xc5", at);
	put_length(out + at, CHUNK);
	at += 4;
	while (n > 0) {
		size_t part = n < CHUNK ? n : CHUNK;
		int made = LZ4_compress_default((const char *)in,
		    (char *)out + at + 4, (int)part, (int)(ROOM - at - 4));

		assert_true(made > 0);
		put_length(out + at, (size_t)made);
		at += 4 + (size_t)made;
		in += part;
		n -= part;
	}
	return at;
}
#endif

static const struct row {
	const char *name;
	pack pack;
	bool joins; /* one stream may follow another */
	bool sums;  /* damage never goes unseen */
} rows[] = {
#ifdef HAVE_ZLIB
	{ "gzip", pack_gzip, true, true },
#endif
#ifdef HAVE_BZIP2
	{ "bzip2", pack_bzip2, true, true },
#endif
#ifdef HAVE_LZMA
	{ "xz", pack_xz, true, true },
#endif
#ifdef HAVE_ZSTD
	{ "zstd", pack_zstd, true, true },
#endif
#ifdef HAVE_LZ4
	{ "lz4", pack_lz4, false, false },
#endif
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

#define EACH(r) (const struct row *r = rows; r < rows + ROWS; r++)

/* What came out. */
struct got {
	uint8_t *p;
	size_t n, room;
	uint64_t total;
};

static struct got got;
static uint8_t *packed, *text;

static enum err
put(void *arg, const void *p, size_t n, struct errbuf *eb)
{
	struct got *g = arg;

	if (n <= g->room - g->n) {
		memcpy(g->p + g->n, p, n);
		g->n += n;
	}
	g->total += n;
	return E_OK;
}

/* As a file of n octets of which the store was told that it has `stored`. */
static enum err
try_as(const uint8_t *p, size_t n, uint64_t stored, struct errbuf *eb)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	const struct unpack_format *f = unpack_find(p, n);
	enum err e;

	got.n = 0;
	got.total = 0;
	assert_non_null(f);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	e = unpack(f, fd, stored, put, &got, eb);
	close(fd);
	return e;
}

static enum err
try(const uint8_t *p, size_t n)
{
	struct errbuf eb = { .text = "" };
	enum err e = try_as(p, n, n, &eb);

	assert_true(e == E_OK || eb.text[0] != '\0');
	return e;
}

static void
expect(const uint8_t *p, size_t n)
{
	assert_int_equal(got.total, n);
	assert_int_equal(got.n, n);
	assert_memory_equal(got.p, p, n);
}

static int
setup(void **state)
{
	uint32_t seed = 7;

	packed = malloc(2 * ROOM);
	text = malloc(ROOM);
	got = (struct got){ .p = malloc(ROOM), .room = ROOM };
	for (size_t i = 0; i < ROOM; i++) {
		seed = seed * 1664525 + 1013904223;
		text[i] = (uint8_t)(i / 1000 % 3 == 2 ? seed >> 24
						      : 'a' + i % 60 / 3);
	}
	return packed != NULL && text != NULL && got.p != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	free(packed);
	free(text);
	free(got.p);
	return 0;
}

/* Mail, also of no octet at all, and of as many as a piece has. */
static void
test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 65535, 65536, 65537, 131072,
		300000 };

	for
		EACH(r)
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = r->pack(text, sizes[i], packed);

		assert_int_equal(try(packed, n), E_OK);
		expect(text, sizes[i]);
	}
}

/* Octets that do not become fewer. */
static void
test_noise(void **state)
{
	uint8_t *noise = malloc(200000);
	uint32_t seed = 1;

	assert_non_null(noise);
	for (size_t i = 0; i < 200000; i++) {
		seed = seed * 1664525 + 1013904223;
		noise[i] = (uint8_t)(seed >> 24);
	}
	for
		EACH(r)
		{
			assert_int_equal(
			    try(packed, r->pack(noise, 200000, packed)), E_OK);
			expect(noise, 200000);
		}
	free(noise);
}

static void
test_joined(void **state)
{
	for
		EACH(r)
		{
			size_t n = r->pack(text, 70000, packed);

			n += r->pack(text + 70000, 500, packed + n);
			if (r->joins) {
				assert_int_equal(try(packed, n), E_OK);
				expect(text, 70500);
			} else {
				assert_int_equal(try(packed, n), E_FORMAT);
			}
		}
}

/* LZ4's chunks say nothing of their number: a file that ends behind one of
 * them is whole. */
static void
test_cut_off(void **state)
{
	for
		EACH(r)
		{
			size_t n = r->pack(text, 500, packed);
			size_t head = r->sums ? 10 : UNPACK_MAGIC;

			for (size_t cut = head; cut < n; cut++) {
				enum err e = try(packed, cut);

				assert_true(
				    e == E_FORMAT ||
				    (!r->sums && cut == UNPACK_MAGIC + 4));
			}
			/* It became shorter after it was looked at. */
			assert_int_equal(
			    try_as(packed, n - 1, n, &(struct errbuf){ 0 }),
			    E_FORMAT);
		}
}

static void
test_damaged(void **state)
{
	for
		EACH(r)
		{
			size_t n = r->pack(text, 700, packed);

			for (size_t bit = UNPACK_MAGIC * 8; bit < n * 8;
			     bit++) {
				enum err e;

				packed[bit / 8] ^= (uint8_t)(1u << bit % 8);
				e = try(packed, n);
				if (e == E_OK && r->sums)
					expect(text, 700);
				packed[bit / 8] ^= (uint8_t)(1u << bit % 8);
			}
			memcpy(packed + n, "rest", 4);
			assert_int_equal(try(packed, n + 4), E_FORMAT);
		}
}

/* Nothing but one octet, again and again. */
static size_t
pack_bomb(const struct row *r, size_t mebibytes)
{
	size_t n = 0, one;

	memset(text, 'x', ROOM);
	one = r->pack(text, ROOM, packed);
	for (size_t i = 0; i < mebibytes && n + one <= 2 * ROOM; i++, n += one)
		memmove(packed + n, packed, one);
	return n;
}

/* A small file that becomes large; and a large one that becomes too large. */
static void
test_bomb(void **state)
{
	struct errbuf eb;

	for
		EACH(r)
		{
			size_t n = r->joins ? pack_bomb(r, 200) : 0;
			uint64_t most =
			    UNPACK_FREE + (uint64_t)n * UNPACK_RATIO;

			if (!r->joins)
				continue; /* at most 255 times its size */
			assert_int_equal(try_as(packed, n, n, &eb), E_FORMAT);
			assert_non_null(strstr(eb.text, "too large"));
			assert_true(
			    got.total <= most && got.total <= UNPACK_MAX);
			n = pack_bomb(r, 15);
			assert_int_equal(try(packed, n), E_OK);
			assert_int_equal(got.total, 15u << 20);
		}
}

#ifdef HAVE_LZMA
/* A dictionary of 4 GiB: the head of the first block says so, behind the
 * number of the filter and the length of what it is told. */
static void
test_much_memory(void **state)
{
	enum { BLOCK = 12 };
	size_t n = pack_xz(text, 1000, packed);
	uint8_t *head = packed + BLOCK;
	size_t head_n = (head[0] + 1u) * 4;
	uint8_t *filter = memmem(head + 2, head_n, "\x21\x01", 2);
	struct errbuf eb;
	uint32_t sum;

	assert_non_null(filter);
	filter[2] = 40;
	sum = lzma_crc32(head, head_n - 4, 0);
	for (unsigned i = 0; i < 4; i++)
		head[head_n - 4 + i] = (uint8_t)(sum >> 8 * i);
	assert_int_equal(try_as(packed, n, n, &eb), E_FORMAT);
	assert_non_null(strstr(eb.text, "too much memory"));
}
#endif

#ifdef HAVE_LZ4
/* A chunk larger than any that Dovecot writes, or of nothing. */
static void
test_lz4_lengths(void **state)
{
	size_t n = pack_lz4(text, 1000, packed);

	put_length(packed + UNPACK_MAGIC, CHUNK + 1);
	assert_int_equal(try(packed, n), E_FORMAT);
	put_length(packed + UNPACK_MAGIC, CHUNK);
	put_length(packed + UNPACK_MAGIC + 4, 0);
	assert_int_equal(try(packed, n), E_FORMAT);
	put_length(packed + UNPACK_MAGIC + 4, UINT32_MAX);
	assert_int_equal(try(packed, n), E_FORMAT);
}
#endif

/* What is mail is not taken for something else. */
static void
test_plain(void **state)
{
	static const char *const plain[] = { "", "\x1f", "From: a\n", "BZh",
		"BZh9 is how bzip2 begins", "BZh:1AY&SY", "\x28\xb5\x2f",
		"Dovecot-LZ4", "\xfd\x37zXZ" };

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		assert_null(unpack_find(plain[i], strlen(plain[i])));
}

/* A format that this build cannot read is found and refused. */
static void
test_missing(void **state)
{
	static const char *const magic[] = { "\x1f\x8b", "BZh91AY&SY",
		"\xfd\x37zXZ", "\x28\xb5\x2f\xfd",
		"Dovecot-LZ4\x0d\x2a\x9b\xc5", "CRYPTED\x03\x07" };
	unsigned missing = 0;

	for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
		struct errbuf eb;
		char file[16] = "";

		memcpy(file, magic[i], strlen(magic[i]));
		if (try_as((uint8_t *)file, 16, 16, &eb) == E_FORMAT &&
		    strstr(eb.text, "cannot read") != NULL)
			missing++;
	}
	assert_int_equal(missing + ROWS, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_noise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_joined, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bomb, setup, teardown),
#ifdef HAVE_LZMA
		cmocka_unit_test_setup_teardown(
		    test_much_memory, setup, teardown),
#endif
#ifdef HAVE_LZ4
		cmocka_unit_test_setup_teardown(
		    test_lz4_lengths, setup, teardown),
#endif
		cmocka_unit_test(test_plain),
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
