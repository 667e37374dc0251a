#include "server/conf/socket_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

bool
socket_path_folder(const char *path, struct stat *st, const char **name)
{
	char folder[PATH_MAX];

	*name = strrchr(path, '/') + 1;
	snprintf(folder, sizeof(folder), "%.*s", (int)(*name - path), path);
	if (stat(folder, st) < 0)
		return false;
	errno = ENOTDIR;
	return S_ISDIR(st->st_mode);
}

bool
socket_path_is_same(const char *a, const char *b)
{
	const char *a_name, *b_name;
	struct stat a_st, b_st;

	return strcmp(a, b) == 0 ||
	       (b[0] == '/' && socket_path_folder(a, &a_st, &a_name) &&
		   socket_path_folder(b, &b_st, &b_name) &&
		   a_st.st_dev == b_st.st_dev && a_st.st_ino == b_st.st_ino &&
		   strcmp(a_name, b_name) == 0);
}
