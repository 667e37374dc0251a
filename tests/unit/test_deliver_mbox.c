/*
 * mbox: the octets that are appended, the locks, and what is made of a run
 * that ended early (C-ENG-30).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "deliver.h"

/* ---- fixture ---- */

static bool cannot_sync; /* the mbox */

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int
__wrap_fsync(int fd)
{
	if (cannot_sync && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR) {
		errno = EIO;
		return -1;
	}
	return __real_fsync(fd);
}

static int
setup(void **state)
{
	static struct place p;

	place_init(&p, DEST_MBOX, "mbox");
	place_open(&p);
	cannot_sync = false;
	*state = &p;
	return 0;
}

static int
teardown(void **state)
{
	place_clear(*state);
	return 0;
}

/* The content with each date as "DATE". */
static char *
read_mbox(struct place *p)
{
	char *text = place_read(p, "mbox", NULL), *at = text;

	assert_non_null(text);
	while ((at = strstr(at, "From ")) != NULL) {
		char *end = strchr(at, '\n');
		bool is_line = at == text || at[-1] == '\n';

		at += 5;
		if (!is_line || end == NULL || end - at < 25)
			continue;
		/* " Sat Nov 22 12:03:04 2025" */
		assert_int_equal(end[-25], ' ');
		assert_int_equal(end[-8], ':');
		assert_int_equal(end[-5], ' ');
		memcpy(end - 24, "DATE", 4);
		memmove(end - 20, end, strlen(text) + 1 - (size_t)(end - text));
	}
	return text;
}

static void
expect_mbox(struct place *p, const char *text)
{
	char *is = read_mbox(p);

	assert_string_equal(is, text);
	free(is);
}

static void
deliver_one(struct place *p, const char *text)
{
	place_deliver(p, (const char *const[]){ text, NULL }, E_OK);
}

static void
path_of(struct place *p, const char *file, char path[512])
{
	snprintf(path, 512, "%s/%s", p->base, file);
}

/* ---- the octets ---- */

static void
test_new(void **state)
{
	static const char *const two[] = {
		"Return-Path: <ana@example.org>\nA: b\n\nFrom me\n>From you\n"
		">>>From all\n>Frome\nFrom\n From \nx From \n",
		"A: c\n\nno end", NULL
	};
	struct place *p = *state;
	char path[512];
	struct stat st;

	place_deliver(p, two, E_OK);
	expect_mbox(p,
	    "From ana@example.org DATE\n"
	    "Return-Path: <ana@example.org>\nA: b\n\n>From me\n>>From you\n"
	    ">>>>From all\n>Frome\nFrom\n From \nx From \n\n"
	    "From MAILER-DAEMON DATE\nA: c\n\nno end\n\n");
	path_of(p, "mbox", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(place_count(p, "state/spool"), 0);
	assert_false(place_has(p, "mbox.lock"));
}

/* An empty line before what is ours, whatever the last program left. */
static void
test_lead(void **state)
{
	static const char *const before[] = { "", "\n", "x", "x\n", "x\n\n",
		"\n\n" };
	static const char *const lead[] = { "", "", "\n\n", "\n", "", "" };
	struct place *p = *state;
	char path[512];
	struct stat st;

	path_of(p, "mbox", path);
	for (unsigned i = 0; i < 6; i++) {
		char want[256];

		place_put(p, "mbox", before[i]);
		assert_int_equal(chmod(path, 0640), 0);
		deliver_one(p, "A: b\n");
		snprintf(want, sizeof(want),
		    "%s%sFrom MAILER-DAEMON DATE\nA: b\n\n", before[i],
		    lead[i]);
		expect_mbox(p, want);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode, S_IFREG | 0640);
	}
}

static void
test_sender(void **state)
{
	static const char *const line[] = { "Return-Path: <>",
		"return-path:<a@b>", "Return-Path: a@b", "Return-Path: <a b@c>",
		"Return-Path: <a\x1b[2J@b>", "Return-Path: <a@b", "X: <a@b>",
		"\nReturn-Path: <a@b>",
		"Return-Path: <a@b>\nReturn-Path: <c@d>" };
	static const char *const sender[] = { "MAILER-DAEMON", "a@b",
		"MAILER-DAEMON", "MAILER-DAEMON", "MAILER-DAEMON",
		"MAILER-DAEMON", "MAILER-DAEMON", "MAILER-DAEMON", "a@b" };
	struct place *p = *state;
	char text[128], want[256];

	for (unsigned i = 0; i < sizeof(line) / sizeof(line[0]); i++) {
		place_put(p, "mbox", "");
		snprintf(text, sizeof(text), "%s\n", line[i]);
		deliver_one(p, text);
		snprintf(
		    want, sizeof(want), "From %s DATE\n%s\n", sender[i], text);
		expect_mbox(p, want);
	}
}

/* Any piece of a buffer may end within a line that is to be quoted. */
static void
test_long(void **state)
{
	enum { SIZE = 200000 };
	static const char *const part[] = { "From ", ">", "\n", "Fro", "x",
		"\nFrom ", "\n>>From x\n", "abcdefghijklmnop" };
	struct place *p = *state;
	char *text = malloc(SIZE + 32), *want = malloc(3 * SIZE);
	char *is, *o;
	size_t n = 0, len;
	unsigned seed = 1;
	struct parcel *q;

	while (n < SIZE) {
		seed = seed * 1103515245 + 12345;
		o = stpcpy(text + n, part[seed >> 16 & 7]);
		n = (size_t)(o - text);
	}
	text[n++] = '\n';
	o = want;
	for (size_t i = 0; i < n; i++) {
		size_t gt = 0;

		if (i == 0 || text[i - 1] == '\n') {
			gt = strspn(text + i, ">");
			if (strncmp(text + i + gt, "From ", 5) == 0)
				*o++ = '>';
		}
		*o++ = text[i];
	}
	*o++ = '\n';
	q = place_parcel(p, text, n, NULL);
	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
	delivery_publish(p->d, &q, 1);
	assert_int_equal(q->result, E_OK);
	assert_int_equal(place_count(p, "state/spool"), 0);
	delivery_release(p->d, &q, 1);
	is = place_read(p, "mbox", &len);
	assert_int_equal(len, q->length);
	len -= (size_t)(strchr(is, '\n') + 1 - is);
	assert_int_equal(len, o - want);
	assert_memory_equal(strchr(is, '\n') + 1, want, len);
	free(is);
	free(text);
	free(want);
	parcel_free(q);
}

/* ---- what is not an mbox of ours ---- */

static void
expect_refused(struct place *p, const char *words)
{
	struct parcel *q = place_parcel(p, "x\n", 2, NULL);

	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_CONFIG);
	if (strstr(p->eb.text, words) == NULL)
		fail_msg("%s", p->eb.text);
	parcel_drop(q);
}

static void
test_not_regular(void **state)
{
	struct place *p = *state;
	char path[512];

	path_of(p, "mbox", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_refused(p, "mbox is not a regular file");
	assert_int_equal(unlink(path), 0);
	/* Put there after we have looked. */
	assert_int_equal(symlink("/etc/passwd", path), 0);
	{
		struct parcel *q = place_parcel(p, "x\n", 2, NULL);

		assert_int_equal(
		    delivery_prepare(p->d, &q, 1, &p->eb), E_CONFIG);
		parcel_drop(q);
	}
}

static void
test_symlink(void **state)
{
	struct place *p = *state;
	char path[512], real[512];

	path_of(p, "mbox", path);
	path_of(p, "dir", real);
	assert_int_equal(mkdir(real, 0700), 0);
	assert_int_equal(symlink("dir/real", path), 0);
	place_open(p);
	deliver_one(p, "A: b\n");
	assert_true(place_has(p, "dir/real"));
	expect_mbox(p, "From MAILER-DAEMON DATE\nA: b\n\n");
	if (geteuid() != 0)
		return;
	assert_int_equal(lchown(path, 65534, 65534), 0);
	delivery_close(p->d);
	assert_int_equal(
	    delivery_open(&p->d, &p->dest, &p->env, &p->eb), E_DENIED);
	assert_non_null(strstr(p->eb.text, "symbolic link of somebody else"));
}

static void
test_spool_of_others(void **state)
{
	struct place *p = *state;

	assert_int_equal(chmod(p->spool, 0770), 0);
	delivery_close(p->d);
	assert_int_equal(
	    delivery_open(&p->d, &p->dest, &p->env, &p->eb), E_DENIED);
	assert_non_null(strstr(p->eb.text, p->spool));
}

/* ---- locks ---- */

/* A child that holds a classic lock until it is killed. */
static pid_t
lock_in_child(struct place *p)
{
	struct flock lock = { .l_type = F_WRLCK };
	char path[512], octet;
	int ready[2], fd;
	pid_t pid;

	path_of(p, "mbox", path);
	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		fd = open(path, O_RDWR | O_CREAT, 0600);
		if (fd < 0 || fcntl(fd, F_SETLK, &lock) != 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void
end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
expect_busy(struct place *p)
{
	struct parcel *q = place_parcel(p, "x\n", 2, NULL);
	uint64_t begun = clock_ms();

	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_BUSY);
	assert_in_range(clock_ms() - begun, 1000, 9000);
	assert_non_null(strstr(
	    p->eb.text, "mbox is locked by another program; waited 1 s"));
	parcel_drop(q);
}

static void
test_fcntl(void **state)
{
	struct place *p = *state;
	pid_t pid = lock_in_child(p);

	expect_busy(p);
	assert_false(place_has(p, "mbox.lock"));
	end_child(pid);
	deliver_one(p, "A: b\n");
}

static void *
unlock_soon(void *arg)
{
	static const struct timespec t = { 0, 300 * 1000 * 1000 };
	char path[512];

	nanosleep(&t, NULL);
	path_of(arg, "mbox.lock", path);
	unlink(path);
	return NULL;
}

static void
set_age(struct place *p, const char *file, int seconds)
{
	struct timespec t[2] = { { time(NULL) - seconds, 0 },
		{ time(NULL) - seconds, 0 } };
	char path[512];

	path_of(p, file, path);
	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void
test_dotlock(void **state)
{
	struct place *p = *state;
	pthread_t thread;
	uint64_t begun;

	place_put(p, "mbox.lock", "0");
	expect_busy(p);
	assert_true(place_has(p, "mbox.lock"));
	p->env.timeout = 20;
	place_open(p);
	begun = clock_ms();
	assert_int_equal(pthread_create(&thread, NULL, unlock_soon, p), 0);
	deliver_one(p, "A: b\n");
	assert_true(clock_ms() - begun >= 300);
	pthread_join(thread, NULL);
	assert_false(place_has(p, "mbox.lock"));
}

static void
test_stale(void **state)
{
	struct place *p = *state;
	char text[64], host[65] = "";
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	assert_int_equal(waitpid(gone, NULL, 0), gone);
	/* Of a living process, however old. */
	snprintf(text, sizeof(text), "%d\n", getppid());
	place_put(p, "mbox.lock", text);
	set_age(p, "mbox.lock", 3600);
	expect_busy(p);
	/* Of one that has gone, but it is young. */
	snprintf(text, sizeof(text), "%d\n", gone);
	place_put(p, "mbox.lock", text);
	expect_busy(p);
	set_age(p, "mbox.lock", 600);
	deliver_one(p, "A: b\n");
	/* Nobody says whose it is. */
	place_put(p, "mbox.lock", "");
	set_age(p, "mbox.lock", 600);
	deliver_one(p, "A: b\n");
	/* Of a run of ours that was killed. */
	gethostname(host, 64);
	snprintf(text, sizeof(text), "1\nmalote %.40s\n", host);
	place_put(p, "mbox.lock", text);
	deliver_one(p, "A: b\n");
	assert_false(place_has(p, "mbox.lock"));
}

static void *
release_soon(void *arg)
{
	static const struct timespec t = { 0, 300 * 1000 * 1000 };

	nanosleep(&t, NULL);
	delivery_release(arg, NULL, 0);
	return NULL;
}

/* Two accounts of one process deliver to one mbox. */
static void
test_two_threads(void **state)
{
	struct place *p = *state;
	struct delivery *first = p->d;
	struct parcel *q = place_parcel(p, "x\n", 2, NULL);
	pthread_t thread;

	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
	assert_true(place_has(p, "mbox.lock"));
	p->d = NULL;
	p->env.account = "other";
	place_open(p);
	expect_busy(p);
	assert_true(place_has(p, "mbox.lock"));
	assert_int_equal(pthread_create(&thread, NULL, release_soon, first), 0);
	deliver_one(p, "A: b\n");
	pthread_join(thread, NULL);
	parcel_drop(q);
	delivery_close(first);
}

static void
deliver_as_nobody(struct place *p)
{
	place_open(p);
	deliver_one(p, "A: b\n");
	assert_false(place_has(p, "mbox.lock"));
}

/* A folder where only the mbox is the person's. */
static void
test_no_dotlock(void **state)
{
	struct place *p = *state;
	char path[512];

	if (geteuid() != 0)
		skip();
	place_put(p, "mbox", "");
	path_of(p, "mbox", path);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(chmod(p->base, 0755), 0);
	path_of(p, "nobody", path);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chown(path, 65534, 65534), 0);
	snprintf(p->spool, sizeof(p->spool), "%s/nobody/spool", p->base);
	as_nobody(p, deliver_as_nobody);
	expect_mbox(p, "From MAILER-DAEMON DATE\nA: b\n\n");
}

/* ---- failures ---- */

static void
test_disk_limit(void **state)
{
	static const struct rlimit small = { 1000, RLIM_INFINITY };
	struct place *p = *state;
	struct rlimit before;
	struct parcel *v[3];
	char text[600];

	memset(text, 'x', sizeof(text));
	text[599] = '\n';
	signal(SIGXFSZ, SIG_IGN);
	for (unsigned i = 0; i < 3; i++)
		v[i] = place_parcel(p, text, 600, NULL);
	assert_int_equal(delivery_prepare(p->d, v, 3, &p->eb), E_OK);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	delivery_publish(p->d, v, 3);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	delivery_release(p->d, v, 3);
	assert_int_equal(v[0]->result, E_OK);
	assert_int_equal(v[1]->result, E_AGAIN);
	assert_int_equal(v[2]->result, E_CLOSED);
	assert_int_equal(delivery_failed(p->d, &p->eb), E_IO);
	assert_non_null(strstr(v[1]->why, "mbox: File too large"));
	{
		size_t n;

		free(place_read(p, "mbox", &n));
		assert_int_equal(n, v[0]->length);
	}
	for (unsigned i = 0; i < 3; i++)
		parcel_drop(v[i]);
}

static void
test_cannot_sync(void **state)
{
	struct place *p = *state;

	place_put(p, "mbox", "x\n\n");
	cannot_sync = true;
	place_deliver(p, (const char *const[]){ "a\n", NULL }, E_AGAIN);
	assert_int_equal(delivery_failed(p->d, &p->eb), E_IO);
	expect_mbox(p, "x\n\n");
}

static void
try_as_nobody(struct place *p)
{
	place_open(p);
	assert_int_equal(delivery_try(p->d, &p->eb), E_OK);
	assert_false(place_has(p, "mbox.lock"));
	assert_int_equal(chmod(p->path, 0400), 0);
	assert_int_equal(delivery_try(p->d, &p->eb), E_DENIED);
	assert_non_null(strstr(p->eb.text, "mbox: Permission denied"));
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(chmod(p->base, 0500), 0);
	assert_int_equal(delivery_try(p->d, &p->eb), E_DENIED);
	assert_int_equal(chmod(p->base, 0700), 0);
}

/* Before a message. */
static void
test_try(void **state)
{
	struct place *p = *state;

	delivery_close(p->d);
	p->d = NULL;
	snprintf(p->spool, sizeof(p->spool), "%s/nobody", p->base);
	if (geteuid() == 0)
		assert_int_equal(chown(p->base, 65534, 65534), 0);
	as_nobody(p, try_as_nobody);
}

/* ---- a run that ended early ---- */

static bool
recovers(struct place *p, const struct parcel *q, int64_t ago)
{
	bool stored;

	if (delivery_recover(p->d, q, time(NULL) - ago, &stored, &p->eb) !=
	    E_OK)
		fail_msg("%s", p->eb.text);
	return stored;
}

static const char msg[] = "Message-ID: <1>\nA: b\n\nFrom x\ny\n";
static const char in_mbox[] = "x\n\nFrom MAILER-DAEMON DATE\nMessage-ID: <1>\n"
			      "A: b\n\n>From x\ny\n\n";

/* As if it had been killed right behind the intents. */
static struct parcel *
prepared(struct place *p)
{
	struct parcel *q;

	place_put(p, "mbox", "x\n");
	q = place_parcel(p, msg, sizeof(msg) - 1, NULL);
	if (delivery_prepare(p->d, &q, 1, &p->eb) != E_OK)
		fail_msg("%s", p->eb.text);
	delivery_release(p->d, &q, 1);
	return q;
}

/* Torn at any octet: finished.  Whole: left alone. */
static void
test_recover_torn(void **state)
{
	struct place *p = *state;
	struct parcel *q = prepared(p);
	size_t n;
	char *whole;

	assert_true(recovers(p, q, 0));
	expect_mbox(p, in_mbox);
	whole = place_read(p, "mbox", &n);
	assert_int_equal(n, q->offset + q->length);
	for (size_t at = 2; at <= n; at++) {
		char c = whole[at];
		char *is;

		whole[at] = '\0';
		place_put(p, "mbox", whole);
		whole[at] = c;
		assert_true(recovers(p, q, 1000000));
		is = place_read(p, "mbox", NULL);
		assert_string_equal(is, whole);
		free(is);
	}
	free(whole);
	parcel_drop(q);
}

/* The person's mail program has rewritten the mbox. */
static void
test_recover_rewritten(void **state)
{
	static const char *const is[] = {
		/* It has it, marked. */
		"From a Sat\nStatus: RO\nMessage-ID: <1>\nA: b\n\n"
		">From x\ny\n",
		"From q Sat\nA: c\n\nz\n\nFrom a Sat\nMessage-ID: <1>\nA: b\n"
		"Status: RO\n\n>From x\ny\n\n\nFrom q Sat\nA: c\n\nz\n\n",
		/* It has not. */
		"",
		"x\n\nFrom q Sat\nA: c\n\nz\n\nFrom q Sat\nA: c\n\nz\n\n",
		"From q Sat\nMessage-ID: <1>\nA: b\n\n>From x\n",
		/* Torn, and somebody's behind it. */
		"x\n\nFrom MAILER-DAEMON Sat\nMessage-ID: <1>\nA: b\n\n>From "
		"x\n"
		"\nFrom q Sat\nA: c\n\nz\n\n",
	};
	struct place *p = *state;

	for (unsigned i = 0; i < 6; i++) {
		struct parcel *q = prepared(p);
		bool stored = i < 2;

		place_put(p, "mbox", is[i]);
		assert_int_equal(recovers(p, q, 0), stored);
		expect_mbox(p, is[i]);
		parcel_drop(q);
	}
}

/* The file in the spool has gone: it was stored, and synced, before. */
static void
test_recover_published(void **state)
{
	struct place *p = *state;
	struct parcel *q = prepared(p);
	char path[512], spool[1024];

	snprintf(spool, sizeof(spool), "%s/%s", p->spool, q->tmp);
	assert_int_equal(unlink(spool), 0);
	assert_true(recovers(p, q, 1000));
	assert_false(recovers(p, q, 90000));
	place_put(p, "mbox", "From q Sat\nMessage-ID: <1>\nA: b\n\nz\n");
	assert_true(recovers(p, q, 90000));
	path_of(p, "mbox", path);
	assert_int_equal(unlink(path), 0);
	assert_true(recovers(p, q, 1000));
	assert_false(recovers(p, q, 90000));
	assert_false(place_has(p, "mbox"));
	parcel_free(q);
}

/* A refusal that the state did not get to know is tried again. */
static void
test_recover_failed(void **state)
{
	struct place *p = *state;
	struct parcel *q;

	place_put(p, "mbox", "x\n");
	q = place_parcel(p, msg, sizeof(msg) - 1, NULL);
	assert_int_equal(delivery_prepare(p->d, &q, 1, &p->eb), E_OK);
	cannot_sync = true;
	delivery_publish(p->d, &q, 1);
	cannot_sync = false;
	assert_int_equal(q->result, E_AGAIN);
	delivery_release(p->d, &q, 1);
	assert_true(recovers(p, q, 0));
	expect_mbox(p, in_mbox);
	parcel_free(q);
	assert_int_equal(delivery_sweep(p->d, &p->eb), E_OK);
	assert_int_equal(place_count(p, "state/spool"), 0);
}

/* ---- a state that was lost ---- */

struct seen {
	struct digest header[8];
	unsigned n;
};

static enum err
see(void *arg, const struct delivery_found *f)
{
	struct seen *s = arg;

	assert_false(f->has_uid);
	assert_int_equal(f->size, 0);
	assert_true(s->n < 8);
	s->header[s->n++] = f->identity.header;
	return E_OK;
}

/* F-MBOX-01: only a From line behind an empty one begins a message. */
static void
test_scan(void **state)
{
	static const char *const text[] = { "A: 1\nFrom x\nB: 1\n\nFrom y\n",
		"A: 2\n\n\n\nFrom z\n\n", "A: 3\n", "\nA: 4\n" };
	struct place *p = *state;
	struct seen seen = { .n = 0 };
	struct parcel *v[4];
	struct digest header[4];

	assert_int_equal(delivery_scan(p->d, see, &seen, &p->eb), E_OK);
	assert_int_equal(seen.n, 0);
	place_put(p, "mbox", "junk\nFrom no message\n");
	for (unsigned i = 0; i < 4; i++) {
		v[i] = place_parcel(p, text[i], strlen(text[i]), "u");
		header[i] = v[i]->identity.header;
	}
	assert_int_equal(delivery_prepare(p->d, v, 4, &p->eb), E_OK);
	delivery_publish(p->d, v, 4);
	delivery_release(p->d, v, 4);
	assert_int_equal(delivery_scan(p->d, see, &seen, &p->eb), E_OK);
	assert_int_equal(seen.n, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(digest_eq(seen.header[i], header[i]));
		parcel_free(v[i]);
	}
}

static void
test_space(void **state)
{
	struct place *p = *state;
	uint64_t octets;

	assert_int_equal(delivery_space(p->d, &octets, &p->eb), E_OK);
	assert_true(octets > 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
		TEST(test_new),
		TEST(test_lead),
		TEST(test_sender),
		TEST(test_long),
		TEST(test_not_regular),
		TEST(test_symlink),
		TEST(test_spool_of_others),
		TEST(test_fcntl),
		TEST(test_dotlock),
		TEST(test_stale),
		TEST(test_two_threads),
		TEST(test_no_dotlock),
		TEST(test_disk_limit),
		TEST(test_try),
		TEST(test_cannot_sync),
		TEST(test_recover_torn),
		TEST(test_recover_rewritten),
		TEST(test_recover_published),
		TEST(test_recover_failed),
		TEST(test_scan),
		TEST(test_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
