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
#include "forge.h"
#include "server/store/maildir/indexfile.h"
#include "server/store/maildir/uidlfile.h"

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
	struct hold_commit c = fixture_commit(f, MSGNOS(1, 3), NULL);

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
	struct hold_commit c;

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
	struct hold_commit c;

	fixture_remove(f, "new/1.a");
	fixture_put(f, "cur/1.a:2,S", "x\n");
	fixture_put(f, "cur/1.a:2,FS", "y\n");
	c = fixture_commit(f, MSGNOS(1), NULL);
	assert_int_equal(c.removed, 0);
	assert_int_equal(c.failed, 1);
	assert_true(fixture_has(f, "cur/1.a:2,S"));
	assert_true(fixture_has(f, "cur/1.a:2,FS"));
}

/* What is removed is in the folder Trash, as a removed message there; the one that
 * was in the way of its name, too. */
static void
test_trash(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_commit c;
	char *text;

	f->conf.trash = true;
	c = fixture_commit(f, MSGNOS(1, 2), NULL);
	assert_int_equal(c.removed, 2);
	assert_int_equal(c.failed, 0);
	assert_true(fixture_has(f, ".Trash/cur/1.a:2,T"));
	assert_true(fixture_has(f, ".Trash/cur/2.b:2,FT"));
	assert_int_equal(fixture_count(f, ".Trash"), 3);
	fixture_put(f, "new/1.a", "another one\n");
	fixture_must_open(f);
	fixture_expect(f, UIDS("3.c", "4.d", "1.a"));
	c = fixture_commit(f, MSGNOS(3), NULL);
	assert_int_equal(c.removed, 1);
	text = fixture_read(f, ".Trash/cur/1.a:2,T");
	assert_string_equal(text, "one\n");
	free(text);
	text = fixture_read(f, ".Trash/cur/2-1.a:2,T");
	assert_string_equal(text, "another one\n");
	free(text);
}

/* A link out of the Maildir is no folder of it: nothing is removed. */
static void
test_trash_elsewhere(void **state)
{
	struct drop_fixture *f = *state;
	char path[256];
	struct hold_commit c;

	f->conf.trash = true;
	snprintf(path, sizeof(path), "%s/.Trash", f->path);
	assert_int_equal(symlink(f->base, path), 0);
	c = fixture_commit(f, MSGNOS(1), NULL);
	assert_int_equal(c.removed, 0);
	assert_int_equal(c.failed, 1);
	assert_true(fixture_has(f, "new/1.a"));
}

/* What expires is not kept: it would fill the disk. */
static void
test_trash_not_expired(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_commit c = { .expired = (uint8_t[]){ 1 } };

	f->conf.trash = true;
	maildir_kind.commit(f->drop, &c);
	f->drop = NULL;
	assert_int_equal(c.removed, 1);
	assert_false(fixture_has(f, "new/1.a"));
	assert_false(fixture_has(f, ".Trash"));
}

static void
remove_forbidden(struct drop_fixture *f)
{
	char path[256];
	struct hold_commit c;

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
	struct hold_commit c = fixture_commit(f, MSGNOS(4), MSGNOS(1, 2, 3, 4));

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
expect_text(const struct hold_message *m, const char *text)
{
	char got[64] = "";

	assert_int_equal(m->status, FETCH_OK);
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
	struct hold_message m[5] = { { .msgno = 2 }, { .msgno = 1 },
		{ .msgno = 3 }, { .msgno = 4 }, { .msgno = 5 } };

	fixture_rename(f, "new/1.a", "cur/1.a:2,S");
	fixture_remove(f, "cur/3.c:2,S");
	fixture_fetch(f, m, 5);
	expect_text(&m[0], "two\n");
	assert_int_equal(m[0].wire, 5);
	expect_text(&m[1], "one\n");
	assert_int_equal(m[2].status, FETCH_GONE);
	expect_text(&m[3], "four\n");
	assert_int_equal(m[4].status, FETCH_FAILED);
	/* Renamed once more after that. */
	fixture_rename(f, "cur/1.a:2,S", "cur/1.a:2,FS");
	fixture_fetch(f, m + 1, 1);
	expect_text(&m[1], "one\n");
}

/* S-ENG-22: a size that was wrong is answered right and mended. */
static void
test_size_changed(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_message m = { .msgno = 1 };
	struct drop_entry *v;

	fixture_put(f, "new/1.a", "longer\nthan before\n");
	fixture_fetch(f, &m, 1);
	assert_int_equal(m.wire, 21);
	assert_int_equal(m.stored, 19);
	close(m.fd);
	assert_true(f->drop->doubted);
	fixture_commit(f, NULL, NULL);
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(v[0].wire, 21);
	free(v);
}

/* The same when the size is the same, and only the lines' ends differ. */
static void
test_rewritten(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_message m = { .msgno = 1 };
	struct drop_entry *v;

	fixture_settle(); /* into another tick of the clock */
	fixture_put(f, "new/1.a", "\n\n\n\n");
	fixture_fetch(f, &m, 1);
	assert_int_equal(m.wire, 8);
	close(m.fd);
	fixture_commit(f, NULL, NULL);
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(v[0].wire, 8);
	free(v);
}

/* A view whose file is there no more says so. */
static void
test_index_lost(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_message m = { .msgno = 1 };
	uint64_t end;
	int fd;

	fixture_remove(f, "malote.index");
	assert_int_not_equal(
	    maildir_kind.view(f->drop, false, &fd, &end), E_OK);
	fixture_fetch(f, &m, 1);
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
	struct hold_message m = { .msgno = 1 };
	char path[256];

	fixture_remove(f, "new/1.a");
	snprintf(path, sizeof(path), "%s/new/1.a", f->path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	fixture_fetch(f, &m, 1);
	assert_int_equal(m.status, FETCH_FAILED);
}

/* ---- an index that lies ---- */

enum { OTHERS = 40, FORGERIES = 60 };

static char *
index_read(struct drop_fixture *f, size_t *n_r)
{
	char path[256], *p = malloc(1 << 20);
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/malote.index", f->path);
	fd = open(path, O_RDONLY);
	assert_non_null(p);
	assert_true((n = read(fd, p, 1 << 20)) >= 0);
	close(fd);
	*n_r = (size_t)n;
	return p;
}

/* In place: it is the same file. */
static void
index_write(struct drop_fixture *f, const char *p, size_t n)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/malote.index", f->path);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

static struct index_trailer
last_trailer(const char *p, size_t n)
{
	struct index_trailer t;

	assert_int_equal(index_get_trailer(p + n - INDEX_TRAILER, &t), E_OK);
	return t;
}

/* Some unique-ids come from another server, so malote-uidl has them. */
static void
put_others(struct drop_fixture *f)
{
	char file[64], list[2048] = "3 V1 N100\n";

	for (unsigned i = 10; i < 10 + OTHERS; i++) {
		snprintf(file, sizeof(file),
		    i % 3 != 0 ? "new/%u.m" : "cur/%u.m:2,F", i);
		fixture_put(f, file, "a message\n");
		if (i % 4 == 0)
			snprintf(list + strlen(list),
			    sizeof(list) - strlen(list), "%u Pdove-%u :%u.m\n",
			    i, i, i);
	}
	fixture_put(f, "dovecot-uidlist", list);
}

/* Opened and closed, so that the next one needs only the index. */
static void
settle_index(struct drop_fixture *f)
{
	fixture_close(f);
	fixture_settle();
	fixture_must_open(f);
	fixture_close(f);
}

/* i, or in one of `odds` cases anybody. */
static uint32_t
somebody(uint32_t i, uint32_t n, uint32_t odds)
{
	return odds != 0 && (uint32_t)rand() % odds == 0 ? (uint32_t)rand() % n
							 : i;
}

/* The same messages in as many blocks, but some with another's name or
 * unique-id. */
static char *
forge_pairs(const struct drop_entry *v, uint32_t n, uint32_t odds,
    struct index_trailer old, size_t *n_r)
{
	static const struct index_trailer nothing;
	struct index_writer *w = index_writer_new(&nothing);
	struct index_trailer t;
	struct buf b;
	char *p;

	buf_init(&b, 1 << 20, false);
	for (uint32_t i = 0; i < n; i++) {
		const char *uid = v[somebody(i, n, odds)].uid;
		const char *name = v[somebody(i, n, odds)].name;

		assert_int_equal(index_writer_add(w, &b, v[i].wire, v[i].stamp,
				     0, (struct slice){ uid, strlen(uid) },
				     (struct slice){ name, strlen(name) }),
		    E_OK);
	}
	do
		assert_int_equal(index_writer_end(w, &b, old.new_time,
				     old.cur_time, false, &t),
		    E_OK);
	while (t.blocks < old.blocks);
	index_writer_free(w);
	assert_non_null(p = malloc(b.len));
	memcpy(p, buf_data(&b), b.len);
	*n_r = b.len;
	buf_free(&b);
	return p;
}

/* Numbers and octets anywhere in a block. */
static void
forge_anything(char *p, size_t n)
{
	uint32_t count = forge_get32(p + 12);
	char *r = p + INDEX_HEADER +
		  (size_t)rand() % (count != 0 ? count : 1) * INDEX_RECORD;
	char *trailer = p + n - INDEX_TRAILER;

	switch (rand() % 8) {
	case 0: forge_put32(p + 12, (uint32_t)rand() % (count + 2)); break;
	case 1: forge_put32(trailer + 8, (uint32_t)rand() % 60); break;
	case 2: forge_put32(trailer + 8, UINT32_MAX); break;
	case 3: forge_put32(trailer + 12, (uint32_t)rand() % 4); break;
	case 4: trailer[16] = (char)rand(); break;
	case 5: memcpy(r, p + INDEX_HEADER, INDEX_RECORD); break;
	case 6:
		forge_put32(r + 16 + rand() % 2 * 4, (uint32_t)rand() % 300);
		break;
	default: p[INDEX_HEADER + (size_t)rand() % (n - INDEX_HEADER)] ^= 1;
	}
	forge_mend(p, n);
}

static void
forge(struct drop_fixture *f, const struct drop_entry *v, uint32_t count)
{
	size_t n;
	char *p = index_read(f, &n), *forged;

	if (n > INDEX_HEADER + INDEX_TRAILER && rand() % 2 == 0) {
		forged = forge_pairs(v, count, 1 + (uint32_t)rand() % 40,
		    last_trailer(p, n), &n);
		free(p);
		p = forged;
	}
	for (int i = rand() % 3; i > 0; i--)
		forge_anything(p, n);
	index_write(f, p, n);
	free(p);
}

/* What a client is told of a message; false: it cannot be had. */
static bool
tell(struct drop_fixture *f, uint32_t msgno, char uid[INDEX_UID_MAX + 1])
{
	struct index_block b = index_start, next;
	char h[INDEX_HEADER];
	struct index_record r;
	bool told = false;
	uint64_t end;
	int fd;

	if (maildir_kind.view(f->drop, false, &fd, &end) != E_OK)
		return false;
	while (b.next < end &&
	       pread(fd, h, sizeof(h), (off_t)b.next) == sizeof(h) &&
	       index_get_block(h, &b, end, f->o.count, &next) == E_OK) {
		b = next;
		if (msgno - b.first >= b.n)
			continue;
		told =
		    pread(fd, h, INDEX_RECORD,
			(off_t)index_record_place(&b, msgno)) == INDEX_RECORD &&
		    index_get_record(h, &b, msgno, &r) == E_OK &&
		    pread(fd, uid, r.uid_len, (off_t)r.uid_off) == r.uid_len &&
		    index_check_uid(uid, &r) == E_OK;
		if (told)
			uid[r.uid_len] = '\0';
		break;
	}
	close(fd);
	return told;
}

/* The unique-id that a file has, whatever the index says. */
static void
true_uid(const struct uidlfile *u, const char *name, struct uid *uid_r)
{
	struct slice base = { name + 1, strcspn(name + 1, ":") };
	const struct uidl_line *l;

	uid_own(uid_r, base);
	if ((l = uidlfile_find(u, uid_slice(uid_r), 0)) != NULL)
		assert_true(uid_set(uid_r, l->uid));
}

static bool
is_there(struct drop_fixture *f, const char *name)
{
	char file[INDEX_NAME_MAX + 8];

	snprintf(file, sizeof(file), "%s/%s", name[0] == 'n' ? "new" : "cur",
	    name + 1);
	return fixture_has(f, file);
}

static void
load_uidls(struct drop_fixture *f, struct uidlfile *u)
{
	int root = open(f->path, O_RDONLY | O_DIRECTORY);
	struct errbuf eb;

	uidlfile_init(u);
	assert_int_equal(uidlfile_load(u, root, &eb), E_OK);
	close(root);
}

/* One session with whatever index: what is gone was named to the client. */
static void
forged_session(struct drop_fixture *f, const struct drop_entry *v, uint32_t n)
{
	char uid[32][INDEX_UID_MAX + 1];
	uint32_t marks[33] = { 0 }, marked = 0;
	struct hold_commit c;
	struct uidlfile u;
	struct uid is;

	if (fixture_open(f, false) != E_OK)
		return;
	load_uidls(f, &u);
	for (uint32_t i = 1; i <= f->o.count && i < 200 && marked < 32; i++)
		if (rand() % 3 == 0 && tell(f, i, uid[marked]))
			marks[marked++] = i;
	if (rand() % 4 == 0) {
		fixture_settle(); /* within one tick a change has no time */
		forge(f, v, n);
	}
	c = fixture_commit(f, marks, NULL);
	assert_int_equal(c.removed + c.failed, marked);
	for (uint32_t i = 0; i < n; i++) {
		bool named = false;

		true_uid(&u, v[i].name, &is);
		for (uint32_t k = 0; k < marked && !named; k++)
			named = strlen(uid[k]) == is.n &&
				memcmp(uid[k], is.s, is.n) == 0;
		assert_true(named || is_there(f, v[i].name));
	}
	uidlfile_free(&u);
}

/* Whatever the index holds, all sums being right: only messages whose
 * unique-ids the client was told are removed. */
static void
test_forged(void **state)
{
	struct drop_fixture *f = *state;

	for (unsigned i = 0; i < FORGERIES; i++) {
		struct drop_entry *v;
		uint32_t n;

		srand(i);
		fixture_clear(f);
		fixture_init(f);
		f->conf.log_removed = false;
		put_others(f);
		fixture_must_open(f);
		v = fixture_list(f);
		n = f->o.count;
		assert_int_equal(n, OTHERS);
		settle_index(f);
		forge(f, v, n);
		forged_session(f, v, n);
		free(v);
	}
}

/* A last trailer that says 2 behind a block of 44: the marks are of 2. */
static void
test_trailer_lies(void **state)
{
	struct drop_fixture *f = *state;
	struct index_trailer t;
	size_t n;
	char *p;

	put_others(f);
	settle_index(f);
	p = index_read(f, &n);
	forge_put32(p + n - INDEX_TRAILER + 8, 2);
	forge_trailer(p + n - INDEX_TRAILER);
	t = last_trailer(p, n);
	assert_int_equal(t.count, 2);
	index_write(f, p, n);
	free(p);
	fixture_must_open(f);
	assert_int_equal(f->o.count, 2);
	assert_int_equal(fixture_commit(f, MSGNOS(1), NULL).failed, 1);
	assert_int_equal(
	    fixture_count(f, "new") + fixture_count(f, "cur"), 4 + OTHERS);
	fixture_must_open(f);
	assert_int_equal(f->o.count, 4 + OTHERS);
}

/* The listing says one unique-id, the record another, of its own file. */
static void
test_listing_lies(void **state)
{
	struct drop_fixture *f = *state;
	char *p, *a, *b, was[INDEX_RECORD];
	size_t n;

	settle_index(f);
	p = index_read(f, &n);
	a = p + INDEX_HEADER;
	b = a + INDEX_RECORD;
	memcpy(was, a, sizeof(was));
	memcpy(a, b, sizeof(was));
	memcpy(b, was, sizeof(was));
	forge_mend(p, n);
	index_write(f, p, n);
	free(p);
	fixture_must_open(f);
	assert_int_equal(f->o.count, 4);
	assert_int_equal(fixture_commit(f, MSGNOS(1), NULL).failed, 1);
	assert_true(fixture_has(f, "new/1.a"));
	assert_true(fixture_has(f, "cur/2.b:2,F"));
}

static enum err
take_nothing(void *arg, const struct indexfile_entry *entry)
{
	(void)arg;
	(void)entry;
	return E_OK;
}

/* It is read to its end, or it counts for nothing. */
static void
test_verify(void **state)
{
	struct drop_fixture *f = *state;
	struct index_trailer t, other;
	uint64_t end;
	size_t n;
	char *p;
	int fd;

	p = index_read(f, &n);
	t = last_trailer(p, n);
	free(p);
	assert_int_equal(maildir_kind.view(f->drop, false, &fd, &end), E_OK);
	assert_int_equal(
	    indexfile_verify(fd, end, &t, take_nothing, NULL), E_OK);
	assert_int_equal(
	    indexfile_verify(fd, end - 1, &t, take_nothing, NULL), E_FORMAT);
	assert_int_equal(
	    indexfile_verify(fd, end + 1, &t, take_nothing, NULL), E_FORMAT);
	for (unsigned i = 0; i < 3; i++) {
		other = t;
		other.count += i == 0;
		other.blocks += i == 1;
		other.octets += i == 2;
		assert_int_equal(
		    indexfile_verify(fd, end, &other, take_nothing, NULL),
		    E_FORMAT);
	}
	close(fd);
}

/* Written to between login and QUIT, in place: nothing goes. */
static void
test_index_rewritten(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_entry *v = fixture_list(f), was = v[0];
	struct index_trailer t;
	size_t n;
	char *p;

	settle_index(f);
	fixture_must_open(f);
	fixture_settle();
	p = index_read(f, &n);
	t = last_trailer(p, n);
	free(p);
	/* Another one that has nothing wrong in itself. */
	v[0] = v[3];
	v[3] = was;
	p = forge_pairs(v, 4, 0, t, &n);
	index_write(f, p, n);
	free(p);
	free(v);
	assert_int_equal(fixture_commit(f, MSGNOS(1), NULL).failed, 1);
	assert_true(fixture_has(f, "new/1.a"));
	assert_true(fixture_has(f, "new/4.d"));
	fixture_must_open(f);
	fixture_expect(f, UIDS("1.a", "2.b", "3.c", "4.d"));
}

/* Two files of one base name are two messages: when the one that is marked
 * has gone already, the other stays, whichever it is. */
static void
test_remove_double(void **state)
{
	struct drop_fixture *f = *state;
	static const char *const file[] = { "new/5.e", "cur/5.e:2,S" };
	struct drop_entry *v;
	struct hold_commit c;

	for (uint32_t msgno = 5; msgno <= 6; msgno++) {
		unsigned goes;

		fixture_close(f);
		fixture_put(f, file[0], "one\n");
		fixture_put(f, file[1], "another\n");
		fixture_must_open(f);
		assert_int_equal(f->o.count, 6);
		v = fixture_list(f);
		goes = v[msgno - 1].name[0] == 'c';
		free(v);
		fixture_remove(f, file[goes]);
		c = fixture_commit(f, (const uint32_t[]){ msgno, 0 }, NULL);
		assert_int_equal(c.failed, 0);
		assert_true(fixture_has(f, file[1 - goes]));
		fixture_must_open(f);
		fixture_remove(f, file[1 - goes]);
	}
}

/* As a restore does, or a program that writes messages anew: other inodes. */
static void
renew(struct drop_fixture *f, const char *const file[2],
    const char *const text[2])
{
	fixture_close(f);
	fixture_put(f, "tmp/a", text[0]);
	fixture_put(f, "tmp/b", text[1]);
	fixture_rename(f, "tmp/a", file[0]);
	fixture_rename(f, "tmp/b", file[1]);
	fixture_must_open(f);
}

/* The message has gone, the other one is there. */
static void
expect_one(struct drop_fixture *f, uint32_t gone, const char *text)
{
	struct hold_message m[] = { { .msgno = gone }, { .msgno = 11 - gone } };

	fixture_fetch(f, m, 2);
	assert_int_equal(m[0].status, FETCH_GONE);
	expect_text(&m[1], text);
}

static void
fetch_double(struct drop_fixture *f, uint32_t msgno, bool renewed)
{
	static const char *const file[] = { "new/5.e", "cur/5.e:2,S" };
	static const char *const text[] = { "one\n", "another\n" };
	struct drop_entry *v;
	unsigned goes;

	fixture_close(f);
	fixture_put(f, file[0], text[0]);
	fixture_put(f, file[1], text[1]);
	fixture_must_open(f);
	if (renewed)
		renew(f, file, text);
	assert_int_equal(f->o.count, 6);
	v = fixture_list(f);
	goes = v[msgno - 1].name[0] == 'c';
	free(v);
	fixture_remove(f, file[goes]);
	expect_one(f, msgno, text[1 - goes]);
	fixture_rename(f, file[1 - goes], "cur/5.e:2,FS");
	expect_one(f, msgno, text[1 - goes]);
	/* Under the other's very name, too. */
	fixture_rename(f, "cur/5.e:2,FS", file[goes]);
	expect_one(f, msgno, text[1 - goes]);
	fixture_remove(f, file[goes]);
}

/* The same for what is read: it has gone, and the other one is found wherever
 * it is by then. */
static void
test_fetch_double(void **state)
{
	for (uint32_t msgno = 5; msgno <= 6; msgno++)
		for (unsigned renewed = 0; renewed < 2; renewed++)
			fetch_double(*state, msgno, renewed);
}

static void
remove_unsaved(struct drop_fixture *f)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/malote-uidl", f->path);
	fixture_put(f, "malote-uidl", "malote-uidl 1\n");
	assert_int_equal(chmod(path, 0400), 0);
	/* The second one finds the index of the first. */
	for (uint32_t i = 0; i < 2; i++) {
		settle_index(f);
		fixture_must_open(f);
		assert_int_equal(fixture_commit(f, MSGNOS(1), NULL).removed, 1);
	}
}

/* A disk that is full can be emptied: unique-ids that could not be written
 * down are believed. */
static void
test_remove_unsaved(void **state)
{
	struct drop_fixture *f = *state;

	fixture_close(f);
	fixture_remove(f, "malote.index");
	fixture_remove(f, "malote-uidl");
	fixture_put(f, "dovecot-uidlist",
	    "3 V1 N100\n1 Pa :1.a\n2 Pb :2.b\n3 Pc :3.c\n");
	fixture_as_owner(f, remove_unsaved);
	assert_false(fixture_has(f, "new/1.a"));
	assert_false(fixture_has(f, "cur/2.b:2,F"));
	assert_true(fixture_has(f, "cur/3.c:2,S"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_remove),
		T(test_remove_moved),
		T(test_remove_ambiguous),
		T(test_trash),
		T(test_trash_elsewhere),
		T(test_trash_not_expired),
		T(test_remove_fails),
		T(test_close),
		T(test_seen),
		T(test_seen_taken),
		T(test_fetch),
		T(test_size_changed),
		T(test_rewritten),
		T(test_index_lost),
		T(test_fetch_link),
		T(test_forged),
		T(test_trailer_lies),
		T(test_listing_lies),
		T(test_verify),
		T(test_index_rewritten),
		T(test_remove_double),
		T(test_fetch_double),
		T(test_remove_unsaved),
	};

	umask(077);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
