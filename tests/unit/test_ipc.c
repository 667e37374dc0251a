/* Messages between processes: what arrives, in which order, what is refused. */
#include <dirent.h>
#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/ipc/fields.h"
#include "server/ipc/ipc.h"

enum {
	T_NUMBER = 1,
	T_FIELDS,
	T_FDS,
	T_LATE,
	T_CLOSE,
	T_KEEP_FDS,
	T_BULK,
	T_BOUNDED,
	T_STRUCT,
};

enum colour { RED, GREEN, BLUE };

struct row {
	bool yes;
	int fd;
};

struct kinds {
	bool yes;
	uint16_t n16;
	uint32_t n32;
	enum colour colour;
	char str[8];
	char *text, *none;
	uint16_t n_rows;
	struct row row[2];
};

static const struct ipc_field row_field[] = {
	FIELD(struct row, yes),
	FIELD_FD(struct row, fd),
};
static const struct ipc_fields row_fields = FIELDS(row_field);
static const struct ipc_field kinds_field[] = {
	FIELD(struct kinds, yes),
	FIELD(struct kinds, n16),
	FIELD(struct kinds, n32),
	FIELD_ENUM(struct kinds, colour, BLUE),
	FIELD_STR(struct kinds, str),
	FIELD_TEXT(struct kinds, text, 10),
	FIELD_TEXT(struct kinds, none, 10),
	FIELD_ROWS(struct kinds, row, n_rows, &row_fields),
};
static const struct ipc_fields kinds_fields = FIELDS(kinds_field);

static struct {
	struct ev_loop *loop;
	struct ipc_chan *a, *b;
	uint32_t got[20000];
	size_t n;
	enum err gone;
	unsigned n_gone;
	struct stat st;
	unsigned n_fds;
	struct kinds kinds;
	bool kinds_good;
} t;

static unsigned
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* ---- what b does with what it gets ---- */

static enum err
take_number(void *arg, struct ipc_in *in)
{
	(void)arg;
	t.got[t.n++] = ipc_get_u32(in);
	return ipc_get_end(in);
}

static enum err
take_fields(void *arg, struct ipc_in *in)
{
	char word[8];
	struct slice s;
	bool right;

	(void)arg;
	right = ipc_get_u8(in) == 0x12;
	right &= ipc_get_u16(in) == 0x3456;
	right &= ipc_get_u32(in) == 0x789abcde;
	right &= ipc_get_u64(in) == 0xf0123456789abcdeULL;
	s = ipc_get_slice(in);
	right &= s.n == 4 && memcmp(s.p, "a\0b", 4) == 0;
	ipc_get_str(in, word, sizeof(word));
	right &= strcmp(word, "seven77") == 0;
	t.got[t.n++] = right;
	return ipc_get_end(in);
}

static enum err
take_fds(void *arg, struct ipc_in *in)
{
	uint8_t n = ipc_get_u8(in);

	(void)arg;
	for (t.n_fds = 0; t.n_fds < n; t.n_fds++) {
		int fd = ipc_get_fd(in);

		if (fd < 0)
			return E_FORMAT;
		fstat(fd, &t.st);
		close(fd);
	}
	return ipc_get_end(in);
}

static enum err
ignore_fds(void *arg, struct ipc_in *in)
{
	(void)arg;
	(void)in;
	return E_OK;
}

static enum err
take_bulk(void *arg, struct ipc_in *in)
{
	(void)arg;
	t.got[t.n++] = (uint32_t)ipc_get_slice(in).n;
	return ipc_get_end(in);
}

static enum err
take_bounded(void *arg, struct ipc_in *in)
{
	(void)arg;
	t.got[t.n++] = ipc_get_u8_to(in, 7);
	t.got[t.n++] = ipc_get_u32_to(in, 1000);
	return ipc_get_end(in);
}

static enum err
take_close(void *arg, struct ipc_in *in)
{
	(void)arg;
	(void)in;
	t.n++;
	ipc_close(t.b);
	t.b = NULL;
	return E_OK;
}

static enum err
take_struct(void *arg, struct ipc_in *in)
{
	(void)arg;
	ipc_get_fields(in, &kinds_fields, &t.kinds);
	t.kinds_good = ipc_get_end(in) == E_OK;
	return E_OK;
}

static void
on_gone(void *arg, enum err why)
{
	(void)arg;
	t.gone = why;
	t.n_gone++;
}

static const struct ipc_rule rule[] = {
	{ T_NUMBER, 1, 0, 4, take_number },
	{ T_FIELDS, 1, 0, 100, take_fields },
	{ T_FDS, 1, 4, 1, take_fds },
	{ T_LATE, 2, 0, 4, take_number },
	{ T_CLOSE, 1, 0, 0, take_close },
	{ T_KEEP_FDS, 1, 4, 0, ignore_fds },
	{ T_BULK, 1, 0, 65 * 1024, take_bulk },
	{ T_BOUNDED, 1, 0, 5, take_bounded },
	{ T_STRUCT, 1, 4, 1024, take_struct },
};
static const struct ipc_rules rules = { rule, sizeof(rule) / sizeof(rule[0]),
	on_gone };

static int
setup(void **state)
{
	int fd[2];

	(void)state;
	memset(&t, 0, sizeof(t));
	t.loop = ev_loop_new(EVBACKEND_EPOLL);
	assert_int_equal(ipc_pair(fd, NULL), E_OK);
	t.a = ipc_open(t.loop, fd[0], &rules, NULL, false);
	t.b = ipc_open(t.loop, fd[1], &rules, NULL, true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ipc_close(t.a);
	ipc_close(t.b);
	ev_loop_destroy(t.loop);
	return 0;
}

/* Turns of the loop until nothing happens any more. */
static void
turn(void)
{
	for (int i = 0; i < 50; i++)
		ev_run(t.loop, EVRUN_NOWAIT);
}

static enum err
send_number(uint16_t type, uint32_t v)
{
	ipc_begin(t.a, type);
	ipc_put_u32(t.a, v);
	return ipc_end(t.a);
}

/* ---- sending ---- */

static void
fields_arrive_as_sent(void **state)
{
	(void)state;
	ipc_begin(t.a, T_FIELDS);
	ipc_put_u8(t.a, 0x12);
	ipc_put_u16(t.a, 0x3456);
	ipc_put_u32(t.a, 0x789abcde);
	ipc_put_u64(t.a, 0xf0123456789abcdeULL);
	ipc_put_bytes(t.a, "a\0b", 4);
	ipc_put_str(t.a, "seven77");
	assert_int_equal(ipc_end(t.a), E_OK);
	assert_int_equal(t.n, 0);
	turn();
	assert_int_equal(t.n, 1);
	assert_int_equal(t.got[0], 1);
	assert_int_equal(t.n_gone, 0);
}

static void
order_is_kept(void **state)
{
	(void)state;
	/* Far more than the kernel takes at a time. */
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(send_number(T_NUMBER, i), E_OK);
	for (int i = 0; i < 100 && t.n < 5000; i++)
		turn();
	assert_int_equal(t.n, 5000);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(t.got[i], i);
}

static void
queue_is_bounded(void **state)
{
	static char big[64 * 1024];
	enum err e = E_OK;
	size_t sent = 0;

	(void)state;
	assert_false(ipc_is_full(t.a));
	while (sent < 1000) {
		ipc_begin(t.a, T_BULK);
		ipc_put_bytes(t.a, big, sizeof(big));
		if ((e = ipc_end(t.a)) != E_OK)
			break;
		if (++sent == 5)
			assert_true(ipc_is_full(t.a));
	}
	assert_int_equal(e, E_FULL);
	assert_in_range(sent, 32, 100);
	/* What did not fit left nothing behind, and room comes back. */
	for (int i = 0; i < 100 && t.n < sent; i++)
		turn();
	assert_int_equal(t.n, sent);
	assert_false(ipc_is_full(t.a));
	assert_int_equal(send_number(T_NUMBER, 7), E_OK);
	turn();
	assert_int_equal(t.got[sent], 7);
	assert_int_equal(t.n_gone, 0);
}

static void
too_large_is_not_sent(void **state)
{
	static char big[IPC_MSG_MAX];

	(void)state;
	ipc_begin(t.a, T_FIELDS);
	ipc_put_bytes(t.a, big, sizeof(big));
	assert_int_equal(ipc_end(t.a), E_FULL);
	assert_int_equal(send_number(T_NUMBER, 7), E_OK);
	turn();
	assert_int_equal(t.n, 1);
	assert_int_equal(t.got[0], 7);
}

static void
flush_and_drain_do_not_wait_for_the_loop(void **state)
{
	(void)state;
	assert_int_equal(send_number(T_NUMBER, 3), E_OK);
	ipc_flush(t.a);
	ipc_drain(t.b);
	assert_int_equal(t.n, 1);
	assert_int_equal(send_number(T_NUMBER, 4), E_OK);
	ipc_flush_wait(t.a, 1000);
	ipc_drain(t.b);
	assert_int_equal(t.n, 2);
}

static void
flush_leaves_the_end_of_the_other_to_the_loop(void **state)
{
	(void)state;
	ipc_close(t.b);
	t.b = NULL;
	assert_int_equal(send_number(T_NUMBER, 3), E_OK);
	ipc_flush(t.a);
	assert_int_equal(t.n_gone, 0);
	turn();
	assert_int_equal(t.n_gone, 1);
	assert_int_equal(t.gone, E_CLOSED);
}

/* ---- descriptors ---- */

static enum err
send_fds(uint16_t type, unsigned n, int fd, bool take)
{
	ipc_begin(t.a, type);
	if (type == T_FDS)
		ipc_put_u8(t.a, (uint8_t)n);
	for (unsigned i = 0; i < n; i++)
		ipc_put_fd(
		    t.a, take ? dup(fd) : fd, take ? FD_CLOSED : FD_STAYS);
	return ipc_end(t.a);
}

static void
descriptors_arrive(void **state)
{
	struct stat st;
	unsigned before = open_fds();
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	fstat(fd, &st);
	assert_int_equal(send_fds(T_FDS, 2, fd, true), E_OK);
	assert_int_equal(send_fds(T_FDS, 3, fd, false), E_OK);
	turn();
	assert_int_equal(t.n_fds, 3);
	assert_int_equal(t.st.st_rdev, st.st_rdev);
	assert_int_equal(t.n_gone, 0);
	close(fd);
	assert_int_equal(open_fds(), before);
}

static void
descriptor_is_left_to_the_channel(void **state)
{
	unsigned before = open_fds();
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_false(ipc_leave_fd(t.a, fd));
	assert_int_equal(send_fds(T_FDS, 2, 0, true), E_OK);
	assert_int_equal(send_fds(T_FDS, 1, fd, false), E_OK);
	assert_true(ipc_leave_fd(t.a, fd));
	assert_false(ipc_leave_fd(t.a, fd)); /* it is closed once */
	turn();
	assert_int_equal(t.n_fds, 1);
	assert_int_equal(open_fds(), before);
}

static void
descriptor_that_was_sent_stays(void **state)
{
	unsigned before = open_fds();
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(send_fds(T_FDS, 1, fd, false), E_OK);
	turn();
	assert_false(ipc_leave_fd(t.a, fd));
	assert_int_equal(close(fd), 0);
	assert_int_equal(open_fds(), before);
}

static void
descriptor_that_was_left_goes_with_the_channel(void **state)
{
	unsigned before = open_fds();
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(send_fds(T_FDS, 1, fd, false), E_OK);
	assert_true(ipc_leave_fd(t.a, fd));
	ipc_close(t.a);
	t.a = NULL;
	assert_int_equal(open_fds(), before - 1);
}

static void
descriptors_not_taken_are_closed(void **state)
{
	unsigned before = open_fds();

	(void)state;
	assert_int_equal(send_fds(T_KEEP_FDS, 4, 0, true), E_OK);
	turn();
	assert_int_equal(t.n_gone, 0);
	assert_int_equal(open_fds(), before);
}

static void
too_many_descriptors_end_the_sender(void **state)
{
	unsigned before = open_fds();

	(void)state;
	assert_int_equal(send_fds(T_FDS, 5, 0, true), E_OK);
	turn();
	assert_int_equal(t.n_gone, 2); /* b, and then a sees b's end */
	assert_int_equal(t.gone, E_CLOSED);
	assert_int_equal(t.n_fds, 0);
	assert_int_equal(open_fds(), before - 2);
}

static void
more_descriptors_than_a_message_has_are_refused(void **state)
{
	unsigned before = open_fds();

	(void)state;
	assert_int_equal(send_fds(T_FDS, IPC_FDS + 1, 0, true), E_FULL);
	assert_int_equal(open_fds(), before);
}

static void
descriptors_in_the_queue_are_closed_with_it(void **state)
{
	unsigned before = open_fds();

	(void)state;
	assert_int_equal(send_fds(T_FDS, 4, 0, true), E_OK);
	assert_int_equal(open_fds(), before + 4);
	ipc_close(t.a);
	t.a = NULL;
	assert_int_equal(open_fds(), before - 1);
}

/* ---- what may not be sent ---- */

/* b misbehaves in the eyes of a: b's end is told once, nothing is taken. */
static void
refused(void)
{
	turn();
	assert_int_equal(t.n, 0);
	assert_int_equal(t.n_gone, 2);
}

static void
unknown_type_ends_the_sender(void **state)
{
	(void)state;
	assert_int_equal(send_number(99, 1), E_OK);
	refused();
}

static void
wrong_phase_ends_the_sender(void **state)
{
	(void)state;
	assert_int_equal(send_number(T_LATE, 1), E_OK);
	refused();
}

static void
right_phase_is_taken(void **state)
{
	(void)state;
	ipc_set_phase(t.b, 2);
	assert_int_equal(send_number(T_LATE, 5), E_OK);
	turn();
	assert_int_equal(t.n, 1);
}

static void
longer_than_its_rule_ends_the_sender(void **state)
{
	(void)state;
	ipc_begin(t.a, T_NUMBER);
	ipc_put_u64(t.a, 1);
	assert_int_equal(ipc_end(t.a), E_OK);
	refused();
}

static void
nothing_is_taken_after_a_bad_one(void **state)
{
	(void)state;
	assert_int_equal(send_number(99, 1), E_OK);
	assert_int_equal(send_number(T_NUMBER, 1), E_OK);
	refused();
}

static void
a_message_without_a_type_ends_the_sender(void **state)
{
	int fd[2];
	struct ipc_chan *c;

	(void)state;
	assert_int_equal(ipc_pair(fd, NULL), E_OK);
	c = ipc_open(t.loop, fd[0], &rules, NULL, false);
	assert_int_equal(send(fd[1], "x", 1, 0), 1);
	turn();
	assert_int_equal(t.n_gone, 1);
	assert_int_equal(t.gone, E_FORMAT);
	ipc_close(c);
	close(fd[1]);
}

/* ---- the other end ---- */

static void
death_of_the_peer_is_told_once_after_its_last_words(void **state)
{
	(void)state;
	assert_int_equal(send_number(T_NUMBER, 1), E_OK);
	ipc_flush(t.a);
	ipc_close(t.a);
	t.a = NULL;
	turn();
	assert_int_equal(t.n, 1);
	assert_int_equal(t.n_gone, 1);
	assert_int_equal(t.gone, E_CLOSED);
}

static void
sending_to_the_dead_fails_quietly(void **state)
{
	(void)state;
	ipc_close(t.b);
	t.b = NULL;
	assert_int_equal(send_number(T_NUMBER, 1), E_OK);
	turn();
	assert_int_equal(t.n_gone, 1);
	assert_int_equal(send_number(T_NUMBER, 1), E_CLOSED);
}

static void
giving_up_is_told_to_both_ends(void **state)
{
	(void)state;
	ipc_give_up(t.a);
	turn();
	assert_int_equal(t.n_gone, 2);
}

static void
who_gives_up_wants_a_new_channel(void **state)
{
	(void)state;
	ipc_give_up(t.a);
	ipc_close(t.b);
	t.b = NULL;
	turn();
	assert_int_equal(t.n_gone, 1);
	assert_int_equal(t.gone, E_FORMAT);
}

static void
a_handler_may_close_its_channel(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		ipc_begin(t.a, T_CLOSE);
		assert_int_equal(ipc_end(t.a), E_OK);
	}
	turn();
	assert_int_equal(t.n, 1);
	assert_int_equal(t.n_gone, 1); /* a; b closed itself */
}

/* ---- waiting for one ---- */

static void
one_message_can_be_waited_for(void **state)
{
	int fd[2];
	struct ipc_chan *c;

	(void)state;
	assert_int_equal(ipc_pair(fd, NULL), E_OK);
	c = ipc_open(t.loop, fd[0], &rules, NULL, false);
	ipc_begin(c, T_NUMBER);
	ipc_put_u32(c, 42);
	assert_int_equal(ipc_end(c), E_OK);
	ipc_flush(c);
	assert_int_equal(
	    ipc_wait_one(fd[1], T_NUMBER, 1000, take_number, NULL), E_OK);
	assert_int_equal(t.got[0], 42);
	assert_int_equal(
	    ipc_wait_one(fd[1], T_NUMBER, 10, take_number, NULL), E_CLOSED);
	ipc_close(c);
	assert_int_equal(
	    ipc_wait_one(fd[1], T_NUMBER, 1000, take_number, NULL), E_CLOSED);
	close(fd[1]);
}

/* ---- truncated messages, against a page that may not be read ---- */

static void
every_truncation_is_refused(void **state)
{
	static const uint8_t whole[] = { T_FIELDS, 0, 0x12, 0x56, 0x34, 0xde,
		0xbc, 0x9a, 0x78, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12,
		0xf0, 4, 0, 0, 0, 'a', 0, 'b', 0, 7, 0, 0, 0, 's', 'e', 'v',
		'e', 'n', '7', '7' };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
	for (size_t n = 0; n <= sizeof(whole); n++) {
		uint8_t *p = two + page - n;

		memcpy(p, whole, n);
		t.n = 0;
		assert_int_equal(ipc_handle(&rules, 1, NULL, p, n, NULL, 0),
		    n == sizeof(whole) ? E_OK : E_FORMAT);
		assert_int_equal(t.n == 1 && t.got[0] == 1, n == sizeof(whole));
	}
	munmap(two, 2 * page);
}

static void
octets_left_over_are_refused(void **state)
{
	static const uint8_t more[] = { T_FIELDS, 0, 0x12, 0x56, 0x34, 0xde,
		0xbc, 0x9a, 0x78, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12,
		0xf0, 4, 0, 0, 0, 'a', 0, 'b', 0, 7, 0, 0, 0, 's', 'e', 'v',
		'e', 'n', '7', '7', 'x' };

	(void)state;
	assert_int_equal(
	    ipc_handle(&rules, 1, NULL, more, sizeof(more), NULL, 0), E_FORMAT);
}

static void
a_message_that_was_cut_ends_the_sender(void **state)
{
	static uint8_t large[IPC_MSG_MAX + 1] = { T_NUMBER };
	int fd[2];
	struct ipc_chan *c;

	(void)state;
	assert_int_equal(ipc_pair(fd, NULL), E_OK);
	c = ipc_open(t.loop, fd[0], &rules, NULL, false);
	assert_int_equal(
	    send(fd[1], large, sizeof(large), 0), (int)sizeof(large));
	turn();
	assert_int_equal(t.n_gone, 1);
	assert_int_equal(t.gone, E_FORMAT);
	ipc_close(c);
	close(fd[1]);
}

static void
a_length_beyond_the_end_is_refused(void **state)
{
	static const uint8_t huge[] = { T_FIELDS, 0, 0x12, 0x56, 0x34, 0xde,
		0xbc, 0x9a, 0x78, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12,
		0xf0, 0xff, 0xff, 0xff, 0xff, 'a' };

	(void)state;
	assert_int_equal(
	    ipc_handle(&rules, 1, NULL, huge, sizeof(huge), NULL, 0), E_FORMAT);
}

static void
strings_hold_no_nul_and_fit(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t n;
		bool good;
	} table[] = {
		{ "", 0, true },
		{ "abc", 3, true },
		{ "abcd", 4, false },
		{ "a\0c", 3, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint8_t msg[16];
		char out[4];
		struct ipc_in in = { .p = msg, .left = 4 + table[i].n };

		memcpy(msg, &table[i].n, 4);
		memcpy(msg + 4, table[i].bytes, table[i].n);
		ipc_get_str(&in, out, sizeof(out));
		assert_int_equal(ipc_get_end(&in) == E_OK, table[i].good);
		assert_int_equal(strlen(out), table[i].good ? table[i].n : 0);
	}
}

/* A number beyond its bound is as if it were not there. */
static void
a_number_beyond_its_bound_is_refused(void **state)
{
	static const struct {
		uint8_t small;
		uint32_t large;
		enum err is;
	} all[] = {
		{ 7, 1000, E_OK },
		{ 8, 1000, E_FORMAT },
		{ 7, 1001, E_FORMAT },
		{ 255, UINT32_MAX, E_FORMAT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		uint16_t type = T_BOUNDED;
		uint8_t msg[2 + 1 + 4];

		memcpy(msg, &type, 2);
		msg[2] = all[i].small;
		memcpy(msg + 3, &all[i].large, 4);
		t.n = 0;
		assert_int_equal(
		    ipc_handle(&rules, 1, NULL, msg, sizeof(msg), NULL, 0),
		    all[i].is);
		assert_int_equal(t.got[0], all[i].small <= 7 ? 7 : 0);
		assert_int_equal(t.got[1], all[i].is == E_OK ? 1000 : 0);
	}
}

/* ---- a struct as fields ---- */

static const struct kinds all_kinds = {
	.yes = true,
	.n16 = 0xfedc,
	.n32 = 0xfedcba98,
	.colour = BLUE,
	.str = "seven77",
	.text = (char *)"ten octets",
	.row = { { true, STDIN_FILENO }, { false, STDOUT_FILENO } },
	.n_rows = 2,
};

static void
forget_kinds(void)
{
	for (unsigned i = 0; i < t.kinds.n_rows; i++)
		if (t.kinds.row[i].fd >= 0)
			close(t.kinds.row[i].fd);
	free(t.kinds.text);
	free(t.kinds.none);
	memset(&t.kinds, 0, sizeof(t.kinds));
	t.kinds_good = false;
}

static void
send_kinds(const struct kinds *k)
{
	ipc_begin(t.a, T_STRUCT);
	ipc_put_fields(t.a, &kinds_fields, k);
	assert_int_equal(ipc_end(t.a), E_OK);
	turn();
}

static void
a_struct_arrives_as_sent(void **state)
{
	const struct kinds *got = &t.kinds;
	struct stat in, out;

	(void)state;
	send_kinds(&all_kinds);
	assert_true(t.kinds_good);
	assert_true(got->yes);
	assert_int_equal(got->n16, 0xfedc);
	assert_int_equal(got->n32, 0xfedcba98);
	assert_int_equal(got->colour, BLUE);
	assert_string_equal(got->str, "seven77");
	assert_string_equal(got->text, "ten octets");
	assert_null(got->none);
	assert_int_equal(got->n_rows, 2);
	assert_true(got->row[0].yes);
	assert_false(got->row[1].yes);
	assert_int_equal(fstat(STDIN_FILENO, &in), 0);
	assert_int_equal(fstat(got->row[0].fd, &out), 0);
	assert_int_equal(in.st_ino, out.st_ino);
	forget_kinds();
}

static void
a_struct_out_of_range_is_refused(void **state)
{
	struct kinds k = all_kinds;

	(void)state;
	k.colour = (enum colour)(BLUE + 1);
	send_kinds(&k);
	assert_false(t.kinds_good);
	assert_int_equal(t.kinds.colour, RED);
	forget_kinds();
	k = all_kinds;
	k.text = (char *)"eleven octs";
	send_kinds(&k);
	assert_false(t.kinds_good);
	assert_null(t.kinds.text);
	forget_kinds();
	k = all_kinds;
	k.n_rows = 1;
	send_kinds(&k);
	assert_true(t.kinds_good);
	forget_kinds();
}

/* More rows than there is room for, and a text with a NUL. */
static void
a_struct_of_an_enemy_is_refused(void **state)
{
	static const struct ipc_fields rows = { &kinds_field[7], 1 };
	static const struct ipc_fields text = { &kinds_field[5], 1 };
	uint8_t three[2 + 3] = { 3, 0, 1, 1, 1 };
	uint8_t nul[4 + 3] = { 3, 0, 0, 0, 'a', '\0', 'c' };
	struct ipc_in in = { .p = three, .left = sizeof(three) };

	(void)state;
	ipc_get_fields(&in, &rows, &t.kinds);
	assert_int_equal(ipc_get_end(&in), E_FORMAT);
	assert_int_equal(t.kinds.n_rows, 0);
	in = (struct ipc_in){ .p = nul, .left = sizeof(nul) };
	ipc_get_fields(&in, &text, &t.kinds);
	assert_int_equal(ipc_get_end(&in), E_FORMAT);
	assert_null(t.kinds.text);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { T(fields_arrive_as_sent),
		T(order_is_kept), T(queue_is_bounded), T(too_large_is_not_sent),
		T(flush_and_drain_do_not_wait_for_the_loop),
		T(flush_leaves_the_end_of_the_other_to_the_loop),
		T(descriptors_arrive), T(descriptor_is_left_to_the_channel),
		T(descriptor_that_was_sent_stays),
		T(descriptor_that_was_left_goes_with_the_channel),
		T(descriptors_not_taken_are_closed),
		T(too_many_descriptors_end_the_sender),
		T(more_descriptors_than_a_message_has_are_refused),
		T(descriptors_in_the_queue_are_closed_with_it),
		T(unknown_type_ends_the_sender), T(wrong_phase_ends_the_sender),
		T(right_phase_is_taken),
		T(longer_than_its_rule_ends_the_sender),
		T(nothing_is_taken_after_a_bad_one),
		T(a_message_without_a_type_ends_the_sender),
		T(death_of_the_peer_is_told_once_after_its_last_words),
		T(sending_to_the_dead_fails_quietly),
		T(giving_up_is_told_to_both_ends),
		T(who_gives_up_wants_a_new_channel),
		T(a_handler_may_close_its_channel),
		T(one_message_can_be_waited_for),
		T(every_truncation_is_refused), T(octets_left_over_are_refused),
		T(a_message_that_was_cut_ends_the_sender),
		T(a_length_beyond_the_end_is_refused),
		T(strings_hold_no_nul_and_fit),
		T(a_number_beyond_its_bound_is_refused),
		T(a_struct_arrives_as_sent),
		T(a_struct_out_of_range_is_refused),
		T(a_struct_of_an_enemy_is_refused) };

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
