#include "server/helper/token_introspect.h"

#include <stdlib.h>
#include <string.h>

#include "base/slurp.h"
#include "server/helper/token_fetch.h"

enum {
	ANSWER_MAX = 64 * 1024,
	HTTP_OK = 200,
	HTTP_UNAUTHORIZED = 401,
	HTTP_FORBIDDEN = 403,
};

enum err
token_introspect_secret(
    char out[TOKEN_SECRET_MAX], const struct issuer_conf *c, struct errbuf *eb)
{
	struct errbuf why;
	struct slurp in;
	enum err e =
	    slurp(c->client_secret_file, TOKEN_SECRET_MAX - 1, &in, &why);
	size_t n;

	if (e != E_OK)
		return err_set(
		    eb, E_CONFIG, "%s: %s", c->client_secret_file, why.text);
	n = strcspn(in.text, "\r\n");
	memcpy(out, in.text, n);
	out[n] = '\0';
	str_wipe(in.text);
	return n != 0 ? E_OK
		      : err_set(eb, E_CONFIG, "%s: there is nothing in it",
			    c->client_secret_file);
}

static enum err
put_form(struct buf *form, struct slice token)
{
	enum err e = buf_printf(form, "token_type_hint=access_token&token=");

	if (e == E_OK)
		e = token_fetch_escape(form, token);
	return e == E_OK ? buf_put(form, "", 1) : e;
}

/* RFC 6749 s2.3.1: both as they would stand in a form. */
static enum err
put_client(struct buf *user, struct buf *password, const struct issuer_conf *c,
    const char *secret)
{
	enum err e = token_fetch_escape(
	    user, (struct slice){ c->client_id, strlen(c->client_id) });

	if (e == E_OK)
		e = token_fetch_escape(
		    password, (struct slice){ secret, strlen(secret) });
	if (e == E_OK)
		e = buf_put(user, "", 1);
	return e == E_OK ? buf_put(password, "", 1) : e;
}

static enum err
read_answer(json_t **said_r, const struct token_fetch *t, struct errbuf *eb)
{
	json_error_t why;

	if (t->status == HTTP_UNAUTHORIZED || t->status == HTTP_FORBIDDEN)
		return err_set(eb, E_CONFIG,
		    "it does not know client_id with that secret (HTTP %ld)",
		    t->status);
	if (t->status != HTTP_OK)
		return err_set(eb, E_AGAIN, "it answers HTTP %ld", t->status);
	*said_r = t->body.len != 0 ? json_loadb(buf_data(&t->body), t->body.len,
					 JSON_REJECT_DUPLICATES, &why)
				   : NULL;
	return json_is_object(*said_r)
		   ? E_OK
		   : err_set(
			 eb, E_FORMAT, "what it answers is no object of JSON");
}

enum err
token_introspect(json_t **said_r, const struct issuer_conf *c,
    struct slice authorities, const char *secret, struct slice token,
    struct errbuf *eb)
{
	struct buf form, user, password;
	struct token_fetch t = { .url = c->introspection,
		.authorities = authorities,
		.timeout = c->timeout };
	enum err e;

	*said_r = NULL;
	buf_init(&form, 3 * TOKEN_MESSAGE_MAX + 256, true);
	buf_init(&user, 3 * sizeof(c->client_id) + 1, true);
	buf_init(&password, 3 * TOKEN_SECRET_MAX + 1, true);
	buf_init(&t.body, ANSWER_MAX, true);
	if ((e = put_form(&form, token)) != E_OK ||
	    (e = put_client(&user, &password, c, secret)) != E_OK) {
		err_set(eb, e, "out of memory");
	} else {
		t.form = buf_data(&form);
		t.user = buf_data(&user);
		t.password = buf_data(&password);
		e = token_fetch(&t, eb);
	}
	if (e == E_OK)
		e = read_answer(said_r, &t, eb);
	buf_free(&form);
	buf_free(&user);
	buf_free(&password);
	buf_free(&t.body);
	return e;
}
