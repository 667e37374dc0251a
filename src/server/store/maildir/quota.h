/*
 * quota.h - maildirsize (Maildir++): the file in which delivery agents keep how
 * full a Maildir is.  Who removes mail says so there, or the next delivery
 * bounces off a mailbox that is empty.
 */
#ifndef SERVER_STORE_MAILDIR_QUOTA_H
#define SERVER_STORE_MAILDIR_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

/* Is there such a file in the Maildir? */
bool quota_is_kept(int root);

/* What a message counts for: the number that its name says (",S="), which is
 * what the agent added, else the file's size. */
uint64_t quota_octets(int dir, const char *file);

/* Appends one line about what was removed, if there is such a file and it is
 * ours.  A failure is logged and harms nothing: agents count anew from time to
 * time.  tag: for the log. */
void quota_removed(
    int root, uint64_t octets, uint32_t messages, const char *tag);

#endif
