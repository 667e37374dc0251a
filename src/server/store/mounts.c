#include "server/store/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"

enum { KNOWN = 8 };

static int list = -1;

/* Each time that something was mounted or unmounted: numbers of devices that
 * are none are given out again. */
static _Atomic uint64_t generation;

/* What was found out lately, of file systems that are believed: generation,
 * kind and device.  The mail is on one or two. */
static _Atomic uint64_t known[KNOWN];
static _Atomic unsigned next;

/* Of a device of Linux: 12 and 20 bits. */
static uint64_t
note_of(dev_t dev, enum mount_kind kind)
{
	return (generation << 33) | ((uint64_t)(kind != MOUNT_LOCAL) << 32) |
	       ((uint64_t)major(dev) << 20 & UINT32_MAX) | minor(dev);
}

/* Of the loop. */
static struct mounts_below below;

bool
mounts_open(const char *root)
{
	if (realpath(root, below.root) == NULL || strcmp(below.root, "/") == 0)
		below.root[0] = '\0'; /* what paths begin with, before a '/' */
	list = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	return list >= 0;
}

void
mounts_look(void)
{
	struct pollfd p = { .fd = list, .events = POLLPRI };

	if (poll(&p, 1, 0) == 1 && (p.revents & (POLLPRI | POLLERR)) != 0)
		generation++;
}

static void
on_turn(struct ev_loop *loop, ev_check *w, int revents)
{
	mounts_look();
}

void
mounts_watch(struct ev_loop *loop)
{
	static ev_check check;

	ev_check_init(&check, on_turn);
	ev_set_priority(&check, EV_MAXPRI);
	ev_check_start(loop, &check);
}

/* Those that answer from a disk of this machine, or from memory. */
static bool
is_local(const char *type)
{
	static const char *const types[] = { "bcachefs", "btrfs", "ext2",
		"ext3", "ext4", "f2fs", "jfs", "nilfs2", "overlay", "ramfs",
		"reiserfs", "rootfs", "tmpfs", "xfs", "zfs" };
	size_t n = strcspn(type, " ");

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strlen(types[i]) == n && strncmp(type, types[i], n) == 0)
			return true;
	return false;
}

/* One line (proc(5)): "36 35 98:0 /root /at options - type source options".
 * False: it is not that device. */
static bool
kind_of(const char *line, dev_t dev, enum mount_kind *kind_r)
{
	const char *type = strstr(line, " - "), *owner;
	unsigned major_n, minor_n, uid;

	if (type == NULL ||
	    sscanf(line, "%*u %*u %u:%u", &major_n, &minor_n) != 2 ||
	    makedev(major_n, minor_n) != dev)
		return false;
	type += 3;
	*kind_r = is_local(type) ? MOUNT_LOCAL : MOUNT_ASKS;
	if (strncmp(type, "fuse", 4) != 0)
		return true;
	owner = strstr(type, "user_id=");
	if (owner == NULL || sscanf(owner, "user_id=%u", &uid) != 1 || uid != 0)
		*kind_r = MOUNT_FOREIGN;
	return true;
}

/* Gives each line to take(), until that says true.  False: the end of the list;
 * or it cannot be read, and errno is not 0. */
static bool
each_line(int fd, bool (*take)(void *arg, const char *line), void *arg)
{
	char buf[16 * 1024 + 1], *line, *end;
	size_t have = 0;
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buf + have, sizeof(buf) - 1 - have, at)) > 0) {
		at += n;
		have += (size_t)n;
		buf[have] = '\0';
		for (line = buf; (end = strchr(line, '\n')) != NULL;
		     line = end + 1) {
			*end = '\0';
			if (take(arg, line))
				return true;
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
		if (have == sizeof(buf) - 1)
			break; /* no line is as long as that */
	}
	errno = n == 0 ? 0 : EIO;
	return false;
}

struct sought {
	dev_t dev;
	enum mount_kind kind;
};

static bool
is_sought(void *arg, const char *line)
{
	struct sought *s = arg;

	return kind_of(line, s->dev, &s->kind);
}

enum mount_kind
mounts_list_kind(int fd, dev_t dev)
{
	struct sought s = { .dev = dev };

	if (each_line(fd, is_sought, &s))
		return s.kind;
	return errno == 0 ? MOUNT_LOCAL : MOUNT_FOREIGN;
}

static enum mount_kind
kind_now(dev_t dev)
{
	uint64_t local = note_of(dev, MOUNT_LOCAL);
	uint64_t asks = note_of(dev, MOUNT_ASKS);
	enum mount_kind kind;

	for (unsigned i = 0; i < KNOWN; i++) {
		uint64_t note = known[i];

		if (note == local)
			return MOUNT_LOCAL;
		if (note == asks)
			return MOUNT_ASKS;
	}
	if (list < 0)
		return MOUNT_LOCAL;
	kind = mounts_list_kind(list, dev);
	/* As it was when the list had not been read yet. */
	if (kind != MOUNT_FOREIGN)
		known[next++ % KNOWN] = kind == MOUNT_LOCAL ? local : asks;
	return kind;
}

bool
mounts_believe(dev_t dev)
{
	return kind_now(dev) != MOUNT_FOREIGN;
}

bool
mounts_is_local(dev_t dev)
{
	return kind_now(dev) == MOUNT_LOCAL;
}

/* ---- below the mail root ---- */

/* Octal numbers of three digits stand for white space. */
static void
unescape(char *path)
{
	char *to = path;

	for (const char *p = path; *p != '\0'; to++) {
		unsigned c;

		if (p[0] == '\\' && sscanf(p + 1, "%3o", &c) == 1) {
			*to = (char)c;
			p += 4;
		} else {
			*to = *p++;
		}
	}
	*to = '\0';
}

/* Is `path` the folder, or in it? */
static bool
is_in(const char *folder, size_t n, const char *path)
{
	return strncmp(path, folder, n) == 0 &&
	       (path[n] == '/' || path[n] == '\0');
}

/* Notes what asks and is mounted below the root. */
static bool
note_below(void *arg, const char *line)
{
	struct mounts_below *b = arg;
	const char *type = strstr(line, " - ");
	size_t n = strlen(b->root);
	unsigned major_n, minor_n;
	struct mount_below *v;
	char *path = NULL;

	if (type == NULL || is_local(type + 3) ||
	    sscanf(line, "%*u %*u %u:%u %*s %ms", &major_n, &minor_n, &path) !=
		3)
		return false;
	unescape(path);
	v = array_room(b->v, b->n, &b->room, sizeof(*v));
	if (v != NULL)
		b->v = v;
	if (v == NULL || !is_in(b->root, n, path) || path[n] == '\0') {
		free(path);
		return false;
	}
	memmove(path, path + n + 1, strlen(path + n + 1) + 1);
	b->v[b->n++] =
	    (struct mount_below){ (uint32_t)(major_n << 20 | minor_n), path };
	return false;
}

void
mounts_below_read(struct mounts_below *b, int fd)
{
	while (b->n != 0)
		free(b->v[--b->n].path);
	(void)each_line(fd, note_below, b);
}

uint32_t
mounts_below_at(const struct mounts_below *b, const char *maildrop)
{
	size_t n = strlen(maildrop), longest = 0;
	uint32_t number = 0;

	if (n > 2 && strcmp(maildrop + n - 2, "/.") == 0)
		n -= 2;
	for (size_t i = 0; i < b->n; i++) {
		const char *path = b->v[i].path;
		size_t m = strlen(path);

		/* The one that it is in, or else one that is in it. */
		if (is_in(path, m, maildrop) && m > longest) {
			longest = m;
			number = b->v[i].number;
		} else if (longest == 0 && is_in(maildrop, n, path)) {
			number = b->v[i].number;
		}
	}
	return number;
}

uint32_t
mounts_number(const char *maildrop)
{
	static uint64_t read_at = UINT64_MAX;

	if (list >= 0 && read_at != generation) {
		read_at = generation;
		mounts_below_read(&below, list);
	}
	return mounts_below_at(&below, maildrop);
}
