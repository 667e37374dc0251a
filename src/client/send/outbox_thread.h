/*
 * outbox_thread.h - the thread that waits for the outbox's disk, and for the places
 * where copies of what was sent go, so that the loop does not.
 *
 * What is asked for is done in that order.  All functions are for the loop's thread.
 */
#ifndef CLIENT_SEND_OUTBOX_THREAD_H
#define CLIENT_SEND_OUTBOX_THREAD_H

#include "client/send/outbox.h"

struct ev_loop;
struct outbox_task;
struct outbox_thread;

/* Called once, from the loop; the task is gone.  E_OK, or words. */
typedef void outbox_done(void *arg, enum err e, const char *words);

/* b is borrowed until the thread is freed.  E_NOMEM, E_IO. */
enum err outbox_thread_new(struct outbox_thread **t_r, struct ev_loop *loop,
    struct outbox *b, struct errbuf *eb) NODISCARD;
/* Waits for all tasks; their `done` is not called any more.  NULL is a no-op. */
void outbox_thread_free(struct outbox_thread *t);

/* Saves the record as it is now, or removes the message (see outbox.h), and holds
 * the lock of the item until then, whatever becomes of that.  NULL: memory. */
struct outbox_task *outbox_thread_save(struct outbox_thread *t,
    const struct outbox_item *item, outbox_done *done, void *arg) NODISCARD;
struct outbox_task *outbox_thread_remove(struct outbox_thread *t,
    const struct outbox_item *item, outbox_done *done, void *arg) NODISCARD;
/* Calls `run` there with `arg`, which nobody else touches until then. */
struct outbox_task *outbox_thread_run(struct outbox_thread *t,
    enum err (*run)(void *arg, struct errbuf *eb), outbox_done *done,
    void *arg) NODISCARD;

/* It is done all the same, but nobody is told. */
void outbox_task_leave(struct outbox_task *task);

#endif
