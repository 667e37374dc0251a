#include "server/parent/known_roots.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "server/conf/state_folder.h"

#define NAME "mail-roots"

/* NULL: there are none. */
static FILE *
open_list(void)
{
	char path[PATH_MAX];

	state_folder_path(path);
	strncat(path, "/" NAME, sizeof(path) - strlen(path) - 1);
	return fopen(path, "re");
}

bool
known_roots_has(const char *root)
{
	bool found = false;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	FILE *f;

	if ((f = open_list()) == NULL)
		return false;
	while (!found && (n = getline(&line, &room, f)) > 0) {
		line[n - 1] = '\0';
		str_squeeze_slashes(line); /* an older maloted kept them */
		found = strcmp(line, root) == 0;
	}
	free(line);
	fclose(f);
	return found;
}

bool
known_roots_below(const char *root, char *out, size_t size)
{
	size_t above = strlen(root), room = 0, at = 0, len;
	bool fits = true;
	char *line = NULL;
	ssize_t n;
	FILE *f;

	out[0] = '\0';
	if ((f = open_list()) == NULL)
		return true;
	while ((n = getline(&line, &room, f)) > 0) {
		if ((size_t)n < above + 3 || line[n - 1] != '\n' ||
		    strncmp(line, root, above) != 0 || line[above] != '/')
			continue;
		len = (size_t)n - above - 1;
		if (!(fits = fits && len < size - at))
			continue;
		memcpy(out + at, line + above + 1, len + 1);
		at += len;
	}
	free(line);
	fclose(f);
	return fits;
}

enum err
known_roots_add(const char *root, struct errbuf *eb)
{
	char path[PATH_MAX], line[PATH_MAX + 1];
	enum err e = E_OK;
	int dir, fd = -1;
	int n = snprintf(line, sizeof(line), "%s\n", root);

	state_folder_path(path);
	if ((dir = state_folder_open(path)) >= 0)
		fd = openat(
		    dir, NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)n) != n || fsync(fd) < 0 ||
	    fsync(dir) < 0)
		e = err_sys(eb, E_IO, "%s/" NAME, path);
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return e;
}
