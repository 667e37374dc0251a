/* KPOP: a request (AP-REQ) that asks the server to prove itself, and its
 * answer (AP-REP, or KRB-ERROR), by MIT's libkrb5. */
#include <stdio.h>
#include <stdlib.h>

#include "base/i18n.h"
#include "client/secret/exchange.h"
#include "client/secret/krb_words.h"

struct kpop {
	krb5_context krb;
	krb5_auth_context auth; /* NULL: nothing was asked */
};

static enum err
kpop_failed(struct exchange *x, krb5_error_code code)
{
	struct kpop *k = x->own;
	const char *text = krb5_get_error_message(k->krb, code);
	enum err e = krb_failed(x, code, text);

	krb5_free_error_message(k->krb, text);
	return e;
}

static enum err
no_memory(struct exchange *x)
{
	snprintf(x->words, sizeof(x->words), "%s", _("out of memory"));
	return E_NOMEM;
}

static enum err
make_request(struct exchange *x, struct kpop *k)
{
	krb5_data request = { 0 };
	krb5_error_code code;
	krb5_ccache cache;
	enum err e;

	if ((code = krb5_cc_default(k->krb, &cache)) != 0)
		return kpop_failed(x, code);
	code = krb5_mk_req(k->krb, &k->auth, AP_OPTS_MUTUAL_REQUIRED,
	    EXCHANGE_SERVICE, x->server, NULL, cache, &request);
	krb5_cc_close(k->krb, cache);
	if (code != 0)
		return kpop_failed(x, code);
	e = buf_put(&x->made, request.data, request.length);
	krb5_free_data_contents(k->krb, &request);
	return e == E_OK ? E_OK : no_memory(x);
}

/* What the server says that is wrong with our ticket, or with itself: in words of
 * its own where there is no number for it. */
static enum err
take_error(struct exchange *x, struct kpop *k, const krb5_data *said)
{
	krb5_error_code code;
	krb5_error *error;
	char text[128];

	if ((code = krb5_rd_error(k->krb, said, &error)) != 0)
		return kpop_failed(x, code);
	code = (krb5_error_code)error->error + ERROR_TABLE_BASE_krb5;
	snprintf(text, sizeof(text), "%.*s", (int)error->text.length,
	    error->text.length != 0 ? error->text.data : "");
	krb5_free_error(k->krb, error);
	return code == KRB5KRB_ERR_GENERIC && text[0] != '\0'
		   ? krb_failed(x, code, text)
		   : kpop_failed(x, code);
}

static enum err
take_answer(struct exchange *x, struct kpop *k)
{
	const krb5_data said = { .length = (unsigned)x->said.len,
		.data = buf_data(&x->said) };
	krb5_ap_rep_enc_part *proof;
	krb5_error_code code;

	code = krb5_rd_rep(k->krb, k->auth, &said, &proof);
	if (code == KRB5KRB_AP_ERR_MSG_TYPE)
		return take_error(x, k, &said);
	if (code != 0)
		return kpop_failed(x, code);
	krb5_free_ap_rep_enc_part(k->krb, proof);
	x->proven = true;
	return E_OK;
}

static enum err
kpop_step(struct exchange *x)
{
	struct kpop *k = x->own;
	krb5_error_code code;

	if (k != NULL)
		return take_answer(x, k);
	if ((k = x->own = calloc(1, sizeof(*k))) == NULL)
		return no_memory(x);
	if ((code = krb5_init_context(&k->krb)) != 0)
		return kpop_failed(x, code);
	return make_request(x, k);
}

static void
kpop_end(struct exchange *x)
{
	struct kpop *k = x->own;

	if (k->auth != NULL)
		krb5_auth_con_free(k->krb, k->auth);
	if (k->krb != NULL)
		krb5_free_context(k->krb);
	free(k);
}

const struct exchange_use exchange_kpop = { kpop_step, kpop_end };
