#include "deliver.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOBODY = 65534 };

void
place_init(struct place *p, enum dest_kind kind, const char *name)
{
	const char *tmp = getenv("TMPDIR");

	*p = (struct place){ .d = NULL };
	snprintf(p->base, sizeof(p->base), "%.32s/malote-test-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(p->base));
	snprintf(p->path, sizeof(p->path), "%s/%s", p->base, name);
	snprintf(p->spool, sizeof(p->spool), "%s/state/spool", p->base);
	p->dest =
	    (struct dest){ .kind = kind, .text = p->path, .path = p->path };
	p->env = (struct delivery_env){ .account = "casa",
		.email = "ana@example.org",
		.spool = p->spool,
		.timeout = 1 };
}

void
place_open(struct place *p)
{
	delivery_close(p->d);
	if (delivery_open(&p->d, &p->dest, &p->env, &p->eb) != E_OK)
		fail_msg("%s", p->eb.text);
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
place_clear(struct place *p)
{
	delivery_close(p->d);
	p->d = NULL;
	remove_tree(AT_FDCWD, p->base);
}

static const char *
in(const struct place *p, const char *file, char path[512])
{
	snprintf(path, 512, "%s/%s", p->base, file);
	return path;
}

void
place_put(struct place *p, const char *file, const char *text)
{
	char path[512];
	int fd = open(in(p, file, path), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

char *
place_read(struct place *p, const char *file, size_t *n_r)
{
	char path[512], *text;
	struct stat st;
	int fd = open(in(p, file, path), O_RDONLY);

	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &st), 0);
	text = malloc((size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	text[st.st_size] = '\0';
	close(fd);
	if (n_r != NULL)
		*n_r = (size_t)st.st_size;
	return text;
}

bool
place_has(struct place *p, const char *file)
{
	char path[512];
	struct stat st;

	return lstat(in(p, file, path), &st) == 0;
}

static unsigned
list(struct place *p, const char *folder, char out[512])
{
	char path[512];
	DIR *d = opendir(in(p, folder, path));
	struct dirent *de;
	unsigned n = 0;

	if (d == NULL)
		return 0;
	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] != '.') {
			snprintf(out, 512, "%s/%s", folder, de->d_name);
			n++;
		}
	closedir(d);
	return n;
}

unsigned
place_count(struct place *p, const char *folder)
{
	char name[512];

	return list(p, folder, name);
}

char *
place_only(struct place *p, const char *folder, char out[512])
{
	assert_int_equal(list(p, folder, out), 1);
	return out;
}

struct parcel *
place_parcel(struct place *p, const char *text, size_t n, const char *uid)
{
	struct identity_reader *r = identity_reader_new();
	struct parcel *q;

	assert_int_equal(parcel_begin(p->d, &q, &p->eb), E_OK);
	assert_int_equal(parcel_add(q, text, n, &p->eb), E_OK);
	identity_reader_reset(r);
	identity_reader_add(r, text, n);
	q->identity = identity_reader_end(r);
	identity_reader_free(r);
	if (uid != NULL) {
		q->has_uid = true;
		q->uid = digest_of((struct slice){ uid, strlen(uid) });
	}
	assert_int_equal(parcel_end(q, &p->eb), E_OK);
	return q;
}

void
place_deliver(struct place *p, const char *const *text, enum err result)
{
	struct parcel *v[DELIVER_MAX];
	size_t n = 0;

	for (; text[n] != NULL; n++)
		v[n] = place_parcel(p, text[n], strlen(text[n]), NULL);
	if (delivery_prepare(p->d, v, n, &p->eb) != E_OK)
		fail_msg("%s", p->eb.text);
	delivery_publish(p->d, v, n);
	for (size_t i = 0; i < n; i++) {
		if (v[i]->result != result)
			fail_msg("%s: %s", err_str(v[i]->result), v[i]->why);
		snprintf(p->eb.text, sizeof(p->eb.text), "%s", v[i]->why);
	}
	delivery_release(p->d, v, n);
	for (size_t i = 0; i < n; i++)
		parcel_drop(v[i]);
}

void
as_nobody(struct place *p, void (*fn)(struct place *p))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 &&
		    (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
			_exit(3);
		fn(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}
