/* What moves on the screen while an account is busy, and how fast. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <cmocka.h>

#include "client/report/bar.h"

static const struct visit_progress half = {
	.phase = PHASE_COLLECT,
	.done = 5,
	.total = 10,
	.octets = 500000,
	.octets_total = 1000000,
};

static void
assert_bar(
    const char *expected, const struct pace *pace, uint64_t now, size_t columns)
{
	char text[BAR_LINE];

	assert_string_equal(
	    bar_text(text, "casa", pace, now, columns), expected);
}

static void
what_takes_time_is_named_with_its_seconds(void **state)
{
	struct visit_progress p = { .phase = PHASE_CONNECT };
	struct pace pace;

	pace_init(&pace, 1000);
	assert_bar("casa: getting ready...  0 s", &pace, 1999, 79);
	pace_note(&pace, &p, 3000);
	assert_bar("casa: connecting...  0 s", &pace, 3000, 79);
	pace_note(&pace, &p, 5000);
	assert_bar("casa: connecting...  2 s", &pace, 5000, 79);
	assert_bar("casa:  2 s", &pace, 5000, 19);
}

static void
speed_and_time_left_are_those_of_the_last_seconds(void **state)
{
	struct visit_progress p = half;
	struct pace pace;

	pace_init(&pace, 0);
	p.octets = 0;
	pace_note(&pace, &p, 0);
	for (uint64_t s = 1; s <= 5; s++) {
		p.octets = s * 100000;
		pace_note(&pace, &p, s * 1000);
	}
	assert_bar("casa [############............]  50%  5/10  0:05 left  "
		   "100 kB/s  500 kB",
	    &pace, 5000, 100);
	/* It gets slower. */
	for (uint64_t s = 6; s <= 20; s++) {
		p.octets += 1000;
		pace_note(&pace, &p, s * 1000);
	}
	assert_in_range((int)pace.rate, 1000, 2000);
}

static void
a_silent_server_shows(void **state)
{
	struct visit_progress p = half;
	struct pace pace;

	pace_init(&pace, 0);
	pace_note(&pace, &p, 0);
	p.octets += 1000;
	pace_note(&pace, &p, 1000);
	for (uint64_t s = 2; s <= 4; s++)
		pace_note(&pace, &p, s * 1000);
	assert_bar("casa [############............]  50%  5/10  "
		   "waiting for 3 s  501 kB",
	    &pace, 4000, 100);
}

/* As when a session of another kind follows. */
static void
what_begins_again_is_no_speed_below_nothing(void **state)
{
	struct visit_progress p = half;
	struct pace pace;

	pace_init(&pace, 0);
	pace_note(&pace, &p, 0);
	p.octets = p.done = 0;
	pace_note(&pace, &p, 2000);
	assert_true(pace.rate == 0);
	assert_bar("casa [........................]   0%  0/10  0 B", &pace,
	    2000, 100);
}

static void
no_time_is_too_long_to_be_said(void **state)
{
	struct visit_progress p = half;
	struct pace pace = { .progress = p, .rate = 1e-300 };
	char text[BAR_LINE];

	assert_non_null(
	    strstr(bar_text(text, "casa", &pace, 0, 100), "  99:59:59 left"));
	pace.rate = 100;
	assert_non_null(
	    strstr(bar_text(text, "casa", &pace, 0, 100), "  1:23:20 left"));
	pace.progress.octets = 2000000;
	assert_null(strstr(bar_text(text, "casa", &pace, 0, 100), "left"));
	assert_non_null(strstr(text, " 100%"));
}

static size_t
width(const char *text)
{
	wchar_t wide[BAR_LINE];
	size_t n = mbstowcs(wide, text, BAR_LINE);

	assert_true(n != (size_t)-1);
	return (size_t)wcswidth(wide, n);
}

static void
no_line_is_too_wide(void **state)
{
	static const char *const names[] = { "casa", "caixa de entrada é longa",
		"日本語の受信トレイ" };
	struct pace pace = { .rate = 123456 };
	char text[BAR_LINE];

	for (int phase = PHASE_START; phase <= PHASE_END; phase++)
		for (size_t columns = 19; columns < 160; columns++)
			for (size_t k = 0; k < 6; k++) {
				pace.progress = (struct visit_progress){
					.phase = (enum phase)phase,
					.done = 1234567,
					.total = k % 2 != 0 ? 4000000000 : 0,
					.octets = 999999999999,
					.octets_total = 8e15,
				};
				bar_text(text, names[k / 2], &pace, 86400000,
				    columns);
				assert_in_range(width(text), 1, columns);
				assert_true(text[0] == names[k / 2][0]);
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_takes_time_is_named_with_its_seconds),
		cmocka_unit_test(
		    speed_and_time_left_are_those_of_the_last_seconds),
		cmocka_unit_test(a_silent_server_shows),
		cmocka_unit_test(what_begins_again_is_no_speed_below_nothing),
		cmocka_unit_test(no_time_is_too_long_to_be_said),
		cmocka_unit_test(no_line_is_too_wide),
	};

	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
