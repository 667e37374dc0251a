/*
 * expire.h - what has been in a Maildir for as many days as its owner was told
 * goes: a bounded piece of it, while no session has the maildrop.
 *
 * It goes by the same way as what DELE has marked (commit.h), and nothing does
 * unless malote-expire, written before, says that it may.
 */
#ifndef SERVER_STORE_MAILDIR_EXPIRE_H
#define SERVER_STORE_MAILDIR_EXPIRE_H

#include "server/store/kind.h"

/* As in kind.h. */
void maildir_expire(const struct hold_open *o, struct hold_expire *x);
enum err maildir_expire_show(
    const char *path, struct control_expire *out, struct errbuf *eb) NODISCARD;
enum err maildir_expire_accept(
    const char *path, struct holder *holder, struct errbuf *eb) NODISCARD;

#endif
