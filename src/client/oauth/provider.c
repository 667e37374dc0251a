#include "client/oauth/provider.h"

#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "client/web/form.h"
#include "client/web/transfer.h"

enum {
	STATUS_TOO_MANY = 429, /* RFC 6585 s4 */
	STATUS_SERVER = 500,   /* and above: it cannot just now */
};

/* ---- what is shown of an answer ---- */

/* Some repeat what they were asked.  Of a secret the beginning tells, as the
 * rest may have been cut. */
static bool
repeats(const struct oauth_refusal *r, struct slice form, const char *name)
{
	enum { ENOUGH = 8 };
	struct buf secret;
	bool found = false;

	buf_init(&secret, PROVIDER_FORM_MAX, true);
	if (form_get(form, name, &secret) == E_OK && secret.len != 0) {
		size_t n = secret.len < ENOUGH ? secret.len : ENOUGH;

		found = memmem(r->code, strlen(r->code), buf_data(&secret),
			    n) != NULL ||
			memmem(r->words, strlen(r->words), buf_data(&secret),
			    n) != NULL;
	}
	buf_free(&secret);
	return found;
}

static void
hide_secrets(struct oauth_refusal *r, struct slice form)
{
	static const char *const names[] = { "refresh_token", "client_secret",
		"code", "code_verifier", "device_code" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (repeats(r, form, names[i]))
			*r = (struct oauth_refusal){ "***", "" };
}

/* ---- one question ---- */

/* Errors of the way there, as provider.h names them. */
static enum err
of_transfer(enum err e)
{
	switch (e) {
	case E_IO: return E_AGAIN;
	case E_DENIED: return E_CONFIG; /* its certificate */
	case E_FULL: return E_FORMAT;
	default: return e;
	}
}

static enum err
check_answer(const struct fetch_answer *a, const char *url, struct errbuf *eb)
{
	if (a->e != E_OK)
		return err_set(eb, of_transfer(a->e), "%s", a->words);
	if (a->status == STATUS_TOO_MANY || a->status >= STATUS_SERVER)
		return err_set(eb, E_AGAIN,
		    _("%.100s cannot answer now (status %u)"), url, a->status);
	return E_OK;
}

/* What is to be done with an answer. */
typedef enum err take_answer(
    void *to, struct oauth_refusal *r, struct slice json, struct errbuf *eb);

static enum err
take(const struct fetch_answer *a, const char *url, take_answer *taker,
    void *to, struct oauth_refusal *r, struct errbuf *eb)
{
	struct errbuf why = { "" };
	enum err e = check_answer(a, url, eb);

	if (e != E_OK)
		return e;
	e = taker(to, r, a->body, &why);
	if (e == E_FORMAT || e == E_NOMEM)
		return err_set(eb, e,
		    _("%.100s gives an answer that is not understood (status "
		      "%u): %.80s"),
		    url, a->status, why.text);
	return e;
}

/* form: ends with a NUL. */
static enum err
ask(const struct oauth_party *p, const char *url, const char *form,
    struct transfer **t_r, struct errbuf *eb)
{
	const struct fetch_question q = {
		.url = url,
		.post = form,
		.ca_file = p->client.ca_file,
		.proxy = p->proxy,
		.timeout = p->timeout,
		.max = ANSWER_MAX,
	};
	enum err e = transfer_new(t_r, &q, eb);

	if (e == E_OK)
		transfer_run(*t_r);
	return e;
}

static enum err
add_client(const struct oauth_party *p, struct buf *form)
{
	enum err e = form_put(form, "client_id", p->client.client_id);

	if (e == E_OK)
		e = form_put(form, "client_secret", p->client.client_secret);
	return e == E_OK ? buf_put(form, "", 1) : e;
}

static enum err
post(const struct oauth_party *p, const char *url, struct buf *form,
    take_answer *taker, void *to, struct oauth_refusal *r, struct errbuf *eb)
{
	struct transfer *t = NULL;
	struct fetch_answer a;
	enum err e;

	if (add_client(p, form) != E_OK)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if ((e = ask(p, url, buf_data(form), &t, eb)) == E_OK) {
		transfer_answer(t, &a);
		e = take(&a, url, taker, to, r, eb);
		if (e == E_DENIED)
			hide_secrets(
			    r, (struct slice){ buf_data(form), form->len - 1 });
	}
	transfer_free(t);
	return e;
}

/* ---- the questions ---- */

static enum err
take_grant(
    void *to, struct oauth_refusal *r, struct slice json, struct errbuf *eb)
{
	return oauth_answer_grant(to, r, json, eb);
}

static enum err
take_device(
    void *to, struct oauth_refusal *r, struct slice json, struct errbuf *eb)
{
	return oauth_answer_device(to, r, json, eb);
}

enum err
provider_grant(const struct oauth_party *p, struct buf *form,
    struct oauth_grant *g, struct oauth_refusal *r, struct errbuf *eb)
{
	memset(g, 0, sizeof(*g));
	return post(p, p->client.token_url, form, take_grant, g, r, eb);
}

enum err
provider_device(const struct oauth_party *p, struct oauth_device *d,
    struct oauth_refusal *r, struct errbuf *eb)
{
	struct buf form;
	enum err e;

	memset(d, 0, sizeof(*d));
	buf_init(&form, PROVIDER_FORM_MAX, true);
	e = form_put(&form, "scope", p->client.scope);
	e = e == E_OK
		? post(p, p->client.device_url, &form, take_device, d, r, eb)
		: err_set(eb, E_NOMEM, "%s", _("out of memory"));
	buf_free(&form);
	return e;
}

/* ---- refusals ---- */

/* What follows from a code of RFC 6749 s4.1.2.1 and s5.2, and RFC 8628 s3.5. */
enum meaning { LATER, ANEW, NOT_ALLOWED, WRONG_CLIENT, WRONG_SCOPE, OTHER };

static enum meaning
meaning_of(const char *code)
{
	static const struct {
		const char *code;
		enum meaning meaning;
	} codes[] = {
		{ "temporarily_unavailable", LATER },
		{ "server_error", LATER },
		{ "slow_down", LATER },
		{ "invalid_grant", ANEW },
		{ "interaction_required", ANEW }, /* Microsoft's */
		{ "expired_token", ANEW },
		{ "access_denied", NOT_ALLOWED },
		{ "invalid_client", WRONG_CLIENT },
		{ "unauthorized_client", WRONG_CLIENT },
		{ "invalid_scope", WRONG_SCOPE },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].meaning;
	return OTHER;
}

enum err
provider_refusal(const struct oauth_party *p, const struct oauth_refusal *r,
    struct errbuf *eb)
{
	const char *block = p->client.name;
	char said[128];

	snprintf(said, sizeof(said), "%s%s%.70s", r->code,
	    r->words[0] != '\0' ? ": " : "", r->words);
	switch (meaning_of(r->code)) {
	case LATER:
		return err_set(eb, E_AGAIN,
		    _("%.40s cannot answer now (\"%s\")"), block, said);
	case ANEW:
		return err_set(eb, E_DENIED,
		    _("what was allowed at %.30s is no longer valid; sign in "
		      "again: %.53s (\"%s\")"),
		    block, p->login, said);
	case NOT_ALLOWED:
		return err_set(eb, E_DENIED,
		    _("it was not allowed at %.30s; to try again: %.53s "
		      "(\"%s\")"),
		    block, p->login, said);
	case WRONG_CLIENT:
		return err_set(eb, E_CONFIG,
		    _("client_id or client_secret of oauth \"%.30s\" is "
		      "wrong, see malote-oauth(7) (\"%s\")"),
		    block, said);
	case WRONG_SCOPE:
		return err_set(eb, E_CONFIG,
		    _("scope of oauth \"%.30s\" is wrong (\"%s\")"), block,
		    said);
	default:
		return err_set(
		    eb, E_DENIED, _("%.40s refuses (\"%s\")"), block, said);
	}
}
