#include "client/send/outbox_thread.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"

struct outbox_task {
	struct pool_job job;
	struct outbox_thread *thread;
	LIST_ENTRY(outbox_task) link;
	enum err (*run)(void *arg, struct errbuf *eb); /* NULL: a record's */
	/* Of a record: */
	char id[OUTGOING_ID];
	int lock;   /* another descriptor of the item's; -1: none */
	char *text; /* NULL: the message is removed */
	/* What has come of it, and who is to be told; NULL: nobody. */
	enum err e;
	struct errbuf words;
	outbox_done *done;
	void *arg;
};

struct outbox_thread {
	struct outbox *outbox;
	struct pool *pool;
	LIST_HEAD(, outbox_task) tasks;
};

static void
task_free(struct outbox_task *task)
{
	LIST_REMOVE(task, link);
	if (task->lock >= 0)
		close(task->lock);
	free(task->text);
	free(task);
}

/* ---- on the thread ---- */

static void
task_run(struct pool_job *job)
{
	struct outbox_task *task = (struct outbox_task *)job;
	struct outbox *b = task->thread->outbox;

	if (task->run != NULL)
		task->e = task->run(task->arg, &task->words);
	else if (task->text != NULL)
		task->e = outbox_write(b, task->id, task->text, &task->words);
	else
		task->e = outbox_unlink(b, task->id, &task->words);
}

/* ---- in the loop ---- */

static void
task_done(struct pool_job *job)
{
	struct outbox_task *task = (struct outbox_task *)job;
	struct errbuf words = task->words;
	outbox_done *done = task->done;
	void *arg = task->arg;
	enum err e = task->e;

	task_free(task);
	if (done != NULL)
		done(arg, e, words.text);
}

static struct outbox_task *
task_new(struct outbox_thread *t, outbox_done *done, void *arg)
{
	struct outbox_task *task = calloc(1, sizeof(*task));

	if (task == NULL)
		return NULL;
	task->job = (struct pool_job){ .run = task_run, .done = task_done };
	task->thread = t;
	task->lock = -1;
	task->done = done;
	task->arg = arg;
	LIST_INSERT_HEAD(&t->tasks, task, link);
	return task;
}

/* NULL: memory, or descriptors. */
static struct outbox_task *
task_of_item(struct outbox_thread *t, const struct outbox_item *item,
    outbox_done *done, void *arg)
{
	struct outbox_task *task = task_new(t, done, arg);

	if (task == NULL)
		return NULL;
	memcpy(task->id, item->o.id, OUTGOING_ID);
	task->lock = fcntl(item->fd, F_DUPFD_CLOEXEC, 0);
	if (task->lock >= 0)
		return task;
	task_free(task);
	return NULL;
}

struct outbox_task *
outbox_thread_save(struct outbox_thread *t, const struct outbox_item *item,
    outbox_done *done, void *arg)
{
	struct outbox_task *task = task_of_item(t, item, done, arg);

	if (task == NULL)
		return NULL;
	if ((task->text = outgoing_print(&item->o)) == NULL) {
		task_free(task);
		return NULL;
	}
	pool_add(t->pool, &task->job);
	return task;
}

struct outbox_task *
outbox_thread_remove(struct outbox_thread *t, const struct outbox_item *item,
    outbox_done *done, void *arg)
{
	struct outbox_task *task = task_of_item(t, item, done, arg);

	if (task != NULL)
		pool_add(t->pool, &task->job);
	return task;
}

struct outbox_task *
outbox_thread_run(struct outbox_thread *t,
    enum err (*run)(void *arg, struct errbuf *eb), outbox_done *done, void *arg)
{
	struct outbox_task *task = task_new(t, done, arg);

	if (task == NULL)
		return NULL;
	task->run = run;
	pool_add(t->pool, &task->job);
	return task;
}

void
outbox_task_leave(struct outbox_task *task)
{
	task->done = NULL;
}

enum err
outbox_thread_new(struct outbox_thread **t_r, struct ev_loop *loop,
    struct outbox *b, struct errbuf *eb)
{
	struct outbox_thread *t = calloc(1, sizeof(*t));
	enum err e;

	*t_r = NULL;
	if (t == NULL)
		return err_set(eb, E_NOMEM, "%s", err_str(E_NOMEM));
	t->outbox = b;
	LIST_INIT(&t->tasks);
	if ((e = pool_new(&t->pool, loop, 1, eb)) == E_OK)
		*t_r = t;
	else
		free(t);
	return e;
}

void
outbox_thread_free(struct outbox_thread *t)
{
	struct outbox_task *task;

	if (t == NULL)
		return;
	pool_free(t->pool);
	while ((task = LIST_FIRST(&t->tasks)) != NULL)
		task_free(task);
	free(t);
}
