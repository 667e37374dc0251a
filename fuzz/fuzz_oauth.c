/*
 * What an authorisation server or a browser says, and what is kept: whatever it
 * is, what is taken from it can be sent, shown, kept and read again.
 */
#include <stdlib.h>
#include <string.h>

#include "client/oauth/answer.h"
#include "client/oauth/redirect.h"
#include "client/oauth/tokens.h"
#include "client/web/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text, size_t most)
{
	if (text == NULL)
		return;
	if (text[0] == '\0' || strlen(text) > most)
		abort();
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			abort();
}

static void
same(const char *a, const char *b)
{
	if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0))
		abort();
}

/* Written and read again, they are the same. */
static void
keep(const struct oauth_tokens *t)
{
	struct oauth_tokens again;
	struct buf b;

	buf_init(&b, TOKENS_TEXT_MAX, true);
	if (oauth_tokens_write(t, &b) != E_OK ||
	    oauth_tokens_parse(&again, (struct slice){ buf_data(&b), b.len }) !=
		E_OK)
		abort();
	same(t->access, again.access);
	same(t->refresh, again.refresh);
	if (t->expires != again.expires)
		abort();
	oauth_tokens_clear(&again);
	buf_free(&b);
}

static void
try_grant(struct slice in)
{
	struct oauth_tokens t = { NULL, NULL, 0 };
	struct oauth_refusal refusal;
	struct oauth_grant g;
	struct errbuf eb;

	if (oauth_answer_grant(&g, &refusal, in, &eb) != E_OK)
		return;
	if (g.access == NULL || g.seconds < 0)
		abort();
	check_text(g.access, OAUTH_TOKEN_MAX);
	check_text(g.refresh, OAUTH_TOKEN_MAX);
	oauth_tokens_take(&t, &g, 1000);
	keep(&t);
	oauth_tokens_clear(&t);
}

static void
try_device(struct slice in)
{
	struct oauth_refusal refusal;
	struct oauth_device d;
	struct errbuf eb;

	if (oauth_answer_device(&d, &refusal, in, &eb) != E_OK)
		return;
	if (d.code == NULL || d.user_code == NULL || d.uri == NULL ||
	    d.interval == 0)
		abort();
	check_text(d.code, OAUTH_TOKEN_MAX);
	check_text(d.user_code, 64);
	check_text(d.uri, 2048);
	oauth_device_clear(&d);
}

static void
try_form(struct slice in)
{
	struct buf value, again;

	buf_init(&value, 4096, true);
	buf_init(&again, 3 * 4096 + 3, true);
	if (form_get(in, "code", &value) == E_OK && value.len != 0) {
		if (buf_put(&value, "", 1) != E_OK)
			goto out;
		if (strlen(buf_data(&value)) != value.len - 1 ||
		    form_put(&again, "code", buf_data(&value)) != E_OK)
			abort();
	}
out:
	buf_free(&value);
	buf_free(&again);
}

static void
try_redirect(struct slice in)
{
	struct oauth_refusal refusal;
	enum redirect said;
	struct buf code;

	buf_init(&code, REDIRECT_MAX, true);
	said = redirect_of_request(in, "/", "state", &code, &refusal);
	if (said == REDIRECT_CODE && code.len == 0)
		abort();
	for (const char *p = refusal.code;
	     said == REDIRECT_REFUSED && *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == '"')
			abort(); /* it would change the line it is shown in */
	said = redirect_of_address(in, "state", &code, &refusal);
	if (said == REDIRECT_MORE || (said == REDIRECT_CODE && code.len == 0))
		abort();
	buf_free(&code);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	struct oauth_tokens t;

	if (size == 0)
		return 0;
	try_grant(in);
	try_device(in);
	try_form(in);
	try_redirect(in);
	if (oauth_tokens_parse(&t, in) == E_OK) {
		check_text(t.access, OAUTH_TOKEN_MAX);
		check_text(t.refresh, OAUTH_TOKEN_MAX);
		keep(&t);
		oauth_tokens_clear(&t);
	}
	return 0;
}
