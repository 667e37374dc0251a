/*
 * uidl_state.h - by what the unique-ids of a Maildir go, for the admin; and
 * having that decided anew.
 */
#ifndef SERVER_STORE_MAILDIR_UIDL_STATE_H
#define SERVER_STORE_MAILDIR_UIDL_STATE_H

#include "server/store/kind.h"

/* As in kind.h. */
enum err maildir_uidl_show(const struct store_conf *conf, const char *path,
    struct control_uidl *out, struct errbuf *eb) NODISCARD;
enum err maildir_uidl_forget(
    const char *path, struct holder *holder, struct errbuf *eb) NODISCARD;

#endif
