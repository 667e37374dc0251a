#include "server/store/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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

bool
mounts_open(void)
{
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

enum mount_kind
mounts_list_kind(int fd, dev_t dev)
{
	enum mount_kind kind;
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
			if (kind_of(line, dev, &kind))
				return kind;
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
		if (have == sizeof(buf) - 1)
			return MOUNT_FOREIGN; /* no line is as long */
	}
	return n == 0 ? MOUNT_LOCAL : MOUNT_FOREIGN;
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
