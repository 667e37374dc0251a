/* The configuration file: whatever it holds, every complaint is one line that
 * begins with the file's name. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char file[32];
static bool alone; /* it includes nothing */

static void
say(void *arg, const char *line)
{
	(void)arg;
	if ((alone && strncmp(line, file, strlen(file)) != 0) ||
	    strchr(line, '\n') != NULL)
		__builtin_trap();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct conf conf;
	static int fd = -1;
	struct conf_env env = { .uid = 1000, .gid = 1000, .nofile = 1024 };
	struct conf_report report = { .say = say };
	enum err e;

	if (fd < 0)
		fd = memfd_create("conf", MFD_CLOEXEC);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, n, 0) != (ssize_t)n)
		abort();
	alone = memmem(data, n, "include", 7) == NULL;
	e = conf_read(&conf, file, &env, &report);
	if ((e == E_OK) != (report.errors == 0))
		__builtin_trap();
	conf_free(&conf);
	return 0;
}
