/*
 * sandbox.h - giving up what a role process does not need.
 *
 * What sanitizers need beyond that is added in sandbox.c, by the build option
 * and never at run time.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* No core dumps, nothing in /proc for others of the same user to read. */
void sandbox_no_core(void);

/* As root: an empty root directory that nobody can write to (if asked), no
 * supplementary groups, then this user and group for good, no capability.
 * As somebody else: only the check that it is that user. */
enum err sandbox_become(
    uid_t uid, gid_t gid, bool empty_root, struct errbuf *eb) NODISCARD;

/* The effective uid; after sandbox_become() without asking the kernel. */
uid_t sandbox_uid(void);

/* Landlock: only what lies below `root` can be reached; NULL: nothing at all.
 * *lacking_r names what this kernel cannot confine, or is NULL. */
enum err sandbox_files(
    const char *root, const char **lacking_r, struct errbuf *eb) NODISCARD;

/* Seccomp: only these system calls (libseccomp's names) can be made, and the
 * few that every process needs.  Others fail with EPERM. */
enum err sandbox_calls(
    const char *const *names, size_t n, struct errbuf *eb) NODISCARD;

#endif
