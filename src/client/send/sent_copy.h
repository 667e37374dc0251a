/*
 * sent_copy.h - a copy of what was sent, in the folder of an account for that: on
 * a thread, as it may have to wait.
 */
#ifndef CLIENT_SEND_SENT_COPY_H
#define CLIENT_SEND_SENT_COPY_H

#include "client/conf/client_conf.h"

struct ev_loop;
struct sent_copy;

/* Called once, from the loop; E_OK, or words. */
typedef void sent_copy_done(void *arg, enum err e, const char *words);

/* Of the message in the file fd, as the account's `sent` says.  Borrows nothing
 * beyond the call, and holds the lock of fd until it is over.  In a Maildir it is
 * one that was read. */
enum err sent_copy_start(struct sent_copy **c_r, struct ev_loop *loop,
    const struct client_conf *conf, const struct account *a,
    const char *state_dir, int fd, sent_copy_done *done, void *arg,
    struct errbuf *eb) NODISCARD;
/* It ends by itself, and nobody is told.  NULL is a no-op. */
void sent_copy_leave(struct sent_copy *c);

#endif
