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
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* No core dumps, nothing in /proc for others of the same user to read. */
void sandbox_no_core(void);

/* As root: an empty root directory that nobody can write to (if asked), no
 * supplementary groups, then this user and group for good, no capability.
 * As somebody else: only the check that it is that user. */
enum err sandbox_become(
    uid_t uid, gid_t gid, bool empty_root, struct errbuf *eb) NODISCARD;

/* Root, who stays it, with no more rights than to read any file, to become any user
 * and to end what it has started as such; and no supplementary groups. */
enum err sandbox_stay_root(struct errbuf *eb) NODISCARD;

/* The effective uid; after sandbox_become() without asking the kernel. */
uid_t sandbox_uid(void);

/* Can this kernel filter system calls?  Nothing runs without that. */
bool sandbox_can_filter(void);

/* What else this kernel cannot confine; NULL: nothing of that kind. */
const char *sandbox_lacking(void);

/* Landlock, as far as there is: only what lies below `root` can be reached;
 * NULL: nothing at all. */
enum err sandbox_files(const char *root, struct errbuf *eb) NODISCARD;
/* The same: only these files, and what lies below these folders, can be reached,
 * and read.  A path that is not there is passed over. */
enum err sandbox_reads(
    const char *const *paths, size_t n, struct errbuf *eb) NODISCARD;

/* The same of TCP: it can connect to these ports only, wherever, and be found at
 * none.  As far as this kernel's Landlock knows of ports. */
enum err sandbox_ports(
    const uint16_t *ports, size_t n, struct errbuf *eb) NODISCARD;

/* No more than so many MiB, and no more than half of the machine's memory (or
 * 1 GiB).  A call for more fails. */
enum err sandbox_memory(uint32_t mib, struct errbuf *eb) NODISCARD;

/* Seccomp, for a process that starts others: all system calls but those that
 * change the machine, look into other processes, or serve others; these fail with
 * EPERM. */
enum err sandbox_refuse_calls(struct errbuf *eb) NODISCARD;

/* Seccomp: only these system calls (libseccomp's names) can be made, and the
 * few that every process needs; fcntl() with harmless commands, and mmap() and
 * mprotect() for nothing executable.  Others fail with EPERM, which is logged
 * once; those that only an attack uses end the process,
 * unless they are named. */
enum err sandbox_calls(
    const char *const *names, size_t n, struct errbuf *eb) NODISCARD;

#endif
