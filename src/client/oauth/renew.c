#include "client/oauth/renew.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/oauth/provider.h"
#include "client/oauth/vault.h"
#include "client/web/form.h"

/* By the refresh token (RFC 6749 s6), or by ourselves (s4.4). */
static enum err
write_form(
    const struct oauth_party *p, const struct oauth_tokens *t, struct buf *form)
{
	bool alone = p->client.flow == OAUTH_CLIENT;
	enum err e = form_put(
	    form, "grant_type", alone ? "client_credentials" : "refresh_token");

	if (e == E_OK && !alone)
		e = form_put(form, "refresh_token", t->refresh);
	if (e == E_OK && alone)
		e = form_put(form, "scope", p->client.scope);
	return e;
}

static enum err
ask(const struct oauth_party *p, struct oauth_tokens *t, struct errbuf *eb)
{
	struct oauth_refusal refusal;
	struct oauth_grant grant;
	struct buf form;
	enum err e;

	buf_init(&form, PROVIDER_FORM_MAX, true);
	e = write_form(p, t, &form);
	if (e == E_OK)
		e = provider_grant(p, &form, &grant, &refusal, eb);
	else
		err_set(eb, e, "%s", _("out of memory"));
	buf_free(&form);
	if (e == E_OK)
		oauth_tokens_take(t, &grant, time(NULL));
	return e == E_DENIED ? provider_refusal(p, &refusal, eb) : e;
}

/* It is of no use any more: the next run asks the provider at once. */
static void
forget_access(struct vault *v, struct oauth_tokens *t)
{
	if (t->access == NULL)
		return;
	str_wipe(t->access);
	t->access = NULL;
	(void)!vault_save(v, t, NULL); /* the run has failed already */
}

/* ---- those that are under way ---- */

enum { PATIENCE = 10 }; /* seconds, at the end of the process */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	unsigned n;
} asking = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void
asking_add(int n)
{
	pthread_mutex_lock(&asking.lock);
	asking.n += (unsigned)n;
	pthread_cond_broadcast(&asking.ended);
	pthread_mutex_unlock(&asking.lock);
}

void
oauth_renew_finish(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE;
	pthread_mutex_lock(&asking.lock);
	while (asking.n != 0 &&
	       pthread_cond_timedwait(&asking.ended, &asking.lock, &until) == 0)
		;
	pthread_mutex_unlock(&asking.lock);
}

/* ---- renewing ---- */

static enum err
ask_and_keep(const struct oauth_party *p, struct vault *v,
    struct oauth_tokens *t, struct errbuf *eb)
{
	enum err e;

	if ((e = vault_prepare(v, eb)) != E_OK)
		return e;
	if ((e = ask(p, t, eb)) != E_OK) {
		forget_access(v, t);
		return e;
	}
	return vault_save(v, t, eb);
}

static enum err
renew(const struct oauth_party *p, struct vault *v, struct oauth_tokens *t,
    struct errbuf *eb)
{
	enum err e;

	if (p->client.flow != OAUTH_CLIENT && t->refresh == NULL)
		return err_set(eb, E_DENIED,
		    p->is_place
			? _("nobody has allowed malote to put mail into the "
			    "mailbox of %s yet; sign in: %s")
			: _("nobody has allowed malote to collect the mail of "
			    "account %s yet; sign in: %s"),
		    p->is_place ? p->user : p->account, p->login);
	asking_add(1);
	e = ask_and_keep(p, v, t, eb);
	asking_add(-1);
	return e;
}

static enum err
find(const struct oauth_party *p, struct vault *v, bool anew,
    struct oauth_tokens *t, struct errbuf *eb)
{
	enum err e = vault_load(v, t, eb);

	if (e != E_OK && e != E_NOENT)
		return e;
	if (!anew && oauth_tokens_are_fresh(t, time(NULL)))
		return E_OK;
	return renew(p, v, t, eb);
}

enum err
oauth_renew(const struct oauth_party *p, bool anew, struct buf *token,
    struct errbuf *eb)
{
	struct oauth_tokens t = { NULL, NULL, 0 };
	struct vault *v;
	enum err e;

	if ((e = vault_open(&v, p, p->timeout, eb)) != E_OK)
		return e;
	e = find(p, v, anew, &t, eb);
	if (e == E_OK && buf_put(token, t.access, strlen(t.access)) != E_OK)
		e = err_set(eb, E_NOMEM, "%s", _("out of memory"));
	oauth_tokens_clear(&t);
	vault_close(v);
	return e;
}
