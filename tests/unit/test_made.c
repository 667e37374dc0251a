/*
 * Messages that the store makes: compressed ones, in sealed memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <cmocka.h>

#include "drop.h"
#include "server/store/made.h"

enum { LARGE = 5 << 20 };

static int
setup(void **state)
{
	static struct drop_fixture f;

	fixture_init(&f);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	fixture_clear(*state);
	return 0;
}

static void
open_with(struct drop_fixture *f, const char *file, const char *text, size_t n)
{
	if (!fixture_put_gzip(f, file, text, n))
		skip();
}

static void
give_back(struct hold_message *m)
{
	close(m->fd);
	made_return(m->made);
}

/* Not on the loop, and not on a thread that is for what is quick. */
static void
test_pace(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_message m[2] = { { .msgno = 1 }, { .msgno = 2 } };
	size_t n = 2;
	struct drop_entry *v;

	fixture_put(f, "new/1.a", "plain\n");
	open_with(f, "new/2.b,S=14,W=99", "packed\nx\r\n.\n.\n", 14);
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(v[1].wire, 17);
	free(v);
	assert_false(maildir_kind.fetch(f->drop, PACE_NOW, m, &n));
	assert_false(maildir_kind.fetch(f->drop, PACE_QUICK, m, &n));
	assert_int_equal(m[0].status, FETCH_FAILED);
	assert_int_equal(m[0].fd, -1);
	fixture_fetch(f, m, 2);
	assert_int_equal(m[0].made, 0);
	assert_int_equal(m[1].made, 14);
	assert_int_equal(m[1].stored, 14);
	assert_int_equal(m[1].wire, 17);
	assert_false(f->drop->doubted);
	give_back(&m[0]);
	give_back(&m[1]);
}

/* Who gets it may read it and nothing else. */
static void
test_sealed(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_message m = { .msgno = 1 };
	char got[16] = "";

	open_with(f, "new/1.a", "packed\n", 7);
	fixture_must_open(f);
	fixture_fetch(f, &m, 1);
	assert_int_equal(m.status, FETCH_OK);
	assert_int_equal(pread(m.fd, got, sizeof(got), 0), 7);
	assert_string_equal(got, "packed\n");
	assert_int_equal(pwrite(m.fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(pwrite(m.fd, "x", 1, 7), -1);
	assert_int_equal(ftruncate(m.fd, 1), -1);
	assert_int_equal(fcntl(m.fd, F_ADD_SEALS, 0), -1);
	give_back(&m);
}

/* Of several large ones the first only: the rest is asked for again. */
static void
test_ahead(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_message m[3] = { { .msgno = 1 }, { .msgno = 2 },
		{ .msgno = 3 } };
	char *text = malloc(LARGE);
	size_t n = 3;

	assert_non_null(text);
	memset(text, 'x', LARGE);
	open_with(f, "new/1.a", "small\n", 6);
	open_with(f, "new/2.b", text, LARGE);
	open_with(f, "new/3.c", text, LARGE);
	free(text);
	fixture_must_open(f);
	assert_true(maildir_kind.fetch(f->drop, PACE_SLOW, m, &n));
	assert_int_equal(n, 2);
	assert_int_equal(m[2].fd, -1);
	give_back(&m[0]);
	give_back(&m[1]);
}

/* It was a message when it was listed, and is damaged now. */
static void
test_damaged(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_message m[2] = { { .msgno = 1 }, { .msgno = 2 } };

	open_with(f, "new/1.a", "packed\n", 7);
	fixture_put(f, "new/2.b", "plain\n");
	fixture_must_open(f);
	fixture_put(f, "new/1.a", "\x1f\x8b and more");
	fixture_fetch(f, m, 2);
	assert_int_equal(m[0].status, FETCH_FAILED);
	assert_int_equal(m[0].fd, -1);
	assert_int_equal(m[0].made, 0);
	assert_int_equal(m[1].status, FETCH_OK);
	close(m[1].fd);
}

/* All of them together are limited; what is given back can be used again. */
static void
test_limit(void **state)
{
	enum { PIECE = 1 << 20 };
	struct errbuf eb = { .text = "" };
	struct made m, other;
	struct sysinfo si;
	char *text = calloc(1, PIECE);

	assert_non_null(text);
	assert_int_equal(sysinfo(&si), 0);
	if ((uint64_t)si.freeram * si.mem_unit < 2 * MADE_MAX)
		skip();
	assert_int_equal(made_begin(&m, &eb), E_OK);
	for (uint64_t n = 0; n < MADE_MAX; n += PIECE)
		assert_int_equal(made_put(&m, text, PIECE, &eb), E_OK);
	assert_int_equal(made_begin(&other, &eb), E_OK);
	assert_int_equal(made_put(&other, text, 1, &eb), E_NOMEM);
	assert_non_null(strstr(eb.text, "too much memory"));
	made_drop(&other);
	made_drop(&m);
	assert_int_equal(made_begin(&m, &eb), E_OK);
	assert_int_equal(made_put(&m, text, PIECE, &eb), E_OK);
	assert_int_equal(made_end(&m, &eb), E_OK);
	made_drop(&m);
	free(text);
}

/* Pieces of all sizes are one message. */
static void
test_pieces(void **state)
{
	static const size_t size[] = { 1, 65535, 1, 65536, 0, 3, 65537, 200000,
		65533, 4, 7 };
	struct errbuf eb = { .text = "" };
	static char text[600000], got[600000];
	struct made m;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 251);
	assert_int_equal(made_begin(&m, &eb), E_OK);
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); n += size[i++])
		assert_int_equal(made_put(&m, text + n, size[i], &eb), E_OK);
	assert_int_equal(made_end(&m, &eb), E_OK);
	assert_int_equal(m.octets, n);
	assert_int_equal(pread(m.fd, got, sizeof(got), 0), n);
	assert_memory_equal(got, text, n);
	made_drop(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_pace),
		T(test_sealed),
		T(test_ahead),
		T(test_damaged),
		T(test_limit),
		T(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
