/*
 * unmounted.h - is a maildrop not there because a file system below the mail root is
 * not mounted?  parent/mail_root.h says how that is known.
 */
#ifndef SERVER_STORE_UNMOUNTED_H
#define SERVER_STORE_UNMOUNTED_H

#include "base/err.h"
#include "server/conf/store_conf.h"

/* path: of a maildrop that is not there, from the mail root.  E_IO, with words for
 * the admin: it may be on a file system that had a marker. */
enum err unmounted_check(const struct store_conf *conf, const char *path,
    struct errbuf *eb) NODISCARD;

#endif
