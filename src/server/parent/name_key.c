#include "server/parent/name_key.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "server/conf/state_folder.h"

#define NAME "name-key"

static enum err
make(char out[NAME_KEY + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[NAME_KEY / 2];

	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		return E_IO;
	for (size_t i = 0; i < NAME_KEY; i++)
		out[i] = digits[raw[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	out[NAME_KEY] = '\0';
	explicit_bzero(raw, sizeof(raw));
	return E_OK;
}

static bool
is_key(const char *text, ssize_t n)
{
	return n == NAME_KEY && strspn(text, "0123456789abcdef") >= NAME_KEY;
}

/* Whole or not at all, whatever happens meanwhile. */
static bool
keep(int dir, const char *key)
{
	int fd = openat(dir, NAME ".new",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok = fd >= 0 && write(fd, key, NAME_KEY) == NAME_KEY &&
		  fsync(fd) == 0 &&
		  renameat(dir, NAME ".new", dir, NAME) == 0 && fsync(dir) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

enum err
name_key_get(char out[NAME_KEY + 1], struct errbuf *eb)
{
	char path[PATH_MAX], text[NAME_KEY + 2];
	enum err e = E_OK;
	ssize_t n = -1;
	int dir, fd = -1;

	state_folder_path(path);
	if ((dir = state_folder_open(path)) >= 0)
		fd = openat(dir, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		n = read(fd, text, NAME_KEY + 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	if (is_key(text, n))
		memcpy(out, text, NAME_KEY + 1);
	else if (make(out) != E_OK)
		e = err_sys(eb, E_IO, "getrandom");
	else if (dir < 0 || !keep(dir, out))
		e = err_sys(eb, E_IO, "%s/" NAME, path);
	explicit_bzero(text, sizeof(text));
	if (dir >= 0)
		close(dir);
	return e;
}
