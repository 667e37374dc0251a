/*
 * flag.h - flags in the names of files of a Maildir.
 */
#ifndef SERVER_STORE_MAILDIR_FLAG_H
#define SERVER_STORE_MAILDIR_FLAG_H

#include <stdbool.h>

#include "server/ipc/index.h"

enum { FLAG_NAME = INDEX_NAME_MAX + 1 }; /* a file's name, and its NUL */

/* The name with that flag: with 'S' "x" and "x:2,F" become "x:2,S" and "x:2,FS".
 * False if it has the flag, has no room for it, or an info that we do not know. */
bool flag_name(const char *file, char flag, char out[FLAG_NAME]);

/* Renames, and never onto another message.  False: errno says why. */
bool flag_rename(int from, const char *old, int to, const char *new);

#endif
