#include "server/store/mounts.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { BELIEVED = 4 };

static int list = -1;

/* File systems that were found good: the mail is on one or two. */
static _Atomic dev_t believed[BELIEVED];
static _Atomic unsigned next;

bool
mounts_open(void)
{
	list = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	return list >= 0;
}

/* One line (proc(5)): "36 35 98:0 /root /at options - type source options".
 * True if it is that device, mounted by FUSE for somebody other than root. */
static bool
is_foreign(const char *line, dev_t dev)
{
	const char *type = strstr(line, " - "), *owner;
	unsigned major_n, minor_n, uid;

	if (type == NULL ||
	    sscanf(line, "%*u %*u %u:%u", &major_n, &minor_n) != 2 ||
	    makedev(major_n, minor_n) != dev ||
	    strncmp(type + 3, "fuse", 4) != 0)
		return false;
	owner = strstr(type, "user_id=");
	return owner == NULL || sscanf(owner, "user_id=%u", &uid) != 1 ||
	       uid != 0;
}

bool
mounts_list_believes(int fd, dev_t dev)
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
			if (is_foreign(line, dev))
				return false;
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
		if (have == sizeof(buf) - 1)
			return false; /* no line is as long as that */
	}
	return n == 0;
}

bool
mounts_believe(dev_t dev)
{
	for (unsigned i = 0; i < BELIEVED; i++)
		if (believed[i] == dev)
			return true;
	if (list >= 0 && !mounts_list_believes(list, dev))
		return false;
	believed[next++ % BELIEVED] = dev;
	return true;
}
