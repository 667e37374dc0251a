#include "client/secret/ticket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/errand.h"
#include "base/i18n.h"
#include "base/module.h"
#include "client/secret/exchange.h"

/* The work of the thread. */
struct work {
	const char *name;               /* of the use */
	const struct exchange_use *use; /* NULL: it was not found yet */
	struct exchange x;
};

struct ticket {
	struct ticket_question question;
	struct errand *errand; /* that makes the first message; or NULL */
	struct work *work; /* the errand's, as long as there is one; NULL: it
	                    * was left behind */
};

/* Of the module that is linked with MIT's libraries. */
static const char *const uses[] = {
	[TICKET_GSSAPI] = "exchange_gssapi",
	[TICKET_KPOP] = "exchange_kpop",
};

static void
work_free(void *arg)
{
	struct work *w = arg;
	struct exchange *x = &w->x;

	if (x->own != NULL)
		w->use->end(x);
	buf_free(&x->said);
	buf_free(&x->made);
	free(x->server);
	free(x->user);
	free(w);
}

static struct work *
work_new(const struct ticket_question *q)
{
	struct work *w = calloc(1, sizeof(*w));
	struct exchange *x;

	if (w == NULL)
		return NULL;
	x = &w->x;
	w->name = uses[q->use];
	buf_init(&x->said, EXCHANGE_MAX, true);
	buf_init(&x->made, EXCHANGE_MAX, true);
	x->server = strdup(q->server);
	x->user = strdup(q->user);
	if (x->server != NULL && x->user != NULL)
		return w;
	work_free(w);
	return NULL;
}

static void
work_run(void *arg)
{
	struct work *w = arg;

	buf_consume(&w->x.made, w->x.made.len);
	if (w->use == NULL)
		w->use = module_find("kerberos", w->name);
	if (w->use != NULL) {
		w->x.e = w->use->step(&w->x);
		return;
	}
	snprintf(w->x.words, sizeof(w->x.words), "%s",
	    _("Kerberos, or malote's module for it, is not installed"));
	w->x.e = E_CONFIG;
}

static struct ticket_result
result(const struct exchange *x)
{
	return (struct ticket_result){
		.e = x->e,
		.message = { buf_data(&x->made), x->made.len },
		.words = x->words,
	};
}

static void
ticket_answer(void *arg, bool in_time)
{
	struct ticket *t = arg;
	const struct ticket_question *q = &t->question;
	struct ticket_result r = { .e = E_IO };
	char words[128];

	t->errand = NULL;
	if (in_time) {
		r = result(&t->work->x);
	} else {
		t->work = NULL;
		snprintf(words, sizeof(words),
		    _("no answer from the Kerberos server (KDC) within %.0f "
		      "s"),
		    q->timeout);
		r.words = words;
	}
	q->done(q->arg, &r);
}

enum err
ticket_new(
    struct ticket **t_r, const struct ticket_question *q, struct errbuf *eb)
{
	struct ticket *t = calloc(1, sizeof(*t));
	enum err e;

	if (t == NULL || (t->work = work_new(q)) == NULL) {
		free(t);
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	}
	t->question = *q;
	e = errand_start(&t->errand,
	    &(struct errand_question){
		.loop = q->loop,
		.timeout = q->timeout,
		.work = t->work,
		.run = work_run,
		.drop = work_free,
		.done = ticket_answer,
		.arg = t,
	    },
	    eb);
	if (e == E_OK)
		*t_r = t;
	else
		ticket_free(t);
	return e;
}

struct ticket_result
ticket_next(struct ticket *t, struct slice said)
{
	struct exchange *x = &t->work->x;

	buf_consume(&x->said, x->said.len);
	if (said.n != 0 && buf_put(&x->said, said.p, said.n) != E_OK)
		return (struct ticket_result){ .e = E_NOMEM,
			.words = _("out of memory") };
	work_run(t->work);
	return result(x);
}

bool
ticket_is_proven(const struct ticket *t)
{
	return t->work->x.proven;
}

void
ticket_free(struct ticket *t)
{
	if (t == NULL)
		return;
	if (t->errand != NULL)
		errand_leave(t->errand);
	else if (t->work != NULL)
		work_free(t->work);
	free(t);
}
