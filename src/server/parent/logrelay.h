/*
 * logrelay.h - the log of the server: what its processes write to their pipes
 * becomes lines of standard error or of syslog.
 *
 * A process may have been broken into: a line that does not begin with a level
 * and the role's own word is passed on as a quotation, and control characters
 * never pass.
 */
#ifndef SERVER_PARENT_LOGRELAY_H
#define SERVER_PARENT_LOGRELAY_H

#include <stdbool.h>

#include "base/err.h"

struct ev_loop;

/* Standard error lines carry the time, or levels if it is the journal. */
void logrelay_open(bool to_syslog);

/* Takes fd, the reading end of a pipe, until its end.  role: the word that its
 * lines begin with, static.  E_NOMEM: fd is closed. */
enum err logrelay_add(
    struct ev_loop *loop, int fd, const char *role, unsigned index) NODISCARD;

/* Passes on what is in the pipes now. */
void logrelay_drain(void);

#endif
