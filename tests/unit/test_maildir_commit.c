/*
 * Removing, marking as seen, fetching: what happens to the files.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "drop.h"

#define UIDS(...)   ((const char *const[]){ __VA_ARGS__, NULL })
#define MSGNOS(...) ((const uint32_t[]){ __VA_ARGS__, 0 })

static int
setup(void **state)
{
	static struct drop_fixture f;

	fixture_init(&f);
	fixture_put(&f, "new/1.a", "one\n");
	fixture_put(&f, "cur/2.b:2,F", "two\n");
	fixture_put(&f, "cur/3.c:2,S", "three\n");
	fixture_put(&f, "new/4.d", "four\n");
	fixture_must_open(&f);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	fixture_clear(*state);
	return 0;
}

/* S-1939-34: exactly what was marked, and the lock is let go. */
static void
test_remove(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_commit c = fixture_commit(f, MSGNOS(1, 3), NULL);

	assert_int_equal(c.removed, 2);
	assert_int_equal(c.failed, 0);
	assert_false(fixture_has(f, "new/1.a"));
	assert_true(fixture_has(f, "cur/2.b:2,F"));
	assert_false(fixture_has(f, "cur/3.c:2,S"));
	assert_true(fixture_has(f, "new/4.d"));
	fixture_must_open(f);
	fixture_expect(f, UIDS("2.b", "4.d"));
}

/* S-MD-02, S-MD-03: removed under its new name; gone already counts. */
static void
test_remove_moved(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_commit c;

	fixture_rename(f, "new/1.a", "cur/1.a:2,RS");
	fixture_remove(f, "cur/3.c:2,S");
	c = fixture_commit(f, MSGNOS(1, 2, 3), NULL);
	assert_int_equal(c.removed, 3);
	assert_int_equal(c.failed, 0);
	assert_int_equal(fixture_count(f, "cur"), 0);
	assert_int_equal(fixture_count(f, "new"), 1);
	fixture_must_open(f);
	fixture_expect(f, UIDS("4.d"));
}

/* What cannot be told from another is not removed. */
static void
test_remove_ambiguous(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_commit c;

	fixture_remove(f, "new/1.a");
	fixture_put(f, "cur/1.a:2,S", "x\n");
	fixture_put(f, "cur/1.a:2,FS", "y\n");
	c = fixture_commit(f, MSGNOS(1), NULL);
	assert_int_equal(c.removed, 0);
	assert_int_equal(c.failed, 1);
	assert_true(fixture_has(f, "cur/1.a:2,S"));
	assert_true(fixture_has(f, "cur/1.a:2,FS"));
}

static void
remove_forbidden(struct drop_fixture *f)
{
	char path[256];
	struct drop_commit c;

	fixture_must_open(f);
	snprintf(path, sizeof(path), "%s/cur", f->path);
	assert_int_equal(chmod(path, 0500), 0);
	c = fixture_commit(f, MSGNOS(1, 2, 3), NULL);
	assert_int_equal(c.removed, 1);
	assert_int_equal(c.failed, 2);
	assert_int_equal(chmod(path, 0700), 0);
	fixture_must_open(f);
	fixture_expect(f, UIDS("2.b", "3.c", "4.d"));
}

/* M-07: a removal that fails is reported. */
static void
test_remove_fails(void **state)
{
	struct drop_fixture *f = *state;

	fixture_close(f);
	fixture_as_owner(f, remove_forbidden);
	assert_false(fixture_has(f, "new/1.a"));
	assert_true(fixture_has(f, "cur/2.b:2,F"));
}

/* M-08: letting go changes nothing. */
static void
test_close(void **state)
{
	struct drop_fixture *f = *state;

	fixture_close(f);
	assert_int_equal(fixture_count(f, "new"), 2);
	assert_int_equal(fixture_count(f, "cur"), 2);
	fixture_must_open(f);
}

/* S-MD-04: S among the flags in order, from new too. */
static void
test_seen(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_commit c = fixture_commit(f, MSGNOS(4), MSGNOS(1, 2, 3, 4));

	assert_int_equal(c.removed, 1);
	assert_true(fixture_has(f, "cur/1.a:2,S"));
	assert_true(fixture_has(f, "cur/2.b:2,FS"));
	assert_true(fixture_has(f, "cur/3.c:2,S"));
	assert_int_equal(fixture_count(f, "new"), 0);
	assert_int_equal(fixture_count(f, "cur"), 3);
	fixture_must_open(f);
	fixture_expect(f, UIDS("1.a", "2.b", "3.c"));
}

/* Another message is never overwritten. */
static void
test_seen_taken(void **state)
{
	struct drop_fixture *f = *state;
	char *text;

	fixture_put(f, "cur/1.a:2,S", "another\n");
	fixture_commit(f, NULL, MSGNOS(1));
	assert_true(fixture_has(f, "new/1.a"));
	text = fixture_read(f, "cur/1.a:2,S");
	assert_string_equal(text, "another\n");
	free(text);
}

static void
expect_text(const struct drop_message *m, const char *text)
{
	char got[64] = "";

	assert_int_equal(m->status, FETCH_OK);
	assert_int_equal(m->encoding, ENC_LF);
	assert_int_equal(m->offset, 0);
	assert_int_equal(m->stored, strlen(text));
	assert_int_equal(fcntl(m->fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(read(m->fd, got, sizeof(got)), strlen(text));
	assert_string_equal(got, text);
	close(m->fd);
}

static void
test_fetch(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_message m[5] = { { .msgno = 2 }, { .msgno = 1 },
		{ .msgno = 3 }, { .msgno = 4 }, { .msgno = 5 } };

	fixture_rename(f, "new/1.a", "cur/1.a:2,S");
	fixture_remove(f, "cur/3.c:2,S");
	maildir_kind.fetch(f->drop, false, m, 5);
	expect_text(&m[0], "two\n");
	assert_int_equal(m[0].wire, 5);
	expect_text(&m[1], "one\n");
	assert_int_equal(m[2].status, FETCH_GONE);
	expect_text(&m[3], "four\n");
	assert_int_equal(m[4].status, FETCH_FAILED);
	/* Renamed once more after that. */
	fixture_rename(f, "cur/1.a:2,S", "cur/1.a:2,FS");
	maildir_kind.fetch(f->drop, false, m + 1, 1);
	expect_text(&m[1], "one\n");
}

/* S-ENG-22: a size that was wrong is answered right and mended. */
static void
test_size_changed(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_message m = { .msgno = 1 };
	struct drop_entry *v;

	fixture_put(f, "new/1.a", "longer\nthan before\n");
	maildir_kind.fetch(f->drop, false, &m, 1);
	assert_int_equal(m.wire, 21);
	assert_int_equal(m.stored, 19);
	close(m.fd);
	assert_true(f->drop->doubted);
	fixture_commit(f, NULL, NULL);
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(v[0].wire, 21);
	assert_int_equal(v[0].stored, 19);
	free(v);
}

/* A name that lies about the size is not believed a second time. */
static void
test_name_lies(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_entry *v;

	fixture_close(f);
	fixture_put(f, "new/5.e,S=4,W=4", "a\nb\n");
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(v[4].wire, 4);
	free(v);
	maildir_kind.doubt(f->drop, 5);
	fixture_commit(f, NULL, NULL);
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(v[4].wire, 6);
	free(v);
}

/* A view whose file is there no more says so. */
static void
test_index_lost(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_message m = { .msgno = 1 };
	uint64_t end;
	int fd;

	fixture_remove(f, "malote.index");
	assert_int_not_equal(
	    maildir_kind.view(f->drop, false, &fd, &end), E_OK);
	maildir_kind.fetch(f->drop, false, &m, 1);
	assert_int_equal(m.status, FETCH_FAILED);
	fixture_put(f, "malote.index", "something else");
	assert_int_not_equal(
	    maildir_kind.view(f->drop, false, &fd, &end), E_OK);
	/* Nothing is removed that cannot be known. */
	assert_int_equal(fixture_commit(f, MSGNOS(1), NULL).failed, 1);
	assert_true(fixture_has(f, "new/1.a"));
	fixture_must_open(f);
	fixture_expect(f, UIDS("1.a", "2.b", "3.c", "4.d"));
}

/* A message whose file became a symbolic link is not followed. */
static void
test_fetch_link(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_message m = { .msgno = 1 };
	char path[256];

	fixture_remove(f, "new/1.a");
	snprintf(path, sizeof(path), "%s/new/1.a", f->path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	maildir_kind.fetch(f->drop, false, &m, 1);
	assert_int_equal(m.status, FETCH_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_remove),
		T(test_remove_moved),
		T(test_remove_ambiguous),
		T(test_remove_fails),
		T(test_close),
		T(test_seen),
		T(test_seen_taken),
		T(test_fetch),
		T(test_size_changed),
		T(test_name_lies),
		T(test_index_lost),
		T(test_fetch_link),
	};

	umask(077);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
