/*
 * scan_match.h - which file is which message.  A base name is one message,
 * whatever its flags and its directory; several files that truly have one base
 * name are told apart by their inodes, which malote-uidl keeps.
 */
#ifndef SERVER_STORE_MAILDIR_SCAN_MATCH_H
#define SERVER_STORE_MAILDIR_SCAN_MATCH_H

#include "server/store/maildir/scan.h"

/* Finds or makes the message of each name.  *missed_r: a file was no longer
 * there, so read the names again. */
enum err scan_match(struct scan *s, bool *missed_r) NODISCARD;

#endif
