/*
 * tallies.h - what the processes count (ipc/tally.h), and what it was a minute ago.
 */
#ifndef SERVER_PARENT_TALLIES_H
#define SERVER_PARENT_TALLIES_H

#include "server/ipc/tally.h"
#include "server/parent/child.h"

enum err tallies_open(struct parent *p, struct errbuf *eb) NODISCARD;

/* A process was started, and is told where to count; it has ended. */
void tallies_started(const struct child *c);
void tallies_ended(const struct child *c, bool died);

/* What a process is told; fd: -1 for who does not count. */
void tallies_fit(const struct child *c, struct role_tally *t);

/* What there is in all, and what was there so many seconds ago: one to two
 * minutes, or when the server began. */
void tallies_read(const struct parent *p, struct tally_page *now,
    struct tally_page *before, uint32_t *seconds_r);

#endif
