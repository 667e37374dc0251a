/*
 * execute.h - one command, with a file as its input, from any thread.
 *
 * The loop of another thread may reap every child of this process (libev's
 * default loop does).  So the command is the child of a child of ours, which
 * waits for it and tells us by a pipe.  Both are a process group of their own.
 */
#ifndef CLIENT_DELIVER_EXECUTE_H
#define CLIENT_DELIVER_EXECUTE_H

#include <stdbool.h>

#include "base/err.h"

enum { RUN_WORDS = 512 };

struct run_result {
	enum {
		RUN_EXITED,   /* value: its exit status */
		RUN_SIGNALED, /* value: the signal */
		RUN_TIMEOUT,  /* it was killed */
		RUN_NO_EXEC,  /* value: errno */
	} how;
	int value;
	/* The head of what it wrote to its standard error. */
	char words[RUN_WORDS];
	unsigned n;
};

/* argv[0] is looked for in PATH, no shell is used.  Standard output goes to
 * /dev/null; all other descriptors are closed, all signals as by default. */
enum err run_command(char *const argv[], char *const environment[], int input,
    unsigned timeout, struct run_result *r, struct errbuf *eb) NODISCARD;

#endif
