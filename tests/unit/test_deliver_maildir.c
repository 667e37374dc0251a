/*
 * Maildir: what is stored under which name, in which order it gets to the
 * disk, and what is made of a run that ended early.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sched.h>

#include <cmocka.h>

#include "client/deliver/name.h"
#include "deliver.h"

enum { CALLS = 64 };

/* ---- the calls that count ---- */

static struct {
	enum { FSYNC, RENAME } what;
	ino_t ino; /* FSYNC: of the file; else of the one renamed */
} calls[CALLS];
static unsigned n_calls;
static bool old_kernel;   /* renameat2 is not implemented */
static ino_t cannot_sync; /* this folder */

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat2(int, const char *, int, const char *, unsigned);
int __wrap_renameat2(int, const char *, int, const char *, unsigned);

static ino_t
inode(int at, const char *name)
{
	struct stat st;

	assert_int_equal(
	    fstatat(at, name, &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

int
__wrap_fsync(int fd)
{
	ino_t ino = inode(fd, "");

	if (n_calls < CALLS) {
		calls[n_calls].what = FSYNC;
		calls[n_calls++].ino = ino;
	}
	if (ino == cannot_sync) {
		errno = EIO;
		return -1;
	}
	return __real_fsync(fd);
}

int
__wrap_renameat2(
    int from, const char *old, int to, const char *new, unsigned flags)
{
	if (old_kernel) {
		errno = EINVAL;
		return -1;
	}
	if (n_calls < CALLS) {
		calls[n_calls].what = RENAME;
		calls[n_calls++].ino = inode(from, old);
	}
	return __real_renameat2(from, old, to, new, flags);
}

/* ---- fixture ---- */

static int
setup(void **state)
{
	static struct place p;

	/* First, as a new folder may have the number of an old one. */
	cannot_sync = 0;
	old_kernel = false;
	place_init(&p, DEST_MAILDIR, "Mail/x");
	place_open(&p);
	n_calls = 0;
	*state = &p;
	return 0;
}

static int
teardown(void **state)
{
	place_clear(*state);
	return 0;
}

static ino_t
inode_of(struct place *p, const char *file)
{
	char path[2048];

	snprintf(path, sizeof(path), "%s/%s", p->base, file);
	return inode(AT_FDCWD, path);
}

static void
move_file(struct place *p, const char *from, const char *to)
{
	char a[2048], b[2048];

	snprintf(a, sizeof(a), "%s/%s", p->base, from);
	snprintf(b, sizeof(b), "%s/%s", p->base, to);
	assert_int_equal(rename(a, b), 0);
}

static void
make_folder(struct place *p, const char *name)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", p->base, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* ---- storing ---- */

/* C-ENG-14, C-ENG-33: octet for octet, 0600, and sizes in the name. */
static void
test_stores(void **state)
{
	static const char text[] = "A: b\n\n.x\0y\xff\rz\r\r\nFrom me\n";
	struct place *p = *state;
	struct parcel *q = place_parcel(p, text, sizeof(text) - 1, "u1");
	char name[512], *is;
	struct stat st;
	struct name parsed;
	size_t n;

	assert_int_equal(q->octets, sizeof(text) - 1);
	assert_int_equal(q->fd, -1);
	assert_int_equal(place_count(p, "Mail/x/tmp"), 1);
	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
	assert_int_equal(place_count(p, "Mail/x/new"), 0);
	delivery_publish(p->d, &q, 1);
	assert_int_equal(q->result, E_OK);
	delivery_release(p->d, &q, 1);
	assert_int_equal(place_count(p, "Mail/x/tmp"), 0);
	is = place_read(p, place_only(p, "Mail/x/new", name), &n);
	assert_int_equal(n, sizeof(text) - 1);
	assert_memory_equal(is, text, n);
	free(is);
	assert_string_equal(strrchr(name, '/') + 1, q->file);
	assert_true(strlen(q->file) < 200);
	snprintf(name, sizeof(name), "%s/new/%s", p->path, q->file);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_true(name_parse(q->file, &parsed));
	assert_int_equal(parsed.octets, 24);
	assert_int_equal(parsed.wire, 24 + 3); /* three LF had no CR */
	parcel_free(q);
	place_open(p); /* it is there already */
}

/* Longer than any buffer. */
static void
test_large(void **state)
{
	struct place *p = *state;
	char piece[1000], name[512], *is;
	struct parcel *q;
	size_t n;

	assert_int_equal(parcel_begin(p->d, &q, &p->eb), E_OK);
	for (unsigned i = 0; i < 300; i++) {
		memset(piece, 'a' + i % 26, sizeof(piece));
		assert_int_equal(
		    parcel_add(q, piece, sizeof(piece), &p->eb), E_OK);
	}
	assert_int_equal(parcel_end(q, &p->eb), E_OK);
	is = place_read(p, place_only(p, "Mail/x/tmp", name), &n);
	assert_int_equal(n, 300000);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(is[i], 'a' + i / 1000 % 26);
	free(is);
	parcel_drop(q);
	assert_int_equal(place_count(p, "Mail/x/tmp"), 0);
}

static unsigned
call_at(int what, ino_t ino)
{
	for (unsigned i = 0; i < n_calls; i++)
		if ((int)calls[i].what == what && calls[i].ino == ino)
			return i;
	fail();
	return 0;
}

/* C-ENG-26, M-37: files, tmp/, renames, new/. */
static void
test_order(void **state)
{
	struct place *p = *state;
	struct parcel *v[3];
	ino_t file[3], tmp = inode_of(p, "Mail/x/tmp");
	char path[1024];

	for (unsigned i = 0; i < 3; i++) {
		v[i] = place_parcel(p, "A: b\n\nc\n", 8, NULL);
		snprintf(path, sizeof(path), "Mail/x/tmp/%s", v[i]->tmp);
		file[i] = inode_of(p, path);
	}
	n_calls = 0;
	assert_int_equal(delivery_prepare(p->d, v, 3, &p->eb), E_OK);
	assert_int_equal(n_calls, 4);
	for (unsigned i = 0; i < 3; i++)
		assert_true(call_at(FSYNC, file[i]) < call_at(FSYNC, tmp));
	delivery_publish(p->d, v, 3);
	assert_int_equal(n_calls, 8);
	for (unsigned i = 0; i < 3; i++)
		assert_true(call_at(FSYNC, tmp) < call_at(RENAME, file[i]));
	assert_int_equal(call_at(FSYNC, inode_of(p, "Mail/x/new")), 7);
	delivery_release(p->d, v, 3);
	for (unsigned i = 0; i < 3; i++)
		parcel_free(v[i]);
}

/* Nothing is written over. */
static void
test_never_over(void **state)
{
	struct place *p = *state;

	for (unsigned i = 0; i < 2; i++) {
		struct parcel *q = place_parcel(p, "x\n", 2, NULL);
		char path[1024], *is;

		old_kernel = i == 1;
		snprintf(path, sizeof(path), "Mail/x/new/%s", q->file);
		place_put(p, path, "before");
		assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
		delivery_publish(p->d, &q, 1);
		assert_int_equal(q->result, E_AGAIN);
		assert_non_null(strstr(q->why, p->path));
		assert_int_equal(delivery_failed(p->d, &p->eb), E_OK);
		is = place_read(p, path, NULL);
		assert_string_equal(is, "before");
		free(is);
		parcel_drop(q);
	}
	assert_int_equal(place_count(p, "Mail/x/tmp"), 0);
}

static void
test_without_renameat2(void **state)
{
	static const char *const text[] = { "a\n", "b\n", NULL };
	struct place *p = *state;

	old_kernel = true;
	place_deliver(p, text, E_OK);
	assert_int_equal(place_count(p, "Mail/x/new"), 2);
	assert_int_equal(place_count(p, "Mail/x/tmp"), 0);
}

/* What may not be on the disk is not said to be. */
static void
test_cannot_sync(void **state)
{
	static const char *const text[] = { "a\n", "b\n", NULL };
	struct place *p = *state;
	struct parcel *q;

	cannot_sync = inode_of(p, "Mail/x/new");
	place_deliver(p, text, E_CLOSED);
	assert_int_equal(delivery_failed(p->d, &p->eb), E_IO);
	assert_non_null(strstr(p->eb.text, "Input/output error"));
	assert_int_equal(place_count(p, "Mail/x/new"), 0);
	cannot_sync = inode_of(p, "Mail/x/tmp");
	q = place_parcel(p, "x\n", 2, NULL);
	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_IO);
	assert_non_null(strstr(p->eb.text, "Mail/x/tmp"));
	parcel_drop(q);
}

/* ---- a destination that takes nothing ---- */

static void
new_as_nobody(struct place *p)
{
	char path[512];
	struct parcel *v[2];

	place_open(p);
	assert_int_equal(delivery_try(p->d, &p->eb), E_OK);
	v[0] = place_parcel(p, "a\n", 2, NULL);
	v[1] = place_parcel(p, "b\n", 2, NULL);
	assert_int_equal(delivery_prepare(p->d, v, 2, &p->eb), E_OK);
	snprintf(path, sizeof(path), "%s/new", p->path);
	assert_int_equal(chmod(path, 0500), 0);
	assert_int_equal(delivery_try(p->d, &p->eb), E_DENIED);
	assert_non_null(strstr(p->eb.text, "/new: Permission denied"));
	delivery_publish(p->d, v, 2);
	assert_int_equal(v[0]->result, E_AGAIN);
	assert_int_equal(v[1]->result, E_CLOSED);
	assert_int_equal(delivery_failed(p->d, &p->eb), E_DENIED);
	parcel_drop(v[0]);
	parcel_drop(v[1]);
	assert_int_equal(chmod(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/tmp", p->path);
	assert_int_equal(chmod(path, 0500), 0);
	assert_int_equal(delivery_try(p->d, &p->eb), E_DENIED);
	assert_non_null(strstr(p->eb.text, "/tmp: Permission denied"));
	assert_int_equal(chmod(path, 0700), 0);
}

static void
test_not_writable(void **state)
{
	struct place *p = *state;

	delivery_close(p->d);
	p->d = NULL;
	snprintf(p->path, sizeof(p->path), "%s/his", p->base);
	if (geteuid() == 0)
		assert_int_equal(chown(p->base, 65534, 65534), 0);
	as_nobody(p, new_as_nobody);
}

/* ---- names ---- */

static void
test_names(void **state)
{
	static const char *const bad[] = { "", "1.M2P3Q4", "1.M2P3Q4m.h",
		"1.M2P3Q4maaaaaaaaaaaaaaaa", "1.M2P3Q4maaaaaaaaaaaaaaaA.h",
		"x.M2P3Q4maaaaaaaaaaaaaaaa.h", "1.M2P3Q4maaaaaaaaaaaaaaaa-0.h",
		"1.M2P3Q4maaaaaaaaaaaaaaaa-0-bbbbbbbbbbbbbbbb.h",
		"1.M2P3Q4maaaaaaaaaaaaaaaa-0-bbbbbbbbbbbbbbbbx.h",
		"1.M2P3Q4maaaaaaaaaaaaaaaa-1-bbbbbbbbbbbbbbbbs.h",
		"99999999999999999999.M2P3Q4maaaaaaaaaaaaaaaa.h",
		"1732276980.M1P2.host,S=3,W=4:2,S" };
	struct digest account = digest_of((struct slice){ "a", 1 });
	char a[NAME_SIZE], b[NAME_SIZE];
	struct name n;

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(name_parse(bad[i], &n));
	assert_true(name_parse("12.M2P3Q4maaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-"
			       "ccccccccccccccccw.h\\057x,S=5,W=6:2,FS,W=9",
	    &n));
	assert_true(n.has_identity && n.has_uid && !n.identity.strong);
	assert_int_equal(n.time, 12);
	assert_int_equal(n.octets, 5);
	assert_int_equal(n.wire, 6);
	assert_true(name_parse("12.M2P3Q4maaaaaaaaaaaaaaaa-0-"
			       "ccccccccccccccccs.h:2,S",
	    &n));
	assert_true(!n.has_uid && n.identity.strong && n.wire == 0);
	name_tmp(a, account, "h");
	name_tmp(b, account, "h");
	assert_string_not_equal(a, b);
	assert_true(name_parse(a, &n));
	assert_false(n.has_identity);
	assert_true(digest_eq(n.account, account));
}

static struct digest
digest_of_text(const char *text)
{
	return digest_of((struct slice){ text, strlen(text) });
}

struct seen {
	struct delivery_found v[8];
	unsigned n;
};

static enum err
see(void *arg, const struct delivery_found *f)
{
	struct seen *s = arg;

	assert_true(s->n < 8);
	if (f->is_ours && digest_eq(f->account, digest_of_text("casa")))
		s->v[s->n++] = *f;
	return E_OK;
}

static enum err
see_foreign(void *arg, const struct delivery_found *f)
{
	struct seen *s = arg;

	assert_true(s->n < 8);
	if (!f->is_ours)
		s->v[s->n++] = *f;
	return E_OK;
}

/* A state that was lost is in the names, wherever the files have been moved;
 * those of another account are not ours. */
static void
test_scan(void **state)
{
	static const char text[] = "Message-ID: <1>\n\nx\n";
	struct place *p = *state;
	struct parcel *q = place_parcel(p, text, sizeof(text) - 1, "u1");
	struct identity id = q->identity;
	char from[512], to[1024];
	struct seen seen = { .n = 0 };
	int64_t now = time(NULL);

	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
	delivery_publish(p->d, &q, 1);
	parcel_free(q);
	make_folder(p, "Mail/x/.Old");
	make_folder(p, "Mail/x/.Old/cur");
	snprintf(to, sizeof(to), "Mail/x/.Old/cur/%s:2,S",
	    strrchr(place_only(p, "Mail/x/new", from), '/') + 1);
	move_file(p, from, to);
	place_put(p, "Mail/x/new/1732276980.M1P2.host", "x");
	place_put(p, "Mail/x/.file", "x");
	place_deliver(p, (const char *const[]){ "S: x\n\n", NULL }, E_OK);
	p->env.account = "other";
	place_open(p);
	place_deliver(p, (const char *const[]){ "S: y\n\n", NULL }, E_OK);
	p->env.account = "casa";
	place_open(p);
	assert_int_equal(delivery_scan(p->d, see, &seen, &p->eb), E_OK);
	assert_int_equal(seen.n, 2);
	assert_false(seen.v[0].has_uid);
	assert_int_equal(seen.v[0].size, 8);
	assert_true(seen.v[1].has_uid);
	assert_true(
	    digest_eq(seen.v[1].uid, digest_of((struct slice){ "u1", 2 })));
	assert_true(digest_eq(seen.v[1].identity.header, id.header));
	assert_true(seen.v[1].identity.strong);
	assert_int_equal(seen.v[1].size, sizeof(text) - 1 + 3);
	assert_true(
	    seen.v[1].stored_at >= now - 1 && seen.v[1].stored_at <= now + 60);
}

/* A file that a mail program has named is known by its header. */
static void
test_scan_foreign(void **state)
{
	static const char text[] = "Message-ID: <1>\n\nx\n";
	struct place *p = *state;
	struct seen seen = { .n = 0 };
	struct parcel *q = place_parcel(p, text, sizeof(text) - 1, "u1");

	place_put(p, "Mail/x/new/1732276980.R1.host", text);
	place_put(p, "Mail/x/cur/other", "Subject: weak\n\nMessage-ID: <1>\n");
	place_put(p, "Mail/x/cur/.hidden", text);
	assert_int_equal(delivery_scan(p->d, see_foreign, &seen, &p->eb), E_OK);
	assert_int_equal(seen.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_false(seen.v[i].has_uid);
		assert_int_equal(seen.v[i].identity.strong,
		    digest_eq(seen.v[i].identity.header, q->identity.header));
	}
	assert_true(seen.v[0].identity.strong != seen.v[1].identity.strong);
	parcel_drop(q);
}

/* ---- a run that ended early ---- */

static bool
recovers(struct place *p, const struct parcel *q, int64_t ago)
{
	bool stored;

	assert_int_equal(
	    delivery_recover(p->d, q, time(NULL) - ago, &stored, &p->eb), E_OK);
	return stored;
}

static void
test_recover(void **state)
{
	struct place *p = *state;
	struct parcel *q = place_parcel(p, "A: b\n\nc\n", 8, NULL);
	char file[512], flags[600];

	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
	/* Killed before it was renamed. */
	assert_true(recovers(p, q, 1000000));
	assert_int_equal(place_count(p, "Mail/x/tmp"), 0);
	place_only(p, "Mail/x/new", file);
	assert_string_equal(strrchr(file, '/') + 1, q->file);
	/* Killed behind it. */
	assert_true(recovers(p, q, 1000000));
	/* The person has read it meanwhile, and put it away. */
	snprintf(flags, sizeof(flags), "Mail/x/cur/%s:2,S", q->file);
	move_file(p, file, flags);
	assert_true(recovers(p, q, 1000000));
	make_folder(p, "Mail/x/.A.B");
	make_folder(p, "Mail/x/.A.B/new");
	make_folder(p, "Mail/x/.A.B/cur");
	snprintf(file, sizeof(file), "Mail/x/.A.B/cur/%s:2,FS", q->file);
	move_file(p, flags, file);
	assert_true(recovers(p, q, 1000000));
	/* Or elsewhere: believed for a day. */
	move_file(p, file, "gone");
	assert_true(recovers(p, q, 1000));
	assert_true(recovers(p, q, -1000));
	assert_false(recovers(p, q, 90000));
	/* Another's name that begins alike is not it. */
	place_put(p, "Mail/x/cur/1", "x");
	snprintf(file, sizeof(file), "Mail/x/cur/%sx:2,S", q->file);
	place_put(p, file, "x");
	assert_false(recovers(p, q, 90000));
	parcel_free(q);
}

/* A folder in it: as the Maildir itself, and synced before anyone is told. */
static void
test_folder(void **state)
{
	static char *folders[] = { "ana", "rui", NULL };
	struct place *p = *state;
	struct parcel *v[3];
	char file[512];

	p->env.folders = folders;
	place_open(p);
	for (size_t i = 0; i < 3; i++)
		v[i] = place_parcel(p, "A: b\n\nc\n", 8, NULL);
	v[0]->folder = folders[0];
	v[2]->folder = "unknown";
	assert_int_equal(delivery_prepare(p->d, v, 3, &p->eb), E_OK);
	n_calls = 0;
	delivery_publish(p->d, v, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(v[i]->result, E_OK);
	assert_int_equal(place_count(p, "Mail/x/new"), 2);
	place_only(p, "Mail/x/.ana/new", file);
	assert_string_equal(strrchr(file, '/') + 1, v[0]->file);
	assert_int_equal(place_count(p, "Mail/x/.rui/new"), 0);
	assert_int_equal(n_calls, 5);
	assert_int_equal(calls[3].what, FSYNC);
	assert_int_equal(calls[3].ino, inode_of(p, "Mail/x/new"));
	assert_int_equal(calls[4].what, FSYNC);
	assert_int_equal(calls[4].ino, inode_of(p, "Mail/x/.ana/new"));
	for (size_t i = 0; i < 3; i++)
		parcel_free(v[i]);
}

/* What cannot be synced is in tmp/ again. */
static void
test_folder_cannot_sync(void **state)
{
	static char *folders[] = { "ana", NULL };
	struct place *p = *state;
	struct parcel *v[2];

	p->env.folders = folders;
	place_open(p);
	for (size_t i = 0; i < 2; i++)
		v[i] = place_parcel(p, "A: b\n\nc\n", 8, NULL);
	v[0]->folder = folders[0];
	assert_int_equal(delivery_prepare(p->d, v, 2, &p->eb), E_OK);
	cannot_sync = inode_of(p, "Mail/x/.ana/new");
	delivery_publish(p->d, v, 2);
	assert_int_equal(v[0]->result, E_CLOSED);
	assert_int_equal(v[1]->result, E_CLOSED);
	assert_int_equal(place_count(p, "Mail/x/tmp"), 2);
	assert_int_equal(place_count(p, "Mail/x/.ana/new"), 0);
	assert_int_equal(place_count(p, "Mail/x/new"), 0);
	parcel_drop(v[0]);
	parcel_drop(v[1]);
}

/* Killed before it was renamed, and behind it; the folder is configured no
 * more, or has gone. */
static void
test_folder_recover(void **state)
{
	static char *folders[] = { "ana", NULL };
	struct place *p = *state;
	struct parcel *q;
	char file[512];

	p->env.folders = folders;
	place_open(p);
	q = place_parcel(p, "A: b\n\nc\n", 8, NULL);
	q->folder = "ana";
	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
	p->env.folders = NULL;
	place_open(p);
	assert_true(recovers(p, q, 1000000));
	place_only(p, "Mail/x/.ana/new", file);
	place_open(p);
	assert_true(recovers(p, q, 1000000));
	assert_int_equal(place_count(p, "Mail/x/new"), 0);
	parcel_free(q);
	/* No name of the record is a path. */
	q = place_parcel(p, "A: b\n\nc\n", 8, NULL);
	q->folder = "/../../..";
	assert_true(recovers(p, q, 1000000));
	place_only(p, "Mail/x/new", file);
	parcel_free(q);
}

/* What is in tmp/ has to be what was written. */
static void
test_recover_odd(void **state)
{
	struct place *p = *state;
	struct parcel *q = place_parcel(p, "A: b\n\nc\n", 8, NULL);
	char tmp[512], path[1024], *is;

	snprintf(tmp, sizeof(tmp), "Mail/x/tmp/%s", q->tmp);
	place_put(p, tmp, "short");
	assert_false(recovers(p, q, 0));
	snprintf(path, sizeof(path), "%s/%s", p->base, tmp);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_false(recovers(p, q, 0));
	assert_int_equal(unlink(path), 0);
	/* Another message has its name: it stays. */
	place_put(p, tmp, "A: b\n\nc\n");
	snprintf(path, sizeof(path), "Mail/x/new/%s", q->file);
	place_put(p, path, "other");
	assert_false(recovers(p, q, 0));
	is = place_read(p, path, NULL);
	assert_string_equal(is, "other");
	free(is);
	parcel_drop(q);
}

/* Killed between link() and unlink(), and read by the person then. */
static void
test_recover_linked(void **state)
{
	struct place *p = *state;
	struct parcel *q = place_parcel(p, "A: b\n\nc\n", 8, NULL);
	char a[512], b[512];

	snprintf(a, sizeof(a), "%s/tmp/%s", p->path, q->tmp);
	snprintf(b, sizeof(b), "%s/cur/%s:2,S", p->path, q->file);
	assert_int_equal(link(a, b), 0);
	assert_true(recovers(p, q, 0));
	assert_int_equal(delivery_sweep(p->d, &p->eb), E_OK);
	assert_int_equal(place_count(p, "Mail/x/new"), 0);
	assert_int_equal(place_count(p, "Mail/x/cur"), 1);
	assert_int_equal(place_count(p, "Mail/x/tmp"), 0);
	/* A second link by a backup is not a delivery. */
	parcel_free(q);
	q = place_parcel(p, "A: b\n\nc\n", 8, NULL);
	snprintf(a, sizeof(a), "%s/tmp/%s", p->path, q->tmp);
	snprintf(b, sizeof(b), "%s/backup", p->base);
	assert_int_equal(link(a, b), 0);
	assert_true(recovers(p, q, 0));
	assert_int_equal(place_count(p, "Mail/x/new"), 1);
	parcel_free(q);
}

static void
test_sweep(void **state)
{
	struct place *p = *state;
	struct parcel *ours = place_parcel(p, "x\n", 2, NULL), *other;
	struct delivery *d = p->d;

	place_put(p, "Mail/x/tmp/1732276980.M1P2.host", "x");
	p->d = NULL;
	p->env.account = "other";
	place_open(p);
	other = place_parcel(p, "x\n", 2, NULL);
	assert_int_equal(delivery_sweep(d, &p->eb), E_OK);
	assert_int_equal(place_count(p, "Mail/x/tmp"), 2);
	parcel_drop(other);
	parcel_free(ours);
	delivery_close(d);
	assert_true(place_has(p, "Mail/x/tmp/1732276980.M1P2.host"));
}

/* ---- places that cannot be written to ---- */

static void
test_symlink(void **state)
{
	struct place *p = *state;
	char new[512];

	delivery_close(p->d);
	p->d = NULL;
	snprintf(new, sizeof(new), "%s/new", p->path);
	assert_int_equal(rmdir(new), 0);
	assert_int_equal(symlink(p->base, new), 0);
	assert_int_not_equal(
	    delivery_open(&p->d, &p->dest, &p->env, &p->eb), E_OK);
	assert_non_null(strstr(p->eb.text, p->path));
	assert_null(p->d);
}

/* It may have been moved, and something else put where it was. */
static void
test_has_gone(void **state)
{
	struct place *p = *state;
	char path[128];
	struct dest dest = { .kind = DEST_MAILDIR, .text = path, .path = path };

	snprintf(path, sizeof(path), "%s/box", p->base);
	assert_true(delivery_has_gone(&dest));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(delivery_has_gone(&dest));
	assert_int_equal(rmdir(path), 0);
	place_put(p, "box", "");
	assert_true(delivery_has_gone(&dest));
	snprintf(path, sizeof(path), "%s/box/in", p->base);
	assert_true(delivery_has_gone(&dest));
}

static void
open_denied(struct place *p)
{
	assert_int_equal(
	    delivery_open(&p->d, &p->dest, &p->env, &p->eb), E_DENIED);
	assert_non_null(strstr(p->eb.text, p->path));
}

static void
test_denied(void **state)
{
	struct place *p = *state;
	char path[128];

	delivery_close(p->d);
	p->d = NULL;
	assert_int_equal(chmod(p->base, 0755), 0);
	snprintf(path, sizeof(path), "%s/Mail", p->base);
	assert_int_equal(chmod(path, 0555), 0);
	snprintf(p->path, sizeof(p->path), "%s/Mail/y", p->base);
	as_nobody(p, open_denied);
	assert_int_equal(chmod(path, 0755), 0);
}

/* A write that is not whole is an error, and nothing is left. */
static void
test_file_limit(void **state)
{
	static const struct rlimit small = { 100000, RLIM_INFINITY };
	struct place *p = *state;
	struct rlimit before;
	struct parcel *q;
	char piece[70000] = { 'x' };
	enum err e;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(parcel_begin(p->d, &q, &p->eb), E_OK);
	e = parcel_add(q, piece, sizeof(piece), &p->eb);
	assert_int_equal(e, E_OK);
	e = parcel_add(q, piece, sizeof(piece), &p->eb);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(e, E_IO);
	assert_non_null(strstr(p->eb.text, "Mail/x/tmp: File too large"));
	parcel_drop(q);
	assert_int_equal(place_count(p, "Mail/x/tmp"), 0);
}

static bool
tell(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);
	bool good = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return good;
}

/* As root, or as root of a world of one user. */
static bool
own_mounts(void)
{
	char uid[32], gid[32];

	snprintf(uid, sizeof(uid), "0 %u 1", geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1", getegid());
	return unshare(CLONE_NEWNS) == 0 ||
	       (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
		   tell("/proc/self/uid_map", uid) &&
		   tell("/proc/self/setgroups", "deny") &&
		   tell("/proc/self/gid_map", gid));
}

/* In a child: a file system of a megabyte. */
static void
fill_disk(struct place *p)
{
	char piece[64 * 1024] = { 'x' };
	struct parcel *q;
	uint64_t room;
	enum err e = E_OK;

	if (!own_mounts() ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", p->base, "tmpfs", 0, "size=1m,mode=0700") != 0)
		_exit(77);
	place_open(p);
	assert_int_equal(delivery_space(p->d, &room, &p->eb), E_OK);
	assert_in_range(room, 900 * 1024, 1024 * 1024);
	assert_int_equal(parcel_begin(p->d, &q, &p->eb), E_OK);
	for (unsigned i = 0; e == E_OK && i < 32; i++)
		e = parcel_add(q, piece, sizeof(piece), &p->eb);
	assert_int_equal(e, E_FULL);
	assert_non_null(
	    strstr(p->eb.text, "Mail/x/tmp: No space left on device"));
	parcel_drop(q);
	place_deliver(p, (const char *const[]){ "x\n", NULL }, E_OK);
	delivery_close(p->d);
	_exit(0);
}

static void
test_full(void **state)
{
	struct place *p = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		fill_disk(p);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(test_stores),
		TEST(test_large),
		TEST(test_order),
		TEST(test_never_over),
		TEST(test_without_renameat2),
		TEST(test_cannot_sync),
		TEST(test_not_writable),
		TEST(test_names),
		TEST(test_scan),
		TEST(test_scan_foreign),
		TEST(test_recover),
		TEST(test_folder),
		TEST(test_folder_cannot_sync),
		TEST(test_folder_recover),
		TEST(test_recover_odd),
		TEST(test_recover_linked),
		TEST(test_sweep),
		TEST(test_symlink),
		TEST(test_has_gone),
		TEST(test_denied),
		TEST(test_file_limit),
		TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
