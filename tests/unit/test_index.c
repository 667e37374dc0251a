/*
 * The format of malote.index: what was written is read, and nothing else is
 * ever believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "forge.h"
#include "server/ipc/index.h"

enum { MESSAGES = 1500 };

static const struct index_time new_time = { 1732276980, 123456789 };
static const struct index_time cur_time = { -5, 7 };

static void
uid_of(char out[INDEX_UID_MAX + 1], uint32_t i)
{
	memset(out, 'x', i % 50);
	snprintf(out + i % 50, INDEX_UID_MAX + 1 - 50, "%u.uid", i);
}

static void
name_of(char out[INDEX_NAME_MAX + 1], uint32_t i)
{
	snprintf(out, INDEX_NAME_MAX + 1, "%c%u.m:2,", i % 3 ? 'n' : 'c', i);
}

/* 5 GB and more: everything is 64-bit. */
static uint64_t
wire_of(uint32_t i)
{
	return i == 7 ? UINT64_C(5000000000) : i * 10;
}

/* A file of n messages; the times only at its end. */
static struct index_trailer
write_file(struct buf *out, uint32_t n)
{
	static const struct index_trailer nothing;
	struct index_writer *w = index_writer_new(&nothing);
	struct index_trailer t;
	char uid[INDEX_UID_MAX + 1], name[INDEX_NAME_MAX + 1];

	buf_init(out, 16 << 20, false);
	assert_non_null(w);
	for (uint32_t i = 1; i <= n; i++) {
		uid_of(uid, i);
		name_of(name, i);
		assert_int_equal(
		    index_writer_add(w, out, wire_of(i), i * 9, (uint16_t)i,
			(struct slice){ uid, strlen(uid) },
			(struct slice){ name, strlen(name) }),
		    E_OK);
	}
	assert_int_equal(
	    index_writer_end(w, out, new_time, cur_time, true, &t), E_OK);
	index_writer_free(w);
	return t;
}

/* Reads everything; the number of messages, or UINT32_MAX if some check
 * failed.  What passes the checks must be what was written. */
static uint32_t
read_file(const char *p, uint64_t end)
{
	struct index_block b = index_start;
	uint32_t n = 0;

	while (b.next < end) {
		struct index_block before = b;

		if (end - b.next < INDEX_HEADER ||
		    index_get_block(p + b.next, &before, end, MESSAGES, &b) !=
			E_OK ||
		    index_check_lines(p + b.off, &b) != E_OK ||
		    index_check_section(p + b.list.off, &b.list) != E_OK ||
		    index_check_section(p + b.uidl.off, &b.uidl) != E_OK ||
		    index_check_section(p + b.names.off, &b.names) != E_OK)
			return UINT32_MAX;
		for (uint32_t i = b.first; i < b.first + b.n; i++) {
			char uid[INDEX_UID_MAX + 1];
			char name[INDEX_NAME_MAX + 1];
			struct index_record r;

			if (index_get_record(p + index_record_place(&b, i), &b,
				i, &r) != E_OK ||
			    index_check_uid(p + r.uid_off, &r) != E_OK ||
			    index_check_name(p + r.name_off, &r) != E_OK)
				return UINT32_MAX;
			uid_of(uid, i);
			name_of(name, i);
			assert_int_equal(r.wire, wire_of(i));
			assert_int_equal(r.stamp, i * 9);
			assert_int_equal(r.uid_len, strlen(uid));
			assert_memory_equal(p + r.uid_off, uid, r.uid_len);
			assert_int_equal(r.name_len, strlen(name));
			assert_memory_equal(p + r.name_off, name, r.name_len);
		}
		n += b.n;
	}
	return n;
}

static void
test_round_trip(void **state)
{
	struct index_trailer t, u;
	struct buf b;
	uint64_t octets = 0;

	(void)state;
	t = write_file(&b, MESSAGES);
	for (uint32_t i = 1; i <= MESSAGES; i++)
		octets += wire_of(i);
	assert_int_equal(read_file(buf_data(&b), b.len), MESSAGES);
	assert_int_equal(
	    index_get_trailer(buf_data(&b) + b.len - INDEX_TRAILER, &u), E_OK);
	assert_int_equal(t.octets, u.octets);
	assert_int_equal(u.count, MESSAGES);
	assert_int_equal(u.blocks, 2);
	assert_int_equal(u.octets, octets);
	assert_int_equal(u.new_time.sec, new_time.sec);
	assert_int_equal(u.cur_time.sec, cur_time.sec);
	assert_int_equal(u.cur_time.nsec, cur_time.nsec);
	buf_free(&b);
}

/* The lines of LIST and UIDL are ready to be sent. */
static void
test_lines(void **state)
{
	struct index_block k;
	struct buf b;

	(void)state;
	write_file(&b, 3);
	assert_int_equal(
	    index_get_block(buf_data(&b), &index_start, b.len, 3, &k), E_OK);
	assert_int_equal(k.list.len, strlen("1 10\r\n2 20\r\n3 30\r\n"));
	assert_memory_equal(
	    buf_data(&b) + k.list.off, "1 10\r\n2 20\r\n3 30\r\n", k.list.len);
	assert_memory_equal(buf_data(&b) + k.uidl.off,
	    "1 x1.uid\r\n2 xx2.uid\r\n3 xxx3.uid\r\n", k.uidl.len);
	buf_free(&b);
}

/* A later writer continues; a block may be empty. */
static void
test_append(void **state)
{
	struct index_trailer t, u;
	struct index_writer *w;
	struct buf b;

	(void)state;
	t = write_file(&b, 2);
	w = index_writer_new(&t);
	assert_int_equal(
	    index_writer_end(w, &b, new_time, cur_time, true, &u), E_OK);
	assert_int_equal(u.count, 2);
	assert_int_equal(u.blocks, 2);
	assert_int_equal(u.octets, t.octets);
	assert_int_equal(
	    index_writer_add(w, &b, 30, 27, 3, (struct slice){ "xxx3.uid", 8 },
		(struct slice){ "c3.m:2,", 7 }),
	    E_OK);
	assert_int_equal(
	    index_writer_end(w, &b, new_time, cur_time, true, &u), E_OK);
	assert_int_equal(u.count, 3);
	assert_int_equal(read_file(buf_data(&b), b.len), 3);
	index_writer_free(w);
	buf_free(&b);
}

/* What POP3 or a file system forbids is not written. */
static void
test_refused(void **state)
{
	static const struct index_trailer nothing;
	static const struct {
		struct slice uid, name;
	} bad[] = {
		{ { "", 0 }, { "n1", 2 } },
		{ { "a b", 3 }, { "n1", 2 } },
		{ { "a\x7f", 2 }, { "n1", 2 } },
		{ { "\xc3\xa4", 2 }, { "n1", 2 } },
		{ { "a", 1 }, { "n", 1 } },
		{ { "a", 1 }, { "x1", 2 } },
		{ { "a", 1 }, { "n.1", 3 } },
		{ { "a", 1 }, { "n/1", 3 } },
		{ { "a", 1 }, { "n\0001", 3 } },
	};
	struct index_writer *w = index_writer_new(&nothing);
	char long_uid[INDEX_UID_MAX + 1];
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20, false);
	memset(long_uid, 'u', sizeof(long_uid));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    index_writer_add(w, &b, 1, 1, 1, bad[i].uid, bad[i].name),
		    E_FORMAT);
	assert_int_equal(index_writer_add(w, &b, 1, 1, 1,
			     (struct slice){ long_uid, sizeof(long_uid) },
			     (struct slice){ "n1", 2 }),
	    E_FORMAT);
	index_writer_free(w);
	buf_free(&b);
}

/* The octets stand before a page that cannot be read. */
static char *
guarded(const char *p, size_t n, char **map_r, size_t *size_r)
{
	size_t page = 4096, room = (n + page - 1) / page * page;
	char *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(map + room, page, PROT_NONE), 0);
	memcpy(map + room - n, p, n);
	*map_r = map;
	*size_r = room + page;
	return map + room - n;
}

/* Cut anywhere: only whole blocks are read. */
static void
test_truncated(void **state)
{
	struct index_block k;
	struct buf b;
	size_t size;
	char *map, *p;

	(void)state;
	write_file(&b, 40);
	for (size_t n = 0; n < b.len; n++) {
		p = guarded(buf_data(&b), n, &map, &size);
		if (n >= INDEX_HEADER)
			assert_int_equal(
			    index_get_block(p, &index_start, n, 40, &k),
			    E_FORMAT);
		assert_int_equal(read_file(p, n), n == 0 ? 0 : UINT32_MAX);
		munmap(map, size);
	}
	buf_free(&b);
}

/* Every flipped bit is found, or was in what nobody reads. */
static void
test_flipped(void **state)
{
	struct index_trailer t;
	struct buf b;
	size_t size;
	char *map, *p;

	(void)state;
	write_file(&b, 40);
	p = guarded(buf_data(&b), b.len, &map, &size);
	for (size_t i = 0; i < b.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bool in_trailer = i >= b.len - INDEX_TRAILER;

			p[i] = (char)(p[i] ^ 1 << bit);
			if (!in_trailer)
				assert_int_equal(
				    read_file(p, b.len), UINT32_MAX);
			else
				assert_int_equal(
				    index_get_trailer(
					p + b.len - INDEX_TRAILER, &t),
				    E_FORMAT);
			p[i] = (char)(p[i] ^ 1 << bit);
		}
	assert_int_equal(read_file(p, b.len), 40);
	munmap(map, size);
	buf_free(&b);
}

/* A record in another's place, a block in another's. */
static void
test_swapped(void **state)
{
	struct index_block k;
	struct index_record r;
	struct buf b;
	const char *p;

	(void)state;
	write_file(&b, 3);
	p = buf_data(&b);
	assert_int_equal(index_get_block(p, &index_start, b.len, 3, &k), E_OK);
	assert_int_equal(
	    index_get_record(p + index_record_place(&k, 1), &k, 2, &r),
	    E_FORMAT);
	assert_int_equal(
	    index_get_record(p + index_record_place(&k, 1), &k, 4, &r),
	    E_FORMAT);
	assert_int_equal(index_get_block(p, &(struct index_block){ .first = 2 },
			     b.len, 3, &k),
	    E_FORMAT);
	assert_int_equal(
	    index_get_block(p,
		&(struct index_block){ .first = 1, .next = UINT64_MAX - 10 },
		UINT64_MAX, 3, &k),
	    E_FORMAT);
	buf_free(&b);
}

/* Numbers of messages that nobody can have. */
static void
test_bounds(void **state)
{
	static const struct index_trailer most = {
		.count = INDEX_MESSAGES_MAX - 1, .blocks = 1
	};
	struct index_writer *w = index_writer_new(&most);
	struct index_trailer t;
	struct index_block k;
	struct buf b;
	char *q;

	(void)state;
	buf_init(&b, 1 << 20, false);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
		    index_writer_add(w, &b, 1, 1, 1, (struct slice){ "a", 1 },
			(struct slice){ "na", 2 }),
		    i == 0 ? E_OK : E_FULL);
	assert_int_equal(
	    index_writer_end(w, &b, new_time, cur_time, true, &t), E_OK);
	assert_int_equal(t.count, INDEX_MESSAGES_MAX);
	index_writer_free(w);
	q = buf_data(&b) + b.len - INDEX_TRAILER;
	assert_int_equal(index_get_trailer(q, &t), E_OK);
	for (uint32_t n = INDEX_MESSAGES_MAX; n != 0; n *= 2) {
		forge_put32(q + 8, n + 1);
		forge_trailer(q);
		assert_int_equal(index_get_trailer(q, &t), E_FORMAT);
		if (n > UINT32_MAX / 2)
			break;
	}
	buf_free(&b);
	/* More in a block than in the view. */
	write_file(&b, 40);
	assert_int_equal(
	    index_get_block(buf_data(&b), &index_start, b.len, 40, &k), E_OK);
	assert_int_equal(
	    index_get_block(buf_data(&b), &index_start, b.len, 39, &k),
	    E_FORMAT);
	buf_free(&b);
}

/* Blocks without messages are not walked without end. */
static void
test_chain(void **state)
{
	static const struct index_trailer nothing;
	struct index_writer *w = index_writer_new(&nothing);
	struct index_block b = index_start, next;
	struct index_trailer t;
	uint32_t n = 0;
	struct buf f;

	(void)state;
	buf_init(&f, 1 << 20, false);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(
		    index_writer_end(w, &f, new_time, cur_time, true, &t),
		    E_OK);
	index_writer_free(w);
	while (index_get_block(buf_data(&f) + b.next, &b, f.len, 0, &next) ==
	       E_OK) {
		b = next;
		assert_int_equal(index_get_trailer(
				     buf_data(&f) + b.next - INDEX_TRAILER, &t),
		    E_OK);
		n++;
	}
	assert_int_equal(n, index_blocks_full(0) + 1);
	assert_int_equal(
	    index_get_trailer(buf_data(&f) + f.len - INDEX_TRAILER, &t),
	    E_FORMAT);
	buf_free(&f);
}

/* Every octet of the sections that is another one shows, though all sums are
 * right; a record that points to another's octets does too. */
static void
test_lines_disagree(void **state)
{
	struct index_record rec;
	struct index_block k;
	struct buf b;
	char *p, *r;

	(void)state;
	write_file(&b, 12);
	p = buf_data(&b);
	assert_int_equal(index_get_block(p, &index_start, b.len, 12, &k), E_OK);
	assert_int_equal(index_check_lines(p, &k), E_OK);
	for (uint64_t at = k.list.off; at < k.names.off; at++) {
		bool in_uid = false;

		/* What a unique-id is only its record says. */
		for (uint32_t i = 1; i <= 12; i++) {
			assert_int_equal(
			    index_get_record(
				p + index_record_place(&k, i), &k, i, &rec),
			    E_OK);
			in_uid = in_uid || (at >= rec.uid_off &&
					       at < rec.uid_off + rec.uid_len);
		}
		p[at] ^= 1;
		forge_mend(p, b.len);
		assert_int_equal(
		    index_check_lines(p, &k), in_uid ? E_OK : E_FORMAT);
		p[at] ^= 1;
		forge_mend(p, b.len);
	}
	for (unsigned field = 0; field < 2; field++) {
		char was[4];

		r = p + index_record_place(&k, 2) + 16 + 4 * field;
		memcpy(was, r, 4);
		memcpy(r, r - INDEX_RECORD, 4); /* that of message 1 */
		forge_mend(p, b.len);
		assert_int_equal(index_check_lines(p, &k), E_FORMAT);
		memcpy(r, was, 4);
	}
	forge_mend(p, b.len);
	assert_int_equal(index_check_lines(p, &k), E_OK);
	buf_free(&b);
}

/* Octets behind the last line of a section, and in none. */
static void
test_more_than_lines(void **state)
{
	struct index_block k;
	struct buf b, more;
	size_t at[6] = { 0 };

	(void)state;
	write_file(&b, 12);
	for (unsigned i = 0; i < 3; i++) {
		char *p = buf_data(&b), *q;

		assert_true(forge_parts(p, b.len, at));
		buf_init(&more, 1 << 20, false);
		assert_int_equal(buf_put(&more, p, at[2 + i]), E_OK);
		assert_int_equal(buf_put(&more, "\n", 1), E_OK);
		assert_int_equal(
		    buf_put(&more, p + at[2 + i], b.len - at[2 + i]), E_OK);
		q = buf_data(&more) + 16 + 4 * i;
		forge_put32(q, forge_get32(q) + 1);
		forge_mend(buf_data(&more), more.len);
		assert_int_equal(index_get_block(buf_data(&more), &index_start,
				     more.len, 12, &k),
		    E_OK);
		assert_int_equal(
		    index_check_lines(buf_data(&more), &k), E_FORMAT);
		buf_free(&more);
	}
	buf_free(&b);
}

/* A record whose unique-id or name is not within the section. */
static void
test_outside_the_section(void **state)
{
	struct index_record rec;
	struct index_block k;
	struct buf b;

	(void)state;
	for (unsigned field = 0; field < 2; field++)
		for (unsigned i = 0; i < 3; i++) {
			char *p, *r;
			uint32_t size;

			write_file(&b, 12);
			p = buf_data(&b);
			assert_int_equal(
			    index_get_block(p, &index_start, b.len, 12, &k),
			    E_OK);
			size = field == 0 ? k.uidl.len : k.names.len;
			r = p + index_record_place(&k, 2);
			forge_put32(r + 16 + 4 * field, i == 0   ? size
							: i == 1 ? size - 1
								 : UINT32_MAX);
			forge_mend(p, b.len);
			assert_int_equal(
			    index_get_record(r, &k, 2, &rec), E_FORMAT);
			buf_free(&b);
		}
}

/* A file from before there were days in it: the sizes have all 64 bits, of which
 * the upper ones are 0.  A program from then takes no file of ours for its own. */
static void
test_from_before(void **state)
{
	struct index_block k;
	struct index_record rec;
	struct index_trailer t;
	struct buf b;
	size_t at[6] = { 0 };
	char *p;

	write_file(&b, 12);
	p = buf_data(&b);
	assert_true(forge_parts(p, b.len, at));
	assert_memory_not_equal(p, "MALOTEI2", 8);
	assert_memory_not_equal(p + at[4], "MALOTET2", 8);
	memcpy(p, "MALOTEI2", 8);
	memcpy(p + at[4], "MALOTET2", 8);
	for (uint32_t i = 0; i < 12; i++)
		memset(p + at[0] + (size_t)i * INDEX_RECORD + 6, 0, 2);
	forge_mend(p, b.len);
	assert_int_equal(read_file(p, b.len), 12);
	assert_int_equal(index_get_block(p, &index_start, b.len, 12, &k), E_OK);
	assert_int_equal(
	    index_get_record(p + index_record_place(&k, 7), &k, 7, &rec), E_OK);
	assert_int_equal(rec.seen, 0);
	assert_int_equal(index_get_trailer(p + at[4], &t), E_OK);
	assert_int_equal(t.count, 12);
	p[7] = '1';
	forge_mend(p, b.len);
	assert_int_equal(
	    index_get_block(p, &index_start, b.len, 12, &k), E_FORMAT);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_from_before),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_lines_disagree),
		cmocka_unit_test(test_more_than_lines),
		cmocka_unit_test(test_outside_the_section),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
