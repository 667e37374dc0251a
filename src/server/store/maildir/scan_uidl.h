/*
 * scan_uidl.h - who gets which unique-id.  In this order:
 *
 *  1. what malote-uidl says: it was shown;
 *  2. what the index says: it was shown too, and if it does not follow from
 *     the file name (malote-uidl was lost) it is written down again;
 *  3. what another server's list says, if it is to be asked: with `auto` once,
 *     when the maildrop is opened for the first time; else for each message
 *     that is met for the first time;
 *  4. the base name, or a digest of it.
 *
 * With another server's list being asked each time, 4. is written down as
 * well: that server may list the message tomorrow.
 */
#ifndef SERVER_STORE_MAILDIR_SCAN_UIDL_H
#define SERVER_STORE_MAILDIR_SCAN_UIDL_H

#include "server/store/maildir/scan.h"

/* Every message that is here gets its unique-id, or keeps it; no two have the
 * same; what does not follow from the names is on disk. */
enum err scan_give_uidls(struct scan *s) NODISCARD;

#endif
