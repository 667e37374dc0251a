#include "client/web/fetch.h"

#include <stdlib.h>

#include "base/errand.h"
#include "base/i18n.h"
#include "client/web/transfer.h"

struct fetch {
	struct errand *errand;
	struct transfer *transfer; /* the errand's */
	fetch_done *done;
	void *arg;
};

/* ---- the work of the thread ---- */

static void
work_run(void *work)
{
	transfer_run(work);
}

static void
work_drop(void *work)
{
	transfer_free(work);
}

/* ---- in the loop ---- */

static void
fetched(void *arg, bool in_time)
{
	struct fetch *f = arg;
	struct fetch_answer a = { .e = E_IO,
		.words = _("no answer came in time") };

	if (in_time)
		transfer_answer(f->transfer, &a);
	f->done(f->arg, &a);
	if (in_time)
		transfer_free(f->transfer);
	free(f);
}

static enum err
start(struct fetch *f, const struct fetch_question *q, struct errbuf *eb)
{
	return errand_start(&f->errand,
	    &(struct errand_question){
		.loop = q->loop,
		/* libcurl counts as well, and says more; this is for what it
		 * cannot end. */
		.timeout = q->timeout + 1,
		.work = f->transfer,
		.run = work_run,
		.drop = work_drop,
		.done = fetched,
		.arg = f,
	    },
	    eb);
}

enum err
fetch_start(
    struct fetch **f_r, const struct fetch_question *q, struct errbuf *eb)
{
	struct fetch *f = malloc(sizeof(*f));
	enum err e;

	if (f == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	*f = (struct fetch){ .done = q->done, .arg = q->arg };
	if ((e = transfer_new(&f->transfer, q, eb)) == E_OK &&
	    (e = start(f, q, eb)) == E_OK) {
		*f_r = f;
		return E_OK;
	}
	transfer_free(f->transfer);
	free(f);
	return e;
}

void
fetch_cancel(struct fetch *f)
{
	if (f == NULL)
		return;
	/* The thread may free it as soon as it is left. */
	f->transfer->left = true;
	errand_leave(f->errand);
	free(f);
}
