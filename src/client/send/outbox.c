#include "client/send/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/files.h"

enum {
	NAME = OUTGOING_ID + 8,
	JSON_MAX = 16 * 1024 * 1024,
	ATTEMPTS = 100, /* to find a name that is free */
};

#define LOCK "lock"

/* ---- names ---- */

/* Letters and digits that are not taken for each other. */
static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";

static void
make_id(char id[OUTGOING_ID])
{
	unsigned char random[OUTGOING_ID - 1];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		memset(random, 0, sizeof(random)); /* O_EXCL tells */
	for (size_t i = 0; i < sizeof(random); i++)
		id[i] = letters[random[i] % (sizeof(letters) - 1)];
	id[OUTGOING_ID - 1] = '\0';
}

static bool
id_is_good(const char *id)
{
	return strlen(id) == OUTGOING_ID - 1 &&
	       strspn(id, letters) == OUTGOING_ID - 1;
}

static const char *
name_of(char out[NAME], const char *id, const char *ending)
{
	snprintf(out, NAME, "%s%s", id, ending);
	return out;
}

/* Is it the name of a message with this ending?  Then id is its id. */
static bool
is_named(char id[OUTGOING_ID], const char *name, const char *ending)
{
	size_t n = OUTGOING_ID - 1;

	if (strlen(name) != n + strlen(ending) || strcmp(name + n, ending) != 0)
		return false;
	memcpy(id, name, n);
	id[n] = '\0';
	return id_is_good(id);
}

/* ---- the folder ---- */

static enum err
fail_path(const struct outbox *b, struct errbuf *eb)
{
	char shown[PATH_SHOWN];

	return err_sys(eb, disk_err(), "%s", path_shown(shown, b->path));
}

/* Nobody else reads what is to be sent. */
static enum err
make_private(struct outbox *b, struct errbuf *eb)
{
	struct stat st;
	char shown[PATH_SHOWN];

	if (fstat(b->fd, &st) != 0)
		return fail_path(b, eb);
	if (st.st_uid != geteuid())
		return err_set(eb, E_DENIED, _("%s belongs to somebody else"),
		    path_shown(shown, b->path));
	if ((st.st_mode & 077) != 0 && fchmod(b->fd, 0700) != 0)
		return fail_path(b, eb);
	return E_OK;
}

enum err
outbox_open(
    struct outbox *b, const char *state_dir, bool make, struct errbuf *eb)
{
	enum err e;

	b->fd = -1;
	if (asprintf(&b->path, "%s/outbox", state_dir) < 0) {
		b->path = NULL;
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	b->fd = folder_open_at(AT_FDCWD, b->path);
	if (b->fd < 0 && errno == ENOENT && !make)
		return E_NOENT;
	if (b->fd < 0 && errno != ENOENT)
		return fail_path(b, eb);
	if (b->fd < 0 && (e = folder_make(b->path, &b->fd, eb)) != E_OK)
		return e;
	return make_private(b, eb);
}

void
outbox_close(struct outbox *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
	free(b->path);
	b->path = NULL;
}

/* Whoever puts a message in holds it: so the bounds hold, and nobody else removes
 * what is half there.  -1: errno says why. */
static int
lock_folder(struct outbox *b)
{
	int fd = openat(
	    b->fd, LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	while (fd >= 0 && flock(fd, LOCK_EX) != 0)
		if (errno != EINTR) {
			close(fd);
			return -1;
		}
	return fd;
}

/* ---- what is there ---- */

struct listed {
	char id[OUTGOING_ID];
	int64_t since; /* nanoseconds */
	uint64_t octets;
};

struct listing {
	struct listed *v;
	size_t n;
};

static bool
list_one(struct listing *l, const char *id, const struct stat *st)
{
	struct listed *v = reallocarray(l->v, l->n + 1, sizeof(*v));

	if (v == NULL)
		return false;
	l->v = v;
	v[l->n] = (struct listed){
		.since = st->st_mtim.tv_sec * INT64_C(1000000000) +
			 st->st_mtim.tv_nsec,
		.octets = (uint64_t)st->st_size,
	};
	memcpy(v[l->n++].id, id, OUTGOING_ID);
	return true;
}

static int
compare(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return x->since != y->since
		   ? (x->since > y->since) - (x->since < y->since)
		   : strcmp(x->id, y->id);
}

/* Calls `each` for all files; false: it has stopped. */
static enum err
walk(struct outbox *b, bool (*each)(void *arg, const char *name), void *arg,
    struct errbuf *eb)
{
	int fd = openat(b->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool ok = true;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return fail_path(b, eb);
	}
	while (ok && (entry = readdir(d)) != NULL)
		ok = each(arg, entry->d_name);
	closedir(d);
	return ok ? E_OK : err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

struct walker {
	struct outbox *b;
	struct listing *l;
};

static bool
list_file(void *arg, const char *name)
{
	struct walker *w = arg;
	char id[OUTGOING_ID], file[NAME];
	struct stat st;

	if (!is_named(id, name, ".json") ||
	    fstatat(w->b->fd, name_of(file, id, ".eml"), &st,
		AT_SYMLINK_NOFOLLOW) != 0)
		return true;
	return list_one(w->l, id, &st);
}

static enum err
list_all(struct outbox *b, struct listing *l, struct errbuf *eb)
{
	struct walker w = { b, l };
	enum err e;

	*l = (struct listing){ .n = 0 };
	if ((e = walk(b, list_file, &w, eb)) != E_OK) {
		free(l->v);
		return e;
	}
	if (l->n != 0)
		qsort(l->v, l->n, sizeof(*l->v), compare);
	return E_OK;
}

enum err
outbox_list(struct outbox *b, struct outbox_ids *ids, struct errbuf *eb)
{
	struct listing l;
	enum err e = list_all(b, &l, eb);

	*ids = (struct outbox_ids){ .n = 0 };
	if (e != E_OK)
		return e;
	if ((ids->v = calloc(l.n + 1, sizeof(*ids->v))) == NULL)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	for (; e == E_OK && ids->n < l.n; ids->n++)
		memcpy(ids->v[ids->n], l.v[ids->n].id, OUTGOING_ID);
	free(l.v);
	return e;
}

/* ---- files ---- */

static bool
write_all(int fd, const char *p, size_t n)
{
	while (n != 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

/* A new file with this content, on the disk.  -1: errno says why. */
static int
make_file(
    struct outbox *b, const char *name, int flags, const char *p, size_t n)
{
	int fd = openat(b->fd, name,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	if (fd < 0)
		return -1;
	if (write_all(fd, p, n) && fsync(fd) == 0)
		return fd;
	n = (size_t)errno;
	unlinkat(b->fd, name, 0);
	close(fd);
	errno = (int)n;
	return -1;
}

enum err
outbox_write(
    struct outbox *b, const char *id, const char *text, struct errbuf *eb)
{
	char from[NAME], to[NAME];
	int fd;

	name_of(from, id, ".new");
	name_of(to, id, ".json");
	fd = make_file(b, from, O_TRUNC, text, strlen(text));
	if (fd < 0)
		return fail_path(b, eb);
	close(fd);
	if (renameat(b->fd, from, b->fd, to) != 0 || fsync(b->fd) != 0)
		return fail_path(b, eb);
	return E_OK;
}

enum err
outbox_save(struct outbox *b, struct outbox_item *item, struct errbuf *eb)
{
	char *text = outgoing_print(&item->o);
	enum err e;

	if (text == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	e = outbox_write(b, item->o.id, text, eb);
	free(text);
	return e;
}

/* Reads ID.json, which may be replaced meanwhile, as it is. */
static enum err
read_state(
    struct outbox *b, struct outgoing *o, const char *id, struct errbuf *eb)
{
	char name[NAME], *text = NULL;
	struct stat st;
	ssize_t n = -1;
	enum err e;
	int fd = openat(b->fd, name_of(name, id, ".json"),
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return err_set(eb, E_NOENT, _("there is no message %s"), id);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= JSON_MAX &&
	    (text = malloc((size_t)st.st_size + 1)) != NULL)
		n = read(fd, text, (size_t)st.st_size);
	e = n < 0 ? E_IO : outgoing_parse(o, (struct slice){ text, (size_t)n });
	if (fd >= 0)
		close(fd);
	free(text);
	if (e != E_OK)
		return err_set(eb, e,
		    _("%s/%s is damaged; the message is in %s.eml beside it"),
		    b->path, name, id);
	memcpy(o->id, id, OUTGOING_ID);
	return E_OK;
}

/* ---- taking one ---- */

/* Locks ID.eml.  -1, and errno: EWOULDBLOCK, ENOENT, ... */
static int
lock_message(struct outbox *b, const char *id)
{
	char name[NAME];
	struct stat st;
	int fd = openat(b->fd, name_of(name, id, ".eml"),
	    O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0) {
		if (st.st_nlink != 0)
			return fd;
		errno = ENOENT; /* it was removed meanwhile */
	}
	close(fd);
	return -1;
}

enum err
outbox_take(struct outbox *b, struct outbox_item *item, const char *id,
    struct errbuf *eb)
{
	enum err e;

	*item = (struct outbox_item)OUTBOX_NOTHING;
	if (!id_is_good(id))
		return err_set(eb, E_NOENT, _("there is no message %s"), id);
	if ((item->fd = lock_message(b, id)) < 0)
		return errno == EWOULDBLOCK ? err_set(eb, E_BUSY,
						  _("message %s is being sent "
						    "by another malote"),
						  id)
		       : errno == ENOENT    ? err_set(eb, E_NOENT,
						  _("there is no message %s"), id)
					    : fail_path(b, eb);
	if ((e = read_state(b, &item->o, id, eb)) != E_OK) {
		outbox_release(item);
		return e;
	}
	item->was_left = outgoing_count(&item->o, FATE_SENDING) != 0;
	outgoing_turn(&item->o, FATE_SENDING, FATE_PERHAPS);
	return E_OK;
}

void
outbox_release(struct outbox_item *item)
{
	if (item->fd >= 0)
		close(item->fd);
	outgoing_clear(&item->o);
	*item = (struct outbox_item)OUTBOX_NOTHING;
}

enum err
outbox_look(struct outbox *b, struct outgoing *o, bool *busy_r, const char *id,
    struct errbuf *eb)
{
	struct outbox_item item;
	enum err e = outbox_take(b, &item, id, eb);

	*busy_r = e == E_BUSY;
	if (*busy_r)
		return read_state(b, o, id, eb);
	if (e != E_OK)
		return e;
	*o = item.o;
	memset(&item.o, 0, sizeof(item.o));
	outbox_release(&item);
	return E_OK;
}

/* ID.json goes first: without it the message is not there, and the rest is removed
 * some time (see sweep_file()). */
enum err
outbox_unlink(struct outbox *b, const char *id, struct errbuf *eb)
{
	char state[NAME], message[NAME];

	name_of(state, id, ".json");
	name_of(message, id, ".eml");
	return unlinkat(b->fd, state, 0) != 0 ||
		       unlinkat(b->fd, message, 0) != 0 || fsync(b->fd) != 0
		   ? fail_path(b, eb)
		   : E_OK;
}

enum err
outbox_remove(struct outbox *b, struct outbox_item *item, struct errbuf *eb)
{
	enum err e = outbox_unlink(b, item->o.id, eb);

	outbox_release(item);
	return e;
}

/* ---- putting one in ---- */

/* What a malote that was killed has left: a message without its state was never
 * there, and a state that did not get its name is of no use.  The folder is
 * locked. */
static bool
sweep_file(void *arg, const char *name)
{
	struct outbox *b = arg;
	char id[OUTGOING_ID], state[NAME];
	struct stat st;
	int fd;

	if (is_named(id, name, ".new")) {
		if ((fd = lock_message(b, id)) >= 0 || errno == ENOENT)
			unlinkat(b->fd, name, 0);
		if (fd >= 0)
			close(fd);
	} else if (is_named(id, name, ".eml") &&
		   fstatat(b->fd, name_of(state, id, ".json"), &st,
		       AT_SYMLINK_NOFOLLOW) != 0 &&
		   errno == ENOENT && (fd = lock_message(b, id)) >= 0) {
		unlinkat(b->fd, name, 0);
		close(fd);
	}
	return true;
}

static enum err
check_bounds(struct outbox *b, uint64_t more, const struct outbox_bounds *most,
    struct errbuf *eb)
{
	struct listing l;
	uint64_t octets = more;
	enum err e = list_all(b, &l, eb);

	if (e != E_OK)
		return e;
	for (size_t i = 0; i < l.n; i++)
		octets += l.v[i].octets;
	free(l.v);
	if (l.n >= most->messages)
		return err_set(eb, E_FULL,
		    _("the outbox holds %zu messages, and no more are "
		      "permitted "
		      "(outbox_messages); malote outbox list shows them"),
		    l.n);
	if (octets > most->octets)
		return err_set(eb, E_FULL,
		    _("the outbox would hold %llu octets, more than are "
		      "permitted (outbox_size); malote outbox list shows them"),
		    (unsigned long long)octets);
	return E_OK;
}

/* Under a name of its own; locked. */
static enum err
make_message(struct outbox *b, struct outbox_item *item, struct slice text,
    struct errbuf *eb)
{
	char name[NAME];

	errno = EEXIST;
	for (int i = 0; item->fd < 0 && errno == EEXIST && i < ATTEMPTS; i++) {
		make_id(item->o.id);
		item->fd = make_file(b, name_of(name, item->o.id, ".eml"),
		    O_EXCL, text.p, text.n);
	}
	if (item->fd < 0 || flock(item->fd, LOCK_EX | LOCK_NB) != 0)
		return fail_path(b, eb);
	return E_OK;
}

static void
take_back(struct outbox *b, const char *id)
{
	static const char *const endings[] = { ".json", ".new", ".eml" };
	char name[NAME];

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		unlinkat(b->fd, name_of(name, id, endings[i]), 0);
}

static enum err
add_locked(struct outbox *b, struct outbox_item *item, struct outgoing *o,
    struct slice text, const struct outbox_bounds *bounds, struct errbuf *eb)
{
	enum err e;

	if ((e = walk(b, sweep_file, b, eb)) != E_OK ||
	    (e = check_bounds(b, text.n, bounds, eb)) != E_OK ||
	    (e = make_message(b, item, text, eb)) != E_OK)
		return e;
	memcpy(o->id, item->o.id, OUTGOING_ID);
	item->o = *o;
	if ((e = outbox_save(b, item, eb)) != E_OK) {
		take_back(b, o->id);
		memset(&item->o, 0, sizeof(item->o));
	} else {
		memset(o, 0, sizeof(*o));
	}
	return e;
}

enum err
outbox_add(struct outbox *b, struct outbox_item *item, struct outgoing *o,
    struct slice text, const struct outbox_bounds *bounds, struct errbuf *eb)
{
	int lock = lock_folder(b);
	enum err e;

	*item = (struct outbox_item)OUTBOX_NOTHING;
	if (lock < 0)
		return fail_path(b, eb);
	e = add_locked(b, item, o, text, bounds, eb);
	close(lock);
	if (e != E_OK)
		outbox_release(item);
	return e;
}
