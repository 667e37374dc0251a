/*
 * A Maildir: written to tmp/, renamed to new/, its own or that of a folder in it
 * (Maildir++: ".Name").  What is not in tmp/ any more has been delivered,
 * wherever the person's mail program has put it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/conf/account.h"
#include "client/deliver/kind.h"

struct folder {
	char *name;
	int new;
	bool used; /* in this batch */
};

struct maildir {
	int root;
	char where[PATH_SHOWN];
	/* The first is the Maildir itself, whose name is NULL. */
	struct folder *v;
	size_t n;
};

/* ---- folders ---- */

/* ".Name" in the Maildir, with all that it needs.  The name is the caller's to
 * check. */
static enum err
make_folder(struct maildir *m, const char *name, int *new_r, struct errbuf *eb)
{
	static const char *const parts[] = { "tmp", "cur" };
	char dotted[1 + FOLDER_NAME_MAX + 1],
	    where[PATH_SHOWN + sizeof(dotted)];
	int root, fd;
	enum err e;

	snprintf(dotted, sizeof(dotted), ".%s", name);
	snprintf(where, sizeof(where), "%s/%s", m->where, dotted);
	if ((e = folder_make_at(m->root, m->where, dotted, &root, eb)) != E_OK)
		return e;
	for (size_t i = 0; i < 2 && e == E_OK; i++)
		if ((e = folder_make_at(root, where, parts[i], &fd, eb)) ==
		    E_OK)
			close(fd);
	if (e == E_OK)
		e = folder_make_at(root, where, "new", new_r, eb);
	close(root);
	return e;
}

/* Another folder; NULL: memory. */
static struct folder *
add_folder(struct maildir *m, const char *name)
{
	struct folder *v = reallocarray(m->v, m->n + 1, sizeof(*v));
	char *copy = NULL;

	if (v == NULL)
		return NULL;
	m->v = v;
	if (name != NULL && (copy = strdup(name)) == NULL)
		return NULL;
	v[m->n] = (struct folder){ .name = copy, .new = -1 };
	return &v[m->n++];
}

/* The folder that a message is for: the Maildir itself, if that is none of those
 * that are known.  So what the record says is never a path. */
static struct folder *
folder_of(struct maildir *m, const char *name)
{
	for (size_t i = 1; name != NULL && i < m->n; i++)
		if (strcmp(m->v[i].name, name) == 0)
			return &m->v[i];
	return &m->v[0];
}

static enum err
open_folders(struct maildir *m, char *const *folders, struct errbuf *eb)
{
	enum err e = E_OK;

	for (; folders != NULL && *folders != NULL && e == E_OK; folders++) {
		struct folder *f;

		if (!account_folder_is_good(*folders))
			return err_set(eb, E_CONFIG, "%s", err_str(E_CONFIG));
		if ((f = add_folder(m, *folders)) == NULL)
			return err_set(eb, E_NOMEM, "%s", _("out of memory"));
		e = make_folder(m, f->name, &f->new, eb);
	}
	return e;
}

/* ---- opening ---- */

static enum err
open_maildir(struct delivery *d, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb)
{
	struct maildir *m = calloc(1, sizeof(*m));
	char tmp[PATH_SHOWN + 4];
	enum err e;
	int cur;

	d->own = m;
	if (m != NULL)
		m->root = -1;
	if (m == NULL || add_folder(m, NULL) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	path_shown(m->where, dest->path);
	snprintf(tmp, sizeof(tmp), "%s/tmp", m->where);
	path_shown(d->where, tmp);
	if ((e = folder_make(dest->path, &m->root, eb)) != E_OK ||
	    (e = folder_make_at(m->root, m->where, "cur", &cur, eb)) != E_OK)
		return e;
	close(cur);
	e = folder_make_at(m->root, m->where, "new", &m->v[0].new, eb);
	if (e == E_OK)
		e = folder_make_at(m->root, m->where, "tmp", &d->files, eb);
	return e == E_OK ? open_folders(m, env->folders, eb) : e;
}

static void
close_maildir(struct delivery *d)
{
	struct maildir *m = d->own;

	if (m->root >= 0)
		close(m->root);
	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].new >= 0)
			close(m->v[i].new);
		free(m->v[i].name);
	}
	free(m->v);
	free(m);
}

static bool
has_gone(const struct dest *dest)
{
	struct stat st;

	if (stat(dest->path, &st) == 0)
		return !S_ISDIR(st.st_mode);
	return errno == ENOENT || errno == ENOTDIR;
}

static enum err
try_maildir(struct delivery *d, struct errbuf *eb)
{
	struct maildir *m = d->own;
	char new[PATH_SHOWN + FOLDER_NAME_MAX + 8];
	enum err e = folder_try(d->files, d->where, eb);

	for (size_t i = 0; i < m->n && e == E_OK; i++) {
		const char *name = m->v[i].name;

		snprintf(new, sizeof(new), "%s/%s%s%snew", m->where,
		    name != NULL ? "." : "", name != NULL ? name : "",
		    name != NULL ? "/" : "");
		e = folder_try(m->v[i].new, new, eb);
	}
	return e;
}

/* ---- publishing ---- */

/* Never onto another message.  Not every file system can do that in one. */
static int
move_file(int from, const char *old, int to, const char *new)
{
	if (renameat2(from, old, to, new, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(from, old, to, new, 0) != 0)
		return -1;
	if (unlinkat(from, old, 0) == 0)
		return 0;
	unlinkat(to, new, 0);
	return -1;
}

/* Nobody knows whether they would be there after a loss of power: they are
 * collected again. */
static void
take_back(struct delivery *d, struct parcel **v, size_t n)
{
	struct maildir *m = d->own;
	struct errbuf eb;

	delivery_fail(
	    d, err_sys(&eb, disk_err(), _("cannot sync %s"), m->where), &eb);
	for (size_t i = 0; i < n; i++) {
		if (v[i]->result != E_OK)
			continue;
		move_file(folder_of(m, v[i]->folder)->new, v[i]->file, d->files,
		    v[i]->tmp);
		parcel_fail(v[i], E_CLOSED, "%s", eb.text);
	}
}

/* But for a name that is taken no message is to blame. */
static void
publish_one(struct delivery *d, struct parcel *p)
{
	struct maildir *m = d->own;
	struct folder *f = folder_of(m, p->folder);
	struct errbuf eb;
	enum err e;
	bool taken;

	p->result = E_OK;
	p->why[0] = '\0';
	f->used = true;
	if (move_file(d->files, p->tmp, f->new, p->file) == 0)
		return;
	taken = errno == EEXIST;
	e = err_sys(&eb, disk_err(), _("cannot put it into %s"), m->where);
	if (!taken)
		delivery_fail(d, e, &eb);
	parcel_fail(p, E_AGAIN, "%s", eb.text);
}

/* All of them, whatever becomes of one. */
static bool
sync_used(struct maildir *m)
{
	bool good = true;

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].used && fsync(m->v[i].new) != 0)
			good = false;
		m->v[i].used = false;
	}
	return good;
}

static void
publish_maildir(struct delivery *d, struct parcel **v, size_t n)
{
	struct maildir *m = d->own;

	for (size_t i = 0; i < n; i++) {
		if (d->failed == E_OK)
			publish_one(d, v[i]);
		else
			parcel_fail(v[i], E_CLOSED, "%s", d->why.text);
	}
	if (!sync_used(m))
		take_back(d, v, n);
}

/* ---- all messages ---- */

/* `folder` is the descriptor of the file's folder, `of` the name of that which has
 * it: "." or ".Name". */
typedef enum err walk_fn(
    void *arg, const char *of, int folder, const char *file);

struct walk {
	walk_fn *fn;
	void *arg;
	const char *where;
	struct errbuf *eb;
};

static enum err
walk_failed(const struct walk *w)
{
	return err_sys(w->eb, disk_err(), _("cannot read %s"), w->where);
}

static DIR *
open_dir(int at, const char *name)
{
	int fd = folder_open_at(at, name);
	DIR *dir;

	if (fd < 0 || (dir = fdopendir(fd)) != NULL)
		return fd < 0 ? NULL : dir;
	close(fd);
	return NULL;
}

static enum err
walk_files(const struct walk *w, int at, const char *of, const char *sub)
{
	DIR *dir = open_dir(at, sub);
	struct dirent *de;
	enum err e = E_OK;

	if (dir == NULL)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			   ? E_OK
			   : walk_failed(w);
	while (e == E_OK && (errno = 0, de = readdir(dir)) != NULL)
		if (de->d_name[0] != '.')
			e = w->fn(w->arg, of, dirfd(dir), de->d_name);
	if (e == E_OK && errno != 0)
		e = walk_failed(w);
	closedir(dir);
	return e;
}

/* Mail programs move from new/ to cur/, and from there elsewhere: in this
 * order a message that moves meanwhile is met. */
static enum err
walk_folder(const struct walk *w, int at, const char *name)
{
	int fd = folder_open_at(at, name);
	enum err e;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			   ? E_OK
			   : walk_failed(w);
	e = walk_files(w, fd, name, "new");
	if (e == E_OK)
		e = walk_files(w, fd, name, "cur");
	close(fd);
	return e;
}

/* The Maildir, and the folders in it: ".Name" (Maildir++). */
static enum err
walk_maildir(struct maildir *m, walk_fn *fn, void *arg, struct errbuf *eb)
{
	struct walk w = { fn, arg, m->where, eb };
	enum err e = walk_folder(&w, m->root, ".");
	struct dirent *de;
	DIR *dir;

	if (e != E_OK)
		return e;
	if ((dir = open_dir(m->root, ".")) == NULL)
		return walk_failed(&w);
	while (e == E_OK && (errno = 0, de = readdir(dir)) != NULL)
		if (de->d_name[0] == '.' && strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			e = walk_folder(&w, m->root, de->d_name);
	if (e == E_OK && errno != 0)
		e = walk_failed(&w);
	closedir(dir);
	return e;
}

/* ---- after a run that ended early ---- */

struct find {
	const char *file;
	struct maildir *m;
	bool found;
	struct errbuf *eb;
};

static enum err
find_one(void *arg, const char *of, int folder, const char *file)
{
	struct find *f = arg;
	size_t n = strcspn(file, ":");

	if (f->found || strncmp(file, f->file, n) != 0 || f->file[n] != '\0')
		return E_OK;
	f->found = true;
	if (fsync(folder) != 0)
		return err_sys(
		    f->eb, disk_err(), _("cannot sync %s"), f->m->where);
	return E_OK;
}

/* Is it in new/ or where the person's mail program has put it? */
static enum err
find_file(struct maildir *m, int at, const char *file, bool *found_r,
    struct errbuf *eb)
{
	struct find f = { .file = file, .m = m, .eb = eb };
	struct stat st;
	enum err e;

	if (fstatat(at, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
		e = find_one(&f, ".", at, file);
	else
		e = walk_maildir(m, find_one, &f, eb);
	*found_r = f.found;
	return e;
}

/* A second link may be the message in new/, if one system call could not
 * rename; or it is another program's. */
static enum err
finish_rename(struct delivery *d, const struct parcel *in,
    const struct stat *st, bool *stored_r, struct errbuf *eb)
{
	struct maildir *m = d->own;
	int new = folder_of(m, in->folder)->new;
	struct name name;
	enum err e;

	if (!name_parse(in->file, &name) ||
	    name.octets != (uint64_t)st->st_size)
		return E_OK;
	if (st->st_nlink > 1) {
		e = find_file(m, new, in->file, stored_r, eb);
		if (e != E_OK || *stored_r)
			return e;
	}
	if (move_file(d->files, in->tmp, new, in->file) != 0) {
		if (errno == EEXIST)
			return E_OK;
		return err_sys(
		    eb, disk_err(), _("cannot put it into %s"), m->where);
	}
	*stored_r = true;
	if (fsync(new) != 0)
		return err_sys(eb, disk_err(), _("cannot sync %s"), m->where);
	return E_OK;
}

/* One that was configured when the message came. */
static void
find_folder(struct maildir *m, const char *name)
{
	char dotted[1 + FOLDER_NAME_MAX + 1];
	struct folder *f;
	int root, new;

	if (name == NULL || !account_folder_is_good(name) ||
	    folder_of(m, name) != &m->v[0])
		return;
	snprintf(dotted, sizeof(dotted), ".%s", name);
	if ((root = folder_open_at(m->root, dotted)) < 0)
		return;
	new = folder_open_at(root, "new");
	close(root);
	if (new < 0)
		return;
	if ((f = add_folder(m, name)) != NULL)
		f->new = new;
	else
		close(new);
}

static enum err
recover_maildir(struct delivery *d, const struct parcel *in, bool young,
    bool *stored_r, struct errbuf *eb)
{
	struct maildir *m = d->own;
	struct stat st;
	enum err e;

	if (in->tmp == NULL || in->file == NULL ||
	    strchr(in->tmp, '/') != NULL || strchr(in->file, '/') != NULL)
		return E_OK;
	find_folder(m, in->folder);
	if (fstatat(d->files, in->tmp, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISREG(st.st_mode)
			   ? finish_rename(d, in, &st, stored_r, eb)
			   : E_OK;
	if (errno != ENOENT)
		return err_sys(eb, disk_err(), _("cannot read %s"), d->where);
	e = find_file(m, folder_of(m, in->folder)->new, in->file, stored_r, eb);
	if (e == E_OK && young)
		*stored_r = true;
	return e;
}

struct scan {
	enum err (*found)(void *arg, const struct delivery_found *f);
	void *arg;
	struct identity_reader *reader;
	int64_t now;
};

/* False: it cannot be read, and so tells nothing. */
static bool
read_header(struct identity_reader *r, int folder, const char *file)
{
	int fd = openat(folder, file,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	char octets[4096];
	ssize_t n = fd < 0 ? -1 : 1;

	identity_reader_reset(r);
	while (n > 0 && !identity_reader_done(r) &&
	       (n = read(fd, octets, sizeof(octets))) > 0)
		identity_reader_add(r, octets, (size_t)n);
	if (fd >= 0)
		close(fd);
	return n >= 0;
}

/* Another program has put it here, or given it another name. */
static enum err
scan_foreign(struct scan *s, int folder, const char *file)
{
	struct delivery_found f = { .stored_at = s->now };

	if (file[0] == '.' || !read_header(s->reader, folder, file))
		return E_OK;
	f.identity = identity_reader_end(s->reader);
	return s->found(s->arg, &f);
}

/* One that we have written has no unique-id in its name. */
static bool
read_stub(int folder, const char *file, struct stub_said *said)
{
	enum { HEADER = 300 * 1024 };
	int fd = openat(folder, file,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	char *header = fd >= 0 ? malloc(HEADER) : NULL;
	ssize_t n = header != NULL ? pread(fd, header, HEADER, 0) : -1;
	bool is = n > 0 && stub_read((struct slice){ header, (size_t)n }, said);

	free(header);
	if (fd >= 0)
		close(fd);
	return is;
}

static enum err
scan_one(void *arg, const char *of, int folder, const char *file)
{
	struct scan *s = arg;
	struct delivery_found f;
	struct name n;

	if (!name_parse(file, &n) || !n.has_identity)
		return scan_foreign(s, folder, file);
	f = (struct delivery_found){ .is_ours = true,
		.account = n.account,
		.has_uid = n.has_uid,
		.uid = n.uid,
		.size = n.wire,
		.identity = n.identity,
		.stored_at = n.time };
	f.is_stub = !n.has_uid && read_stub(folder, file, &f.stub);
	return s->found(s->arg, &f);
}

static enum err
scan_maildir(struct delivery *d,
    enum err (*found)(void *arg, const struct delivery_found *f), void *arg,
    struct errbuf *eb)
{
	struct scan s = { found, arg, identity_reader_new(),
		(int64_t)(clock_unix_ms() / 1000) };
	enum err e;

	if (s.reader == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	e = walk_maildir(d->own, scan_one, &s, eb);
	identity_reader_free(s.reader);
	return e;
}

/* ---- what the person has deleted ---- */

struct marks {
	char *const *trash;
	enum err (*found)(void *arg, const struct delivery_file *f);
	void *arg;
	struct identity_reader *reader;
};

/* maildir(5): ":2," and letters. */
static bool
has_flag_t(const char *file)
{
	const char *info = strrchr(file, ':');

	return info != NULL && strncmp(info, ":2,", 3) == 0 &&
	       strchr(info, 'T') != NULL;
}

static bool
is_trash(char *const *trash, const char *of)
{
	for (; trash != NULL && *trash != NULL; trash++)
		if (strcmp(of + 1, *trash) == 0)
			return true;
	return false;
}

static enum err
mark_one(void *arg, const char *of, int folder, const char *file)
{
	struct marks *m = arg;
	struct delivery_file f = { .deleted = has_flag_t(file) ||
					      is_trash(m->trash, of) };
	struct name n;

	if (name_parse(file, &n) && n.has_identity) {
		f.is_ours = true;
		f.account = n.account;
		f.has_uid = n.has_uid;
		f.uid = n.uid;
		f.identity = n.identity;
	} else if (f.deleted && read_header(m->reader, folder, file)) {
		f.identity = identity_reader_end(m->reader);
	} else {
		return E_OK;
	}
	return m->found(m->arg, &f);
}

static enum err
maildir_files(struct delivery *d, char *const *trash,
    enum err (*found)(void *arg, const struct delivery_file *f), void *arg,
    struct errbuf *eb)
{
	struct marks m = { trash, found, arg, identity_reader_new() };
	enum err e;

	if (m.reader == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	e = walk_maildir(d->own, mark_one, &m, eb);
	identity_reader_free(m.reader);
	return e;
}

const struct kind kind_maildir = {
	.has_folder = true,
	.open = open_maildir,
	.close = close_maildir,
	.has_gone = has_gone,
	.try = try_maildir,
	.publish = publish_maildir,
	.recover = recover_maildir,
	.files = maildir_files,
	.scan = scan_maildir,
};
