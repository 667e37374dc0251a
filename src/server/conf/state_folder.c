#include "server/conf/state_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
state_folder_path(char out[PATH_MAX])
{
	const char *given = getenv("STATE_DIRECTORY"), *home = getenv("HOME");
	const char *xdg = getenv("XDG_STATE_HOME");

	/* Only the first: systemd may name several, with a ":" between. */
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

enum err
state_folder_file(char out[PATH_MAX], const char *name, struct errbuf *eb)
{
	size_t n;

	state_folder_path(out);
	n = strlen(out);
	if (n + 1 + strlen(name) >= PATH_MAX)
		return err_set(
		    eb, E_CONFIG, "the path of the state folder is too long");
	snprintf(out + n, PATH_MAX - n, "/%s", name);
	return E_OK;
}

int
state_folder_open(const char *path)
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
