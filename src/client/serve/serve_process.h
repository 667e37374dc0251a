/*
 * serve_process.h - the maloted that `malote serve` runs: a child that ends with
 * this process.
 */
#ifndef CLIENT_SERVE_SERVE_PROCESS_H
#define CLIENT_SERVE_SERVE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "client/serve/serve_place.h"

struct serve_process {
	pid_t pid;
	int signals; /* that this process gets */
	int told;    /* where maloted says that it is ready */
};

#define SERVE_PROCESS_NONE \
	{ \
		-1, -1, -1 \
	}

/* Starts maloted with the settings that are in the place, and returns when mail
 * programs can sign in.  log_here: its log goes to our standard error; else to the
 * file `log` in the place, which is shown if it cannot start.  E_NOENT: maloted is
 * not installed.  E_CLOSED: a signal has stopped us meanwhile. */
enum err serve_process_start(struct serve_process *s,
    const struct serve_place *p, bool log_here, struct errbuf *eb) NODISCARD;

/* Returns after SIGINT, SIGTERM or SIGHUP, when maloted has ended.  E_IO: it has
 * ended by itself. */
enum err serve_process_wait(
    struct serve_process *s, struct errbuf *eb) NODISCARD;

/* Ends it, if it runs. */
void serve_process_end(struct serve_process *s);

#endif
