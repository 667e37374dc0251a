/*
 * A maildrop of 100,000 messages (S-ENG-35).  Times are only told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "drop.h"

enum { MESSAGES = 100000, LINKS = 50000, WINDOW = 32 };

static void
tell(const char *what, uint64_t since)
{
	printf(
	    "%-40s %6llu ms\n", what, (unsigned long long)(clock_ms() - since));
}

/* Links of few files: ext4 allows 65,000 to one. */
static void
fill(struct drop_fixture *f)
{
	char from[256], to[256];

	for (unsigned i = 0; i < MESSAGES; i++) {
		snprintf(to, sizeof(to), "%s/cur/%u.m,S=8:2,S", f->path,
		    1000000 + i);
		if (i % LINKS == 0) {
			snprintf(from, sizeof(from), "cur/%u.m,S=8:2,S",
			    1000000 + i);
			fixture_put(f, from, "A: b\n\nx\n");
			strcpy(from, to);
		} else {
			assert_int_equal(link(from, to), 0);
		}
	}
}

static void
fetch_all(struct drop_fixture *f)
{
	struct hold_message m[WINDOW];

	for (uint32_t i = 1; i + WINDOW - 1 <= MESSAGES; i += WINDOW) {
		for (uint32_t k = 0; k < WINDOW; k++)
			m[k] = (struct hold_message){ .msgno = i + k };
		fixture_fetch(f, m, WINDOW);
		for (uint32_t k = 0; k < WINDOW; k++) {
			assert_int_equal(m[k].status, FETCH_OK);
			close(m[k].fd);
		}
	}
}

static void
test_large(void **state)
{
	uint32_t *remove = calloc(MESSAGES / 2 + 1, sizeof(*remove));
	struct drop_fixture f;
	struct hold_commit c;
	uint64_t t;

	(void)state;
	assert_non_null(remove);
	fixture_init(&f);
	f.conf.log_removed = false;
	fill(&f);
	t = clock_ms();
	fixture_must_open(&f);
	tell("first open", t);
	assert_int_equal(f.o.count, MESSAGES);
	fixture_close(&f);
	fixture_settle();
	t = clock_ms();
	fixture_must_open(&f);
	tell("second open, times are recorded", t);
	fixture_close(&f);
	t = clock_ms();
	assert_int_equal(fixture_open(&f, true), E_OK);
	tell("third open, nothing has changed", t);
	fixture_close(&f);
	fixture_put(&f, "new/2000000.n", "x\n");
	t = clock_ms();
	fixture_must_open(&f);
	tell("open with one new message", t);
	assert_int_equal(f.o.count, MESSAGES + 1);
	t = clock_ms();
	fetch_all(&f);
	tell("opening each message, 32 at a time", t);
	for (uint32_t i = 0; i < MESSAGES / 2; i++)
		remove[i] = 2 * i + 1;
	t = clock_ms();
	c = fixture_commit(&f, remove, NULL);
	tell("removing 50,000", t);
	assert_int_equal(c.removed, MESSAGES / 2);
	t = clock_ms();
	assert_int_equal(fixture_open(&f, true), E_OK);
	tell("open after that", t);
	assert_int_equal(f.o.count, MESSAGES / 2 + 1);
	fixture_clear(&f);
	free(remove);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
