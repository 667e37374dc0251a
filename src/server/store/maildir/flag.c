#include "server/store/maildir/flag.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
flag_name(const char *file, char flag, char out[FLAG_NAME])
{
	const char *flags = strchr(file, ':');
	size_t n = strlen(file), at = 0;

	if (flags == NULL) {
		if (n + 5 > INDEX_NAME_MAX)
			return false;
		snprintf(out, FLAG_NAME, "%s:2,%c", file, flag);
		return true;
	}
	if (strncmp(flags, ":2,", 3) != 0 || n + 2 > INDEX_NAME_MAX)
		return false;
	flags += 3;
	/* In ASCII order; a comma begins what is not ours. */
	while (flags[at] >= 'A' && flags[at] < flag)
		at++;
	if (flags[at] == flag)
		return false;
	snprintf(out, FLAG_NAME, "%.*s%c%s", (int)((size_t)(flags - file) + at),
	    file, flag, flags + at);
	return true;
}

/* Not every file system can do that in one. */
bool
flag_rename(int from, const char *old, int to, const char *new)
{
	if (renameat2(from, old, to, new, RENAME_NOREPLACE) == 0)
		return true;
	return errno == EINVAL && linkat(from, old, to, new, 0) == 0 &&
	       unlinkat(from, old, 0) == 0;
}
