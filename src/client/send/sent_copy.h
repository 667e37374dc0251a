/*
 * sent_copy.h - a copy of what was sent, in the folder of an account for that: once,
 * as what is delivered is (deliver/delivery.h).
 *
 * By what it would be known there stands in the message's record before it is made.
 * So one that a malote had begun with that was killed is looked for first.
 */
#ifndef CLIENT_SEND_SENT_COPY_H
#define CLIENT_SEND_SENT_COPY_H

#include "client/conf/client_conf.h"
#include "client/send/outbox_thread.h"

struct asker;
struct sent_copy;

/* Borrowed until the copy is freed. */
struct sent_copy_conf {
	struct outbox_thread *thread;
	struct outbox *outbox;
	const struct client_conf *conf;
	const struct account *account; /* its `sent` is set */
	const char *state_dir;
	struct asker *asker; /* where the place may need a secret; or NULL */
};

/* Of a message that was sent, which belongs to the thread until `done`: its record
 * is saved, o.copied says whether the copy is there, and what is to be saved anew is
 * for the caller.  It is as one that was read.  words, also with E_OK: what the
 * person should know; or empty.  E_NOMEM. */
enum err sent_copy_start(struct sent_copy **c_r,
    const struct sent_copy_conf *conf, struct outbox_item *item,
    outbox_done *done, void *arg, struct errbuf *eb) NODISCARD;
/* It is to end soon, as well as it can.  NULL is a no-op. */
void sent_copy_stop(struct sent_copy *c);
/* After `done`, or when the thread is gone.  NULL is a no-op. */
void sent_copy_free(struct sent_copy *c);

#endif
