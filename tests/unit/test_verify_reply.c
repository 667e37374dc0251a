/*
 * What the process of one question says: it runs what others wrote.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/helper/verify_reply.h"

#define TAKE(a, text) verify_reply_take(a, text, sizeof(text) - 1)

static void
test_there_and_back(void **state)
{
	static char home[] = "/home/ann";
	struct verify_answer said = { .result = LOOKUP_FOUND,
		.why = { "expired" } };
	struct verify_answer is;
	char text[VERIFY_REPLY_MAX];
	ssize_t n;
	int fd[2];

	assert_int_equal(db_row_put(&said.row, "home", home, 9, NULL), E_OK);
	assert_int_equal(db_row_put(&said.row, "uid", "", 0, NULL), E_OK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	assert_int_equal(verify_reply_send(fd[0], &said), E_OK);
	n = recv(fd[1], text, sizeof(text), 0);
	assert_true(n > 0);
	verify_reply_take(&is, text, (size_t)n);
	assert_int_equal(is.result, LOOKUP_FOUND);
	assert_string_equal(is.why.text, "expired");
	assert_int_equal(is.row.n, 2);
	assert_string_equal(is.row.column[0].name, "home");
	assert_int_equal(is.row.column[0].value_n, strlen(home));
	assert_memory_equal(is.row.column[0].value, home, strlen(home));
	assert_int_equal(is.row.column[1].value_n, 0);
	db_row_clear(&is.row);
	db_row_clear(&said.row);
	close(fd[0]);
	close(fd[1]);
}

/* What does not fit is not said, and nothing of it. */
static void
test_too_long(void **state)
{
	static char home[VERIFY_REPLY_MAX];
	struct verify_answer a = { .result = LOOKUP_FOUND };
	int fd[2];
	char c;

	memset(home, 'x', sizeof(home));
	assert_int_equal(
	    db_row_put(&a.row, "home", home, sizeof(home), NULL), E_OK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	assert_int_equal(verify_reply_send(fd[0], &a), E_IO);
	assert_int_equal(recv(fd[1], &c, 1, MSG_DONTWAIT), -1);
	db_row_clear(&a.row);
	close(fd[0]);
	close(fd[1]);
}

static void
assert_nonsense(const char *text, size_t n)
{
	struct verify_answer a;

	verify_reply_take(&a, text, n);
	assert_int_equal(a.result, LOOKUP_FAILED);
	assert_int_equal(a.row.n, 0);
	assert_string_equal(a.why.text, "what it says makes no sense");
}

static void
test_nonsense(void **state)
{
	static char many[1 + 1 + 4 * (ROW_COLUMNS_MAX + 1)];
	struct verify_answer a;

	assert_nonsense("", 0);
	assert_nonsense("\0", 1);
	assert_nonsense("\4\0", 2);
	assert_nonsense("\377\0", 2);
	assert_nonsense("\204\0", 2);
	assert_nonsense("\0why", 4);
	assert_nonsense("\0\0home", 6);
	assert_nonsense("\0\0home\0", 7);
	assert_nonsense("\0\0home\0/home", 12);
	assert_nonsense("\0\0uid\0"
			"0\0home\0",
	    13);
	assert_nonsense("nonsense", 8);
	memset(many + 2, 'x', sizeof(many) - 2);
	for (size_t i = 3; i < sizeof(many); i += 2)
		many[i] = '\0';
	assert_nonsense(many, sizeof(many));
	verify_reply_take(&a, many, sizeof(many) - 4);
	assert_int_equal(a.row.n, ROW_COLUMNS_MAX);
	db_row_clear(&a.row);
	TAKE(&a, "\0\0");
	assert_int_equal(a.result, LOOKUP_FOUND);
	assert_int_equal(a.row.n, 0);
	TAKE(&a, "\3\0");
	assert_int_equal(a.result, LOOKUP_WRONG);
}

/* Only who says so may be asked again, and what makes no sense does not say it. */
static void
test_ask_again(void **state)
{
	struct verify_answer said = { .result = LOOKUP_WRONG,
		.ask_again = true };
	struct verify_answer is;
	char text[8];
	ssize_t n;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	assert_int_equal(verify_reply_send(fd[0], &said), E_OK);
	n = recv(fd[1], text, sizeof(text), 0);
	verify_reply_take(&is, text, (size_t)n);
	assert_int_equal(is.result, LOOKUP_WRONG);
	assert_true(is.ask_again);
	TAKE(&is, "\3\0");
	assert_false(is.ask_again);
	TAKE(&is, "\203\0home");
	assert_int_equal(is.result, LOOKUP_FAILED);
	assert_false(is.ask_again);
	close(fd[0]);
	close(fd[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_ask_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
