/* A token that a provider gives out, which may have to be asked for: on a
 * thread. */
#include <stdlib.h>
#include <string.h>

#include "base/errand.h"
#include "base/i18n.h"
#include "client/oauth/answer.h"
#include "client/oauth/renew.h"
#include "client/secret/source.h"

enum { QUESTIONS = 3 }; /* each with a timeout: lock, keyring, provider */

struct work {
	struct oauth_party *party;
	bool anew;
	struct buf token;
	enum err e;
	struct errbuf words;
};

struct token {
	struct errand *errand; /* NULL: it is over, or has not begun */
	struct work *work;     /* the errand's, as long as there is one */
};

/* ---- on the thread ---- */

static void
work_free(void *arg)
{
	struct work *w = arg;

	if (w == NULL)
		return;
	oauth_party_free(w->party);
	buf_free(&w->token);
	free(w);
}

static void
work_run(void *arg)
{
	struct work *w = arg;

	w->e = oauth_renew(w->party, w->anew, &w->token, &w->words);
}

/* ---- in the loop ---- */

static void
token_done(void *arg, bool in_time)
{
	struct secret *s = arg;
	struct token *t = s->own;
	struct work *w = t->work;

	t->errand = NULL;
	if (!in_time) {
		t->work = NULL;
		secret_fail(s, E_AGAIN, _("no token came within %.0f s"),
		    QUESTIONS * s->timeout);
	} else if (w->e != E_OK) {
		secret_fail(s, w->e, "%s", w->words.text);
	} else {
		memcpy(s->value, buf_data(&w->token), w->token.len);
		s->n = w->token.len;
		secret_end(s, s->account->oauth);
	}
}

static struct work *
work_new(const struct secret *s)
{
	struct work *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	buf_init(&w->token, OAUTH_TOKEN_MAX, true);
	w->anew = s->anew;
	w->party = oauth_party_new(s->account, s->state_dir);
	if (w->party != NULL)
		return w;
	work_free(w);
	return NULL;
}

static enum err
token_start(struct secret *s, struct errbuf *eb)
{
	struct token *t = s->own = calloc(1, sizeof(*t));

	if (t == NULL || (t->work = work_new(s)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return errand_start(&t->errand,
	    &(struct errand_question){
		.loop = s->loop,
		.timeout = QUESTIONS * s->timeout,
		.work = t->work,
		.run = work_run,
		.drop = work_free,
		.done = token_done,
		.arg = s,
	    },
	    eb);
}

static void
token_stop(struct secret *s)
{
	struct token *t = s->own;

	if (t == NULL)
		return;
	if (t->errand != NULL)
		errand_leave(t->errand);
	else
		work_free(t->work);
	free(t);
	s->own = NULL;
}

const struct secret_source secret_token = { token_start, token_stop };
