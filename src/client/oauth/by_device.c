/* Device code: the person types a code into a browser anywhere, while we ask
 * whether that has happened (RFC 8628). */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "client/oauth/flow.h"
#include "client/oauth/provider.h"
#include "client/web/form.h"

enum {
	SLOWER = 5,     /* seconds more, when told to slow down (s3.5) */
	LIFETIME = 900, /* seconds of the codes, where nothing is said */
};

static void
wait_for(unsigned seconds)
{
	struct timespec t = { .tv_sec = seconds };

	while (nanosleep(&t, &t) != 0)
		;
}

static enum err
write_form(const struct oauth_device *d, struct buf *form)
{
	enum err e = form_put(
	    form, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");

	return e == E_OK ? form_put(form, "device_code", d->code) : e;
}

static enum err
ask_once(const struct oauth_login *l, const struct oauth_device *d,
    struct oauth_grant *g, struct oauth_refusal *r, struct errbuf *eb)
{
	struct buf form;
	enum err e;

	buf_init(&form, PROVIDER_FORM_MAX, true);
	e = write_form(d, &form) == E_OK
		? provider_grant(l->party, &form, g, r, eb)
		: err_set(eb, E_NOMEM, "%s", _("out of memory"));
	buf_free(&form);
	return e;
}

/* Is it not decided yet?  A server that cannot be reached may be another time,
 * and is asked less often then (s3.5). */
static bool
goes_on(enum err e, const struct oauth_refusal *r, unsigned *interval)
{
	bool slower = e == E_AGAIN ||
		      (e == E_DENIED && strcmp(r->code, "slow_down") == 0);

	if (slower)
		*interval += SLOWER;
	return slower ||
	       (e == E_DENIED && strcmp(r->code, "authorization_pending") == 0);
}

static enum err
ask_until_decided(const struct oauth_login *l, const struct oauth_device *d,
    struct oauth_grant *g, struct errbuf *eb)
{
	unsigned life = d->seconds != 0 ? d->seconds : LIFETIME;
	unsigned interval = d->interval;
	uint64_t end =
	    clock_ms() + 1000ULL * (life < l->seconds ? life : l->seconds);
	struct oauth_refusal refusal;
	enum err e;

	do {
		wait_for(interval);
		e = ask_once(l, d, g, &refusal, eb);
	} while (goes_on(e, &refusal, &interval) && clock_ms() < end);
	if (goes_on(e, &refusal, &interval) ||
	    (e == E_DENIED && strcmp(refusal.code, "expired_token") == 0))
		return err_set(eb, E_AGAIN, "%s",
		    _("nobody has allowed it in the browser in time"));
	return e == E_DENIED ? provider_refusal(l->party, &refusal, eb) : e;
}

enum err
oauth_by_device(
    const struct oauth_login *l, struct oauth_grant *g, struct errbuf *eb)
{
	struct oauth_refusal refusal;
	struct oauth_device d;
	enum err e = provider_device(l->party, &d, &refusal, eb);

	if (e == E_DENIED)
		return provider_refusal(l->party, &refusal, eb);
	if (e != E_OK)
		return e;
	fprintf(l->out,
	    l->party->is_place
		? _("Open %s in a browser, on any computer, and type this "
		    "code:\n\n    %s\n\nThen allow malote to put mail into "
		    "the mailbox of %s.\n")
		: _("Open %s in a browser, on any computer, and type this "
		    "code:\n\n    %s\n\nThen allow malote to collect the mail "
		    "of %s.\n"),
	    d.uri, d.user_code, l->party->email);
	fflush(l->out);
	e = ask_until_decided(l, &d, g, eb);
	oauth_device_clear(&d);
	return e;
}
