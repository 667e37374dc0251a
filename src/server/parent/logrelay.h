/*
 * logrelay.h - the log of the server: what its processes write to their pipes
 * becomes lines of standard error or of syslog.
 *
 * A process may have been broken into: each line gets the name and number of
 * the process that wrote it, which that cannot change; one that does not begin
 * with a level and the role's own word is passed on as a quotation; and nothing
 * but ASCII without control characters passes, names of files in lines of the
 * parent excepted.
 */
#ifndef SERVER_PARENT_LOGRELAY_H
#define SERVER_PARENT_LOGRELAY_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"

struct ev_loop;

/* Is standard error the journal's, which takes a level as "<3>" before a line? */
bool logrelay_is_journal(void);

/* Standard error lines carry the time, or levels if it is the journal. */
void logrelay_open(bool to_syslog);

#define LOGRELAY_PARENT UINT_MAX

/* Takes fd, the reading end of a pipe, until its end.  role: the word that its
 * lines begin with, static; index: which process of that role, or
 * LOGRELAY_PARENT.  E_NOMEM: fd is closed. */
enum err logrelay_add(
    struct ev_loop *loop, int fd, const char *role, unsigned index) NODISCARD;

/* Passes on what is in the pipes now. */
void logrelay_drain(void);

#endif
