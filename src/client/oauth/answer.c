#include "client/oauth/answer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"

enum {
	YEAR = 365 * 24 * 3600,
	INTERVAL = 5, /* seconds, where none is said (RFC 8628 s3.2) */
	INTERVAL_MOST = 60,
	URI_MAX = 2048,
	USER_CODE_MAX = 64,
};

void
oauth_grant_clear(struct oauth_grant *g)
{
	str_wipe(g->access);
	str_wipe(g->refresh);
	memset(g, 0, sizeof(*g));
}

void
oauth_device_clear(struct oauth_device *d)
{
	str_wipe(d->code);
	free(d->user_code);
	free(d->uri);
	memset(d, 0, sizeof(*d));
}

/* ---- values ---- */

static enum err
no_memory(struct errbuf *eb)
{
	return err_set(eb, E_NOMEM, "%s", _("out of memory"));
}

/* A string of `most` octets at most, all of them printable ASCII, no space in a
 * token (RFC 6749 A.12, A.17).  E_NOENT: there is none. */
static enum err
take_text(char **to, const json_t *from, const char *name, size_t most,
    struct errbuf *eb)
{
	const json_t *v = json_object_get(from, name);
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);

	if (v == NULL || json_is_null(v) || (text != NULL && n == 0))
		return E_NOENT;
	for (size_t i = 0; text != NULL && i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			text = NULL;
	if (text == NULL || n > most)
		return err_set(
		    eb, E_FORMAT, _("its \"%s\" is not what it must be"), name);
	return (*to = strdup(text)) != NULL ? E_OK : no_memory(eb);
}

static enum err
need_text(char **to, const json_t *from, const char *name, size_t most,
    struct errbuf *eb)
{
	enum err e = take_text(to, from, name, most, eb);

	return e == E_NOENT ? err_set(eb, E_FORMAT, _("it has no \"%s\""), name)
			    : e;
}

/* Seconds; some send digits within quotation marks.  0: there is no such
 * number. */
static int64_t
take_seconds(const json_t *from, const char *name)
{
	const json_t *v = json_object_get(from, name);
	struct slice digits = { json_string_value(v), json_string_length(v) };
	uint64_t n = 0;

	if (json_is_integer(v))
		n = json_integer_value(v) > 0 ? (uint64_t)json_integer_value(v)
					      : 0;
	else if (json_is_real(v) && json_real_value(v) > 0)
		n = json_real_value(v) < YEAR ? (uint64_t)json_real_value(v)
					      : YEAR;
	else if (digits.p != NULL && !str_to_u64(digits, &n))
		n = 0;
	return n < YEAR ? (int64_t)n : YEAR;
}

/* ---- what it is ---- */

/* Is there an error?  Then *r is it. */
static bool
take_refusal(struct oauth_refusal *r, const json_t *from)
{
	const json_t *code = json_object_get(from, "error");
	const json_t *words = json_object_get(from, "error_description");

	if (!json_is_string(code))
		return false;
	str_quote(r->code, sizeof(r->code), json_string_value(code),
	    json_string_length(code));
	r->words[0] = '\0';
	if (json_is_string(words))
		str_quote(r->words, sizeof(r->words), json_string_value(words),
		    json_string_length(words));
	return true;
}

/* E_OK: *root_r is an object that says no error. */
static enum err
open_answer(json_t **root_r, struct oauth_refusal *r, struct slice json,
    struct errbuf *eb)
{
	json_error_t error;
	json_t *root =
	    json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, &error);
	enum err e = E_OK;

	if (!json_is_object(root))
		e = err_set(eb, E_FORMAT, "%s", _("it is no JSON object"));
	else if (take_refusal(r, root))
		e = E_DENIED;
	if (e == E_OK)
		*root_r = root;
	else
		json_decref(root);
	return e;
}

/* We know how to show a bearer's token only (RFC 6750). */
static enum err
check_type(const json_t *from, struct errbuf *eb)
{
	const json_t *v = json_object_get(from, "token_type");
	struct slice type = { json_string_value(v), json_string_length(v) };

	if (type.p == NULL || slice_caseeq(type, "bearer"))
		return E_OK;
	return err_set(
	    eb, E_FORMAT, "%s", _("its token is not one of a bearer"));
}

static enum err
take_grant(struct oauth_grant *g, const json_t *from, struct errbuf *eb)
{
	enum err e;

	if ((e = check_type(from, eb)) != E_OK ||
	    (e = need_text(&g->access, from, "access_token", OAUTH_TOKEN_MAX,
		 eb)) != E_OK)
		return e;
	g->seconds = take_seconds(from, "expires_in");
	e = take_text(&g->refresh, from, "refresh_token", OAUTH_TOKEN_MAX, eb);
	return e == E_NOENT ? E_OK : e;
}

enum err
oauth_answer_grant(struct oauth_grant *g, struct oauth_refusal *r,
    struct slice json, struct errbuf *eb)
{
	json_t *root;
	enum err e = open_answer(&root, r, json, eb);

	memset(g, 0, sizeof(*g));
	if (e != E_OK)
		return e;
	if ((e = take_grant(g, root, eb)) != E_OK)
		oauth_grant_clear(g);
	json_decref(root);
	return e;
}

/* Some call it verification_url, as drafts of the RFC did. */
static enum err
take_device(struct oauth_device *d, const json_t *from, struct errbuf *eb)
{
	int64_t interval = take_seconds(from, "interval");
	enum err e;

	if ((e = need_text(
		 &d->code, from, "device_code", OAUTH_TOKEN_MAX, eb)) != E_OK ||
	    (e = need_text(
		 &d->user_code, from, "user_code", USER_CODE_MAX, eb)) != E_OK)
		return e;
	e = take_text(&d->uri, from, "verification_url", URI_MAX, eb);
	if (e == E_NOENT)
		e = need_text(&d->uri, from, "verification_uri", URI_MAX, eb);
	d->seconds = (unsigned)take_seconds(from, "expires_in");
	d->interval = interval == 0              ? INTERVAL
		      : interval < INTERVAL_MOST ? (unsigned)interval
						 : INTERVAL_MOST;
	return e;
}

enum err
oauth_answer_device(struct oauth_device *d, struct oauth_refusal *r,
    struct slice json, struct errbuf *eb)
{
	json_t *root;
	enum err e = open_answer(&root, r, json, eb);

	memset(d, 0, sizeof(*d));
	if (e != E_OK)
		return e;
	if ((e = take_device(d, root, eb)) != E_OK)
		oauth_device_clear(d);
	json_decref(root);
	return e;
}
