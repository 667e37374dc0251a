#include "drop.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include <cmocka.h>

void
fixture_init(struct drop_fixture *f)
{
	static const char *const sub[] = { "", "/new", "/cur", "/tmp" };
	const char *tmp = getenv("TMPDIR");
	char path[160];

	*f = (struct drop_fixture){ .drop = NULL };
	snprintf(f->base, sizeof(f->base), "%.32s/malote-test-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(f->base));
	snprintf(f->path, sizeof(f->path), "%s/Maildir", f->base);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, sub[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	snprintf(f->conf.root, sizeof(f->conf.root), "%s", f->base);
	snprintf(f->conf.uidl_format, sizeof(f->conf.uidl_format), "%s",
	    "%08Xu%08Xv");
	f->conf.create = true;
	f->conf.log_removed = true;
}

static void
remove_tree(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct dirent *de;
	DIR *d;

	if (fd < 0) {
		unlinkat(at, name, 0);
		return;
	}
	d = fdopendir(fd);
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			remove_tree(dirfd(d), de->d_name);
	closedir(d);
	unlinkat(at, name, AT_REMOVEDIR);
}

void
fixture_clear(struct drop_fixture *f)
{
	fixture_close(f);
	remove_tree(AT_FDCWD, f->base);
}

static const char *
at(struct drop_fixture *f, const char *file, char path[512])
{
	snprintf(path, 512, "%s/%s", f->path, file);
	return path;
}

void
fixture_put(struct drop_fixture *f, const char *file, const char *text)
{
	char path[512];
	int fd = open(at(f, file, path), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

#ifdef HAVE_ZLIB
bool
fixture_put_gzip(
    struct drop_fixture *f, const char *file, const char *text, size_t n)
{
	char path[512];
	gzFile z = gzopen(at(f, file, path), "wb");

	assert_non_null(z);
	assert_int_equal(gzwrite(z, text, (unsigned)n), n);
	assert_int_equal(gzclose(z), Z_OK);
	return true;
}
#else
bool
fixture_put_gzip(
    struct drop_fixture *f, const char *file, const char *text, size_t n)
{
	return false;
}
#endif

void
fixture_remove(struct drop_fixture *f, const char *file)
{
	char path[512];

	assert_int_equal(unlink(at(f, file, path)), 0);
}

void
fixture_rename(struct drop_fixture *f, const char *from, const char *to)
{
	char a[512], b[512];

	assert_int_equal(rename(at(f, from, a), at(f, to, b)), 0);
}

bool
fixture_has(struct drop_fixture *f, const char *file)
{
	char path[512];

	return access(at(f, file, path), F_OK) == 0;
}

unsigned
fixture_count(struct drop_fixture *f, const char *dir)
{
	char path[512];
	DIR *d = opendir(at(f, dir, path));
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

void
fixture_settle(void)
{
	static const struct timespec t = { 0, 30 * 1000 * 1000 };

	nanosleep(&t, NULL);
}

enum err
fixture_open(struct drop_fixture *f, bool quick)
{
	struct hold *so_far = f->drop;
	enum err e;

	f->o = (struct hold_open){ .conf = &f->conf,
		.path = f->path,
		.user = "test",
		.peer = "192.0.2.1",
		.tag = "sid=0.1 user=test",
		.quick = quick,
		.hold = so_far };
	e = maildir_kind.open(&f->o);
	f->drop = f->o.hold;
	return e;
}

void
fixture_must_open(struct drop_fixture *f)
{
	assert_int_equal(fixture_open(f, false), E_OK);
}

void
fixture_close(struct drop_fixture *f)
{
	if (f->drop != NULL)
		maildir_kind.close(f->drop);
	f->drop = NULL;
}

static void
get(int fd, void *p, size_t n, uint64_t off)
{
	assert_int_equal(pread(fd, p, n, (off_t)off), n);
}

static void
get_block(int fd, const struct index_block *b, struct drop_entry *v)
{
	uint8_t q[INDEX_RECORD];
	struct index_record r;

	for (uint32_t i = 0; i < b->n; i++) {
		get(fd, q, sizeof(q), index_record_place(b, b->first + i));
		assert_int_equal(
		    index_get_record(q, b, b->first + i, &r), E_OK);
		get(fd, v[i].uid, r.uid_len, r.uid_off);
		assert_int_equal(index_check_uid(v[i].uid, &r), E_OK);
		v[i].uid[r.uid_len] = '\0';
		get(fd, v[i].name, r.name_len, r.name_off);
		assert_int_equal(index_check_name(v[i].name, &r), E_OK);
		v[i].name[r.name_len] = '\0';
		v[i].wire = r.wire;
		v[i].stamp = r.stamp;
	}
}

struct drop_entry *
fixture_list(struct drop_fixture *f)
{
	struct drop_entry *v = calloc(f->o.count + 1u, sizeof(*v));
	struct index_block b = index_start;
	uint64_t end, octets = 0;
	uint32_t n = 0;
	int fd;

	assert_non_null(v);
	assert_int_equal(maildir_kind.view(f->drop, false, &fd, &end), E_OK);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	while (b.next < end) {
		uint8_t h[INDEX_HEADER];
		struct index_block next;

		get(fd, h, sizeof(h), b.next);
		assert_int_equal(
		    index_get_block(h, &b, end, f->o.count, &next), E_OK);
		b = next;
		get_block(fd, &b, v + n);
		n += b.n;
	}
	close(fd);
	assert_int_equal(n, f->o.count);
	for (uint32_t i = 0; i < n; i++) {
		octets += v[i].wire;
		for (uint32_t k = 0; k < i && n < 1000; k++)
			assert_string_not_equal(v[i].uid, v[k].uid);
	}
	assert_int_equal(octets, f->o.octets);
	return v;
}

void
fixture_expect(struct drop_fixture *f, const char *const *uids)
{
	struct drop_entry *v = fixture_list(f);
	uint32_t n = 0;

	for (; uids[n] != NULL; n++) {
		assert_true(n < f->o.count);
		assert_string_equal(v[n].uid, uids[n]);
	}
	assert_int_equal(n, f->o.count);
	free(v);
}

static uint8_t *
bitmap(const struct drop_fixture *f, const uint32_t *msgno)
{
	uint8_t *bits;

	if (msgno == NULL)
		return NULL;
	bits = calloc(f->o.count / 8 + 1u, 1);
	assert_non_null(bits);
	for (; *msgno != 0; msgno++)
		bits[(*msgno - 1) / 8] |= (uint8_t)(1u << (*msgno - 1) % 8);
	return bits;
}

struct hold_commit
fixture_commit(
    struct drop_fixture *f, const uint32_t *remove, const uint32_t *seen)
{
	uint8_t *r = bitmap(f, remove), *s = bitmap(f, seen);
	struct hold_commit c = { .remove = r, .seen = s };

	maildir_kind.commit(f->drop, &c);
	f->drop = NULL;
	free(r);
	free(s);
	return c;
}

void
fixture_fetch(struct drop_fixture *f, struct hold_message *m, size_t n)
{
	size_t got = n;

	assert_true(maildir_kind.fetch(f->drop, PACE_SLOW, m, &got));
	assert_int_equal(got, n);
}

char *
fixture_read(struct drop_fixture *f, const char *file)
{
	char path[512], *text = calloc(1, 1 << 16);
	int fd = open(at(f, file, path), O_RDONLY);

	assert_non_null(text);
	assert_true(fd >= 0);
	assert_true(read(fd, text, (1 << 16) - 1) >= 0);
	close(fd);
	return text;
}

enum { OTHER_UID = 12345 };

static void
give_away(int at_fd, const char *name)
{
	int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct dirent *de;
	DIR *d;

	assert_int_equal(
	    fchownat(at_fd, name, OTHER_UID, OTHER_UID, AT_SYMLINK_NOFOLLOW),
	    0);
	if (fd < 0)
		return;
	d = fdopendir(fd);
	while ((de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			give_away(dirfd(d), de->d_name);
	closedir(d);
}

/* An assertion that fails in the child ends in another exit status. */
void
fixture_as_owner(struct drop_fixture *f, void (*fn)(struct drop_fixture *))
{
	int status;
	pid_t pid;

	if (geteuid() == 0)
		give_away(AT_FDCWD, f->base);
	if ((pid = fork()) == 0) {
		if (geteuid() == 0 &&
		    (setresgid(OTHER_UID, OTHER_UID, OTHER_UID) < 0 ||
			setresuid(OTHER_UID, OTHER_UID, OTHER_UID) < 0))
			_exit(1);
		fn(f);
		fixture_close(f);
		_exit(42);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}
