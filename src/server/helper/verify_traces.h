/*
 * verify_traces.h - has a question left anything in the process that was asked?
 *
 * Compared is what the kernel knows of a process: descriptors, children, threads,
 * handlers and masks of signals, timers, the umask, the working directory, users,
 * groups, capabilities and limits.  What a module keeps in its own memory nobody
 * can see.
 */
#ifndef SERVER_HELPER_VERIFY_TRACES_H
#define SERVER_HELPER_VERIFY_TRACES_H

#include <limits.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "server/helper/verify_driver.h"

struct verify_traces {
	char status[2048];
	char folder[PATH_MAX];
	struct stat file[VERIFY_FD + 1];
	struct rlimit limit[RLIM_NLIMITS];
};

/* Of a process that has not been asked; its descriptors are 0 to VERIFY_FD. */
enum err verify_traces_note(struct verify_traces *t) NODISCARD;

/* Is all as it was?  False also where that cannot be seen. */
bool verify_traces_none(const struct verify_traces *t);

#endif
