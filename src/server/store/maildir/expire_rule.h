/*
 * expire_rule.h - when a message goes by itself, and when nothing does.
 *
 * A message goes when for as many days as its owner was told
 *   - it has been in our index,
 *   - and the owner has known of these days,
 *   - and nothing about its file has changed: a flag, a move to another
 *     directory, or a backup that brought it back make it young again.
 *
 * Time that nobody has seen pass does not count: see expire_has_jumped().
 */
#ifndef SERVER_STORE_MAILDIR_EXPIRE_RULE_H
#define SERVER_STORE_MAILDIR_EXPIRE_RULE_H

#include "server/store/maildir/expire_file.h"

enum { EXPIRE_DAY = 24 * 60 * 60 };

/* What time it is, and when the machine was started by the same clock; seconds
 * since 1970. */
struct expire_clock {
	uint64_t now, boot;
};
void expire_clock_read(struct expire_clock *c);

/* Has somebody set the clock since the last look?  While the machine runs it
 * shows: the machine seems to have been started at another time.  If that is
 * after the last look it may have been, and then two days are believed to have
 * passed, but no more: a clock that was set ahead by more than the machine has
 * run looks the same. */
bool expire_has_jumped(
    const struct expire_state *s, const struct expire_clock *c);

/* When a message goes: seen as in the index, changed as the kernel says. */
uint64_t expire_due_at(
    const struct expire_state *s, uint16_t seen, uint64_t changed);

/* Is that more of a maildrop than goes without a question?  Of `of` messages
 * `due` would go; share is a percentage, and up to `floor` always may. */
bool expire_is_much(uint32_t due, uint32_t of, uint32_t share, uint32_t floor);

/* Is the message of that name flagged by its owner? */
bool expire_is_flagged(const char *name);

#endif
