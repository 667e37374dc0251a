/*
 * socket_path.h - paths of sockets that the configuration names.
 */
#ifndef SERVER_CONF_SOCKET_PATH_H
#define SERVER_CONF_SOCKET_PATH_H

#include <stdbool.h>
#include <sys/stat.h>

/* The folder of an absolute path, and what it is called there.  False: there is no
 * such folder, see errno. */
bool socket_path_folder(const char *path, struct stat *st, const char **name);

/* Is it one place, whatever the folder is called?  a is absolute. */
bool socket_path_is_same(const char *a, const char *b);

#endif
