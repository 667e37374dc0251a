#include "server/parent/known_roots.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "mail-roots"

/* Only the first: systemd may name several, with a ":" between them. */
static void
state_folder(char out[PATH_MAX])
{
	const char *given = getenv("STATE_DIRECTORY"), *home = getenv("HOME");
	const char *xdg = getenv("XDG_STATE_HOME");

	if (given != NULL && given[0] == '/')
		snprintf(
		    out, PATH_MAX, "%.*s", (int)strcspn(given, ":"), given);
	else if (geteuid() == 0)
		snprintf(out, PATH_MAX, "/var/lib/malote");
	else if (xdg != NULL && xdg[0] == '/')
		snprintf(out, PATH_MAX, "%s/malote", xdg);
	else
		snprintf(out, PATH_MAX, "%s/.local/state/malote",
		    home != NULL ? home : "");
}

static int
open_folder(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = part; (p = strchr(p + 1, '/')) != NULL; *p = '/') {
		*p = '\0';
		mkdir(part, 0755); /* what fails is found out below */
	}
	mkdir(path, 0700);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool
known_roots_has(const char *root)
{
	char path[PATH_MAX], *line = NULL;
	bool found = false;
	size_t room = 0;
	ssize_t n;
	FILE *f;

	state_folder(path);
	strncat(path, "/" NAME, sizeof(path) - strlen(path) - 1);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	while (!found && (n = getline(&line, &room, f)) > 0) {
		line[n - 1] = '\0';
		found = strcmp(line, root) == 0;
	}
	free(line);
	fclose(f);
	return found;
}

enum err
known_roots_add(const char *root, struct errbuf *eb)
{
	char path[PATH_MAX], line[PATH_MAX + 1];
	enum err e = E_OK;
	int dir, fd = -1;
	int n = snprintf(line, sizeof(line), "%s\n", root);

	state_folder(path);
	if ((dir = open_folder(path)) >= 0)
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
