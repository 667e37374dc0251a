/*
 * Opening a Maildir: what is a message, how large, in which order; what the
 * index saves; what other programs may do meanwhile.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "drop.h"
#include "server/store/maildir/maildir.h"
#include "server/store/maildir/measure.h"

#define UIDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

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
reopen(struct drop_fixture *f)
{
	fixture_close(f);
	fixture_must_open(f);
}

static void
test_empty(void **state)
{
	struct drop_fixture *f = *state;

	fixture_must_open(f);
	assert_int_equal(f->o.count, 0);
	assert_int_equal(f->o.octets, 0);
	free(fixture_list(f));
}

/* S-1939-26: sizes are those of the wire; F-MD-01: a name with a
 * dot in front is no message; S-MD-01: order of delivery. */
static void
test_sizes_and_order(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_entry *v;

	fixture_put(f, "cur/20.b:2,S", "A: b\n\nhi\n");
	fixture_put(f, "new/3.c", "A: b\n\nhi");
	fixture_put(f, "new/100.d", "A: b\r\n\r\nhi\r\n");
	fixture_put(f, "new/.hidden", "x");
	fixture_put(f, "cur/plain", "");
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(f->o.count, 4);
	assert_string_equal(v[0].uid, "plain");
	assert_int_equal(v[0].wire, 0);
	assert_string_equal(v[1].uid, "3.c");
	assert_string_equal(v[1].name, "n3.c");
	assert_int_equal(v[1].wire, 12);
	assert_string_equal(v[2].uid, "20.b");
	assert_string_equal(v[2].name, "c20.b:2,S");
	assert_int_equal(v[2].wire, 12);
	assert_string_equal(v[3].uid, "100.d");
	assert_int_equal(v[3].wire, 12);
	free(v);
}

/* F-MD-04, M-27: what a name says of the size is not believed, true or not. */
static void
test_size_in_name(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_entry *v;

	fixture_put(f, "new/1.a,S=6,W=9", "a\nb\nc\n");
	fixture_put(f, "new/2.b,S=7,W=9", "a\nb\nc\n");
	fixture_put(f, "new/3.c,S=6", "a\nb\nc\n");
	fixture_put(f, "new/4.d,S=6,W=8:2,S", "a\nb\nc\n");
	fixture_put(f, "new/5.e,S=6,W=99", "a\nb\nc\n");
	fixture_put(f, "new/6.f,S=6,W=x", "a\nb\nc\n");
	fixture_put(f, "new/7.g:2,S=6,W=8", "a\nb\nc\n");
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(f->o.count, 7);
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(v[i].wire, 9);
	free(v);
}

/* F-MD-04: a file that grows is counted as far as it was known, one that
 * shrinks as far as it goes. */
static void
test_size_changes(void **state)
{
	struct drop_fixture *f = *state;
	struct obstacle o;
	struct errbuf eb;
	uint64_t wire;
	char path[256];
	int fd;

	fixture_put(f, "new/1.a", "a\nb\nc\n");
	snprintf(path, sizeof(path), "%s/new/1.a", f->path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(maildir_count(fd, 0, UTF8_PASS, &wire, &o, &eb), E_OK);
	assert_int_equal(wire, 0);
	assert_int_equal(maildir_count(fd, 4, UTF8_PASS, &wire, &o, &eb), E_OK);
	assert_int_equal(wire, 6);
	assert_int_equal(
	    maildir_count(fd, 1000000, UTF8_PASS, &wire, &o, &eb), E_OK);
	assert_int_equal(wire, 9);
	close(fd);
}

/* S-MD-05: what is no regular file of ours is no message. */
static void
test_odd_files(void **state)
{
	struct drop_fixture *f = *state;
	char path[256];

	fixture_put(f, "new/1.a", "x\n");
	snprintf(path, sizeof(path), "%s/new/2.link", f->path);
	assert_int_equal(symlink("1.a", path), 0);
	snprintf(path, sizeof(path), "%s/new/3.dir", f->path);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/new/4.fifo", f->path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fixture_put(f, "new/5.other", "x\n");
	snprintf(path, sizeof(path), "%s/new/5.other", f->path);
	if (geteuid() == 0)
		assert_int_equal(chown(path, 12345, 12345), 0);
	else
		unlink(path);
	fixture_must_open(f);
	fixture_expect(f, UIDS("1.a"));
}

/* A message that cannot be read is left out and counted, and the next sign-in
 * looks again: its repair changes nothing of the directory. */
static void
test_left_out(void **state)
{
	struct drop_fixture *f = *state;
	char path[256], index[256];
	off_t size = 0;
	struct stat st;

	snprintf(index, sizeof(index), "%s/malote.index", f->path);
	fixture_put(f, "new/1.a", "x\n");
	fixture_put(f, "cur/2.b,S=2,W=3:2,", "x\n");
	snprintf(path, sizeof(path), "%s/cur/2.b,S=2,W=3:2,", f->path);
	assert_int_equal(
	    geteuid() == 0 ? chown(path, 12345, 12345) : chmod(path, 0), 0);
	fixture_settle();
	for (unsigned i = 0; i < 3; i++) {
		fixture_must_open(f);
		fixture_expect(f, UIDS("1.a"));
		assert_int_equal(f->o.left_out, 1);
		fixture_close(f);
		/* A sign-in that finds nothing new writes nothing. */
		assert_int_equal(stat(index, &st), 0);
		assert_true(i == 0 || st.st_size == size);
		size = st.st_size;
	}
	assert_int_equal(
	    geteuid() == 0 ? chown(path, 0, 0) : chmod(path, 0600), 0);
	fixture_must_open(f);
	fixture_expect(f, UIDS("1.a", "2.b,S=2,W=3"));
	assert_int_equal(f->o.left_out, 0);
	fixture_close(f);
	assert_int_equal(fixture_open(f, true), E_OK);
}

/* Architecture: an unchanged maildrop is opened without reading it. */
static void
test_quick(void **state)
{
	struct drop_fixture *f = *state;
	enum err fresh = E_OK;
	char name[32];

	fixture_put(f, "new/1.a", "x\n");
	fixture_put(f, "cur/2.b:2,", "x\n");
	assert_int_equal(fixture_open(f, true), E_AGAIN);
	assert_int_equal(fixture_open(f, false), E_OK);
	fixture_close(f);
	/* Times that are too fresh are not recorded.  A busy machine may take
	 * so long that they are not fresh any more: then once again. */
	for (unsigned i = 0; i < 100 && fresh != E_AGAIN; i++) {
		snprintf(name, sizeof(name), "new/3.c%u", i);
		fixture_put(f, name, "x\n");
		assert_int_equal(fixture_open(f, false), E_OK);
		fixture_close(f);
		fresh = fixture_open(f, true);
		fixture_close(f);
		fixture_remove(f, name);
	}
	assert_int_equal(fresh, E_AGAIN);
	fixture_settle();
	assert_int_equal(fixture_open(f, false), E_OK);
	fixture_close(f);
	assert_int_equal(fixture_open(f, true), E_OK);
	fixture_expect(f, UIDS("1.a", "2.b"));
	/* Any change makes it be read again. */
	fixture_close(f);
	fixture_put(f, "new/3.c", "x\n");
	assert_int_equal(fixture_open(f, true), E_AGAIN);
	assert_int_equal(fixture_open(f, false), E_OK);
	fixture_expect(f, UIDS("1.a", "2.b", "3.c"));
}

static bool
fetch_now(struct drop_fixture *f, struct hold_message *m, size_t n)
{
	return maildir_kind.fetch(f->drop, PACE_NOW, m, &n);
}

static enum err
open_now(struct drop_fixture *f)
{
	f->o = (struct hold_open){ .conf = &f->conf,
		.path = f->path,
		.user = "test",
		.peer = "192.0.2.7",
		.tag = "sid=0.2 user=test",
		.now = true };
	enum err e = maildir_kind.open(&f->o);

	f->drop = f->o.hold;
	return e;
}

/* On the loop: what is unchanged and in memory; else nothing is held. */
static void
test_now(void **state)
{
	struct drop_fixture *f = *state;
	struct hold_message m[2] = { { .msgno = 2 }, { .msgno = 1 } };
	char path[512];
	uint64_t end;
	int fd;

	fixture_put(f, "new/1.a", "x\n");
	fixture_put(f, "cur/2.b:2,", "y\n");
	assert_int_equal(open_now(f), E_AGAIN);
	assert_null(f->drop);
	assert_false(fixture_has(f, "malote.lock"));
	fixture_settle();
	fixture_must_open(f);
	fixture_close(f);
	if (open_now(f) == E_AGAIN)
		skip(); /* a file system that cannot say what it has */
	assert_int_equal(f->o.count, 2);
	assert_int_equal(maildir_kind.view(f->drop, true, &fd, &end), E_OK);
	close(fd);
	assert_true(fetch_now(f, m, 2));
	assert_int_equal(m[0].status, FETCH_OK);
	assert_int_equal(m[0].wire, 3);
	close(m[0].fd);
	close(m[1].fd);
	/* Marked by another program: found by reading the directories. */
	fixture_rename(f, "cur/2.b:2,", "cur/2.b:2,S");
	assert_false(fetch_now(f, m, 2));
	fixture_fetch(f, m, 2);
	assert_int_equal(m[0].status, FETCH_OK);
	close(m[0].fd);
	close(m[1].fd);
	/* Now that its name is known, again at once; but not with another
	 * size. */
	assert_true(fetch_now(f, m, 2));
	close(m[0].fd);
	close(m[1].fd);
	fixture_put(f, "new/1.a", "xx\n");
	assert_false(fetch_now(f, m, 2));
	fixture_close(f);
	/* Changed: nothing is held. */
	assert_int_equal(open_now(f), E_AGAIN);
	fixture_must_open(f);
	fixture_close(f);
	snprintf(path, sizeof(path), "%s/malote.index", f->path);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(open_now(f), E_AGAIN);
	assert_null(f->drop);
	fixture_must_open(f);
}

/* A restore may set the time of a directory back to what the index has. */
static void
test_kept_time(void **state)
{
	struct drop_fixture *f = *state;
	struct timespec t[2];
	char path[256];
	struct stat st;

	fixture_put(f, "cur/1.a:2,", "x\n");
	fixture_settle();
	fixture_must_open(f);
	fixture_close(f);
	assert_int_equal(fixture_open(f, true), E_OK);
	fixture_close(f);
	snprintf(path, sizeof(path), "%s/cur", f->path);
	assert_int_equal(stat(path, &st), 0);
	fixture_put(f, "cur/2.b:2,", "x\n");
	t[0] = st.st_atim;
	t[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
	fixture_must_open(f);
	fixture_expect(f, UIDS("1.a", "2.b"));
}

/* S-ENG-09, M-11: the same unique-id after every move and change of flags. */
static void
test_moves(void **state)
{
	struct drop_fixture *f = *state;

	fixture_put(f, "new/1.a", "x\n");
	fixture_put(f, "new/2.b", "xx\n");
	fixture_must_open(f);
	fixture_rename(f, "new/1.a", "cur/1.a:2,");
	reopen(f);
	fixture_expect(f, UIDS("1.a", "2.b"));
	fixture_rename(f, "cur/1.a:2,", "cur/1.a:2,S");
	fixture_rename(f, "new/2.b", "cur/2.b:2,FS");
	reopen(f);
	fixture_expect(f, UIDS("1.a", "2.b"));
	fixture_remove(f, "cur/1.a:2,S");
	reopen(f);
	fixture_expect(f, UIDS("2.b"));
	fixture_remove(f, "malote.index");
	reopen(f);
	fixture_expect(f, UIDS("2.b"));
}

/* S-ENG-11: the view is frozen, also when the index is appended to or
 * replaced by another session. */
static void
test_frozen(void **state)
{
	struct drop_fixture *f = *state, g;

	f->conf.shared = true;
	fixture_put(f, "new/1.a", "x\n");
	fixture_put(f, "new/2.b", "x\n");
	fixture_must_open(f);
	g = *f;
	g.drop = NULL;
	fixture_put(f, "new/3.c", "x\n");
	fixture_must_open(&g);
	fixture_expect(&g, UIDS("1.a", "2.b", "3.c"));
	fixture_expect(f, UIDS("1.a", "2.b"));
	fixture_close(&g);
	fixture_remove(f, "new/1.a");
	fixture_must_open(&g);
	fixture_expect(&g, UIDS("2.b", "3.c"));
	fixture_expect(f, UIDS("1.a", "2.b"));
	fixture_close(&g);
}

/* F-MD-06, M-12: files of one base name have unique-ids of their own, and
 * keep them whatever happens to the others. */
static void
test_doubles(void **state)
{
	struct drop_fixture *f = *state;
	struct drop_entry *v;
	char kept[INDEX_UID_MAX + 1], name[INDEX_NAME_MAX + 1];

	fixture_put(f, "new/1.a", "x\n");
	fixture_put(f, "cur/1.a:2,S", "xx\n");
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(f->o.count, 2);
	for (unsigned i = 0; i < 2; i++)
		if (strcmp(v[i].uid, "1.a") != 0) {
			strcpy(kept, v[i].uid);
			snprintf(name, sizeof(name), "%s/%s",
			    v[i].name[0] == 'n' ? "new" : "cur", v[i].name + 1);
		}
	free(v);
	assert_memory_equal(kept, "malote:", 7);
	fixture_remove(f, "malote.index");
	reopen(f);
	v = fixture_list(f);
	assert_true(strcmp(v[0].uid, kept) == 0 || strcmp(v[1].uid, kept) == 0);
	free(v);
	/* The other goes; this one gets other flags, and the index is lost. */
	fixture_remove(f, name[0] == 'n' ? "cur/1.a:2,S" : "new/1.a");
	fixture_rename(f, name, "cur/1.a:2,FRS");
	fixture_remove(f, "malote.index");
	reopen(f);
	fixture_expect(f, UIDS(kept));
}

/* Two links of one file are a delivery by link and unlink. */
static void
test_links(void **state)
{
	struct drop_fixture *f = *state;
	char a[256], b[256];

	fixture_put(f, "new/1.a", "x\n");
	snprintf(a, sizeof(a), "%s/new/1.a", f->path);
	snprintf(b, sizeof(b), "%s/cur/1.a:2,", f->path);
	assert_int_equal(link(a, b), 0);
	fixture_must_open(f);
	fixture_expect(f, UIDS("1.a"));
}

/* S-1939-32: what POP3 forbids becomes a digest, the same each time. */
static void
test_forbidden_names(void **state)
{
	struct drop_fixture *f = *state;
	char longest[256], file[300];
	struct drop_entry *v, *w;

	memset(longest, 'l', 71);
	longest[71] = '\0';
	snprintf(file, sizeof(file), "new/%s", longest);
	fixture_put(f, file, "x\n");
	fixture_put(f, "new/with space", "x\n");
	fixture_put(f, "new/\xc3\xa4", "x\n");
	fixture_put(f, "new/:2,S", "x\n");
	longest[70] = '\0';
	longest[0] = 'k';
	snprintf(file, sizeof(file), "new/%s", longest);
	fixture_put(f, file, "x\n");
	fixture_must_open(f);
	v = fixture_list(f);
	assert_int_equal(f->o.count, 5);
	for (unsigned i = 0; i < 5; i++)
		if (v[i].name[1] == 'k')
			assert_string_equal(v[i].uid, longest);
		else
			assert_memory_equal(v[i].uid, "malote:", 7);
	fixture_remove(f, "malote.index");
	fixture_remove(f, "malote-uidl");
	reopen(f);
	w = fixture_list(f);
	for (unsigned i = 0; i < 5; i++)
		assert_string_equal(v[i].uid, w[i].uid);
	free(v);
	free(w);
}

/* Torn or damaged at any place: every message is listed, under its id. */
static void
test_damaged(void **state)
{
	struct drop_fixture *f = *state;
	char path[256], name[32];
	unsigned char *good;
	struct stat st;
	int fd;

	for (unsigned i = 1; i <= 5; i++) {
		snprintf(name, sizeof(name), "new/%u.a", i);
		fixture_put(f, name, "x\n");
		if (i == 2)
			continue; /* the second block has two messages */
		fixture_must_open(f);
		fixture_close(f);
	}
	snprintf(path, sizeof(path), "%s/malote.index", f->path);
	assert_int_equal(stat(path, &st), 0);
	good = malloc((size_t)st.st_size);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, good, (size_t)st.st_size, 0), st.st_size);
	for (off_t i = 0; i < st.st_size; i += 7) {
		unsigned char bad = good[i] ^ 0x41;

		assert_int_equal(pwrite(fd, &bad, 1, i), 1);
		fixture_must_open(f);
		fixture_expect(f, UIDS("1.a", "2.a", "3.a", "4.a", "5.a"));
		fixture_close(f);
		close(fd);
		fd = open(path, O_RDWR | O_TRUNC);
		assert_int_equal(
		    pwrite(fd, good, (size_t)st.st_size, 0), st.st_size);
	}
	for (off_t i = 0; i < st.st_size; i += 11) {
		assert_int_equal(ftruncate(fd, i), 0);
		fixture_must_open(f);
		fixture_expect(f, UIDS("1.a", "2.a", "3.a", "4.a", "5.a"));
		fixture_close(f);
		close(fd);
		fd = open(path, O_RDWR | O_TRUNC);
		assert_int_equal(
		    pwrite(fd, good, (size_t)st.st_size, 0), st.st_size);
	}
	close(fd);
	free(good);
}

/* Many small blocks become one. */
static void
test_blocks(void **state)
{
	struct drop_fixture *f = *state;
	struct maildir *m;
	char name[32];

	for (unsigned i = 1; i <= 200; i++) {
		snprintf(name, sizeof(name), "new/%u.a", 1000 + i);
		fixture_put(f, name, "x\n");
		fixture_must_open(f);
		assert_int_equal(f->o.count, i);
		m = (struct maildir *)f->drop;
		assert_true(m->trailer.blocks <= 66);
		fixture_close(f);
	}
	fixture_must_open(f);
	free(fixture_list(f));
}

/* ---- while others rename ---- */

enum { BUSY = 6000, ROUNDS = 15 };

struct busy {
	struct drop_fixture *f;
	atomic_bool stop;
	unsigned first;
};

/* Moves its messages from new to cur, sets flags and takes them away. */
static void *
rename_all(void *arg)
{
	static const struct {
		const char *sub, *info;
	} step[] = { { "new", "" }, { "cur", ":2," }, { "cur", ":2,S" },
		{ "cur", ":2,FS" }, { "cur", ":2," } };
	struct busy *b = arg;
	char from[300], to[300];

	for (unsigned round = 0; !b->stop; round++) {
		unsigned k = round == 0 ? 0 : 1 + (round - 1) % 3;

		for (unsigned i = b->first; i < BUSY && !b->stop; i += 7) {
			snprintf(from, sizeof(from), "%s/%s/%u.m%s", b->f->path,
			    step[k].sub, 100000 + i, step[k].info);
			snprintf(to, sizeof(to), "%s/%s/%u.m%s", b->f->path,
			    step[k + 1].sub, 100000 + i, step[k + 1].info);
			rename(from, to);
		}
	}
	return NULL;
}

/* How many of the messages an open does not list rightly. */
static unsigned
open_wrong(struct drop_fixture *f)
{
	unsigned wrong = 0;
	struct drop_entry *v;

	if (fixture_open(f, false) != E_OK || f->o.count != BUSY)
		return BUSY + f->o.count;
	v = fixture_list(f);
	for (unsigned k = 0; k < BUSY; k++)
		wrong += strtoul(v[k].uid, NULL, 10) != 100000 + k;
	free(v);
	return wrong;
}

/* M-27, S-MD-01: nothing vanishes because it is renamed meanwhile, with and
 * without an index. */
static void
test_busy(void **state)
{
	struct drop_fixture *f = *state;
	struct busy b[2] = { { .f = f, .first = 0 }, { .f = f, .first = 3 } };
	unsigned wrong[ROUNDS];
	pthread_t t[2];
	char name[64];

	for (unsigned i = 0; i < BUSY; i++) {
		snprintf(name, sizeof(name), "new/%u.m", 100000 + i);
		fixture_put(f, name, "x\n");
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, rename_all, &b[i]), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		wrong[i] = open_wrong(f);
		fixture_close(f);
		if (i % 3 == 2)
			fixture_remove(f, "malote.index");
	}
	for (unsigned i = 0; i < 2; i++) {
		b[i].stop = true;
		pthread_join(t[i], NULL);
	}
	for (unsigned i = 0; i < ROUNDS; i++)
		assert_int_equal(wrong[i], 0);
}

/* ---- where nothing can be written ---- */

static void
open_read_only(struct drop_fixture *f)
{
	assert_int_equal(chmod(f->path, 0500), 0);
	fixture_must_open(f);
	assert_int_equal(chmod(f->path, 0700), 0);
	fixture_expect(f, UIDS("1.a", "2.b"));
}

/* S-IDX-01: where nothing can be written mail is served all the same. */
static void
test_read_only(void **state)
{
	struct drop_fixture *f = *state;

	fixture_put(f, "new/1.a", "x\n");
	fixture_put(f, "new/2.b", "x\n");
	fixture_as_owner(f, open_read_only);
	assert_false(fixture_has(f, "malote.index"));
}

/* What stands in the index's place keeps nobody from his mail. */
static void
test_index_blocked(void **state)
{
	struct drop_fixture *f = *state;
	char path[256];

	fixture_put(f, "new/1.a", "x\n");
	snprintf(path, sizeof(path), "%s/malote.index", f->path);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/x");
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_must_open(f);
	fixture_expect(f, UIDS("1.a"));
	assert_false(fixture_has(f, "malote.index.tmp"));
}

/* S-MD-03: what deliveries left in tmp goes after 36 hours, not before. */
static void
test_tmp(void **state)
{
	struct drop_fixture *f = *state;
	struct timespec old[2] = { { time(NULL) - 37 * 3600, 0 },
		{ time(NULL) - 37 * 3600, 0 } };
	struct timespec young[2] = { { time(NULL) - 35 * 3600, 0 },
		{ time(NULL) - 37 * 3600, 0 } };
	char path[256];

	fixture_put(f, "tmp/old", "x");
	fixture_put(f, "tmp/young", "x");
	snprintf(path, sizeof(path), "%s/tmp/old", f->path);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	snprintf(path, sizeof(path), "%s/tmp/young", f->path);
	assert_int_equal(utimensat(AT_FDCWD, path, young, 0), 0);
	fixture_must_open(f);
	assert_false(fixture_has(f, "tmp/old"));
	assert_true(fixture_has(f, "tmp/young"));
	/* Once a day. */
	fixture_put(f, "tmp/old", "x");
	snprintf(path, sizeof(path), "%s/tmp/old", f->path);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	fixture_put(f, "new/1.a", "x\n");
	reopen(f);
	assert_true(fixture_has(f, "tmp/old"));
}

/* ---- no Maildir ---- */

static void
test_made(void **state)
{
	struct drop_fixture *f = *state;
	struct stat st;

	snprintf(f->path, sizeof(f->path), "%s/example.org/alice", f->base);
	f->conf.create = false;
	assert_int_equal(fixture_open(f, true), E_AGAIN);
	assert_int_equal(fixture_open(f, false), E_NOENT);
	assert_int_equal(f->o.code, SIGN_IN_TEMPORARY);
	f->conf.create = true;
	fixture_must_open(f);
	assert_int_equal(f->o.count, 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	fixture_put(f, "tmp/x", "x");
	fixture_put(f, "new/1.a", "x\n");
	reopen(f);
	fixture_expect(f, UIDS("1.a"));
}

static void
test_mbox(void **state)
{
	struct drop_fixture *f = *state;

	fixture_put(f, "mbox", "From a Sat Nov 22 01:04:02 2026\n\nx\n");
	strcat(f->path, "/mbox");
	assert_int_equal(fixture_open(f, true), E_FORMAT);
	assert_int_equal(f->o.code, SIGN_IN_PERMANENT);
}

/* S-1939-36: one at a time, and who. */
static void
test_lock(void **state)
{
	struct drop_fixture *f = *state, g = *f;

	fixture_must_open(f);
	g.drop = NULL;
	assert_int_equal(fixture_open(&g, true), E_BUSY);
	assert_int_equal(g.o.code, SIGN_IN_IN_USE);
	assert_true(g.o.holder.since != 0);
	assert_string_equal(g.o.holder.peer, "192.0.2.1");
	fixture_close(f);
	fixture_must_open(&g);
	fixture_close(&g);
	/* Opened at once it is noted later. */
	fixture_settle();
	fixture_must_open(f);
	fixture_close(f);
	if (open_now(f) == E_AGAIN)
		skip();
	assert_true(f->drop->unnoted);
	assert_int_equal(open_now(&g), E_AGAIN);
	assert_null(g.drop);
	maildir_kind.note(f->drop, f->o.peer);
	assert_int_equal(fixture_open(&g, true), E_BUSY);
	assert_string_equal(g.o.holder.peer, "192.0.2.7");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(test_empty),
		T(test_sizes_and_order),
		T(test_size_in_name),
		T(test_size_changes),
		T(test_odd_files),
		T(test_left_out),
		T(test_quick),
		T(test_now),
		T(test_kept_time),
		T(test_moves),
		T(test_frozen),
		T(test_doubles),
		T(test_links),
		T(test_forbidden_names),
		T(test_damaged),
		T(test_blocks),
		T(test_busy),
		T(test_read_only),
		T(test_index_blocked),
		T(test_tmp),
		T(test_made),
		T(test_mbox),
		T(test_lock),
	};

	umask(077);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
