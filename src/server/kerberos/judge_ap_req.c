/*
 * KPOP's AP-REQ: the answer is an AP-REP if the client wants a proof that the
 * server has the key, or a KRB-ERROR.  RFC 4120 s3.2.  See judge.h.
 */
#include <string.h>

#include "server/kerberos/judge.h"

enum { WIRE_MAX = 127 }; /* of the numbers that peers know */

static void
reply(struct keys *k, krb5_data *said, struct verdict *v)
{
	if (buf_put(&v->reply, said->data, said->length) != E_OK)
		v->result = TICKET_FAILED;
	krb5_free_data_contents(k->krb5, said);
}

/* Codes of the protocol are the library's first ones. */
static void
refuse(struct keys *k, krb5_error_code code, struct verdict *v)
{
	krb5_error_code wire = code - ERROR_TABLE_BASE_krb5;
	krb5_error error = { .server = k->service };
	krb5_data out;

	if (wire < 0 || wire > WIRE_MAX)
		wire = KRB5KRB_ERR_GENERIC - ERROR_TABLE_BASE_krb5;
	keys_why(k, code, v->why, sizeof(v->why));
	v->result = TICKET_BAD;
	error.error = (krb5_ui_4)wire;
	error.text.data = v->why;
	error.text.length = (unsigned)strlen(v->why);
	krb5_us_timeofday(k->krb5, &error.stime, &error.susec);
	if (krb5_mk_error(k->krb5, &error, &out) == 0)
		reply(k, &out, v);
}

static krb5_error_code
name_client(struct keys *k, const krb5_ticket *ticket, struct verdict *v)
{
	char *name;
	krb5_error_code code =
	    krb5_unparse_name(k->krb5, ticket->enc_part2->client, &name);

	if (code != 0)
		return code;
	if (strlen(name) < sizeof(v->principal))
		memcpy(v->principal, name, strlen(name) + 1);
	else
		code = KRB5_PARSE_MALFORMED;
	krb5_free_unparsed_name(k->krb5, name);
	return code;
}

static krb5_error_code
prove(struct keys *k, krb5_auth_context context, struct verdict *v)
{
	krb5_data out;
	krb5_error_code code = krb5_mk_rep(k->krb5, context, &out);

	if (code == 0)
		reply(k, &out, v);
	return code;
}

void
judge_ap_req(struct keys *k, struct slice message, struct verdict *v)
{
	krb5_data in = { .length = (unsigned)message.n,
		.data = (char *)message.p };
	krb5_auth_context context = NULL;
	krb5_ticket *ticket = NULL;
	krb5_flags options = 0;
	krb5_error_code code = krb5_rd_req(
	    k->krb5, &context, &in, NULL, k->keytab, &options, &ticket);

	v->result = TICKET_GOOD;
	if (code == 0)
		code = name_client(k, ticket, v);
	if (code == 0 && (options & AP_OPTS_MUTUAL_REQUIRED) != 0)
		code = prove(k, context, v);
	if (code != 0)
		refuse(k, code, v);
	if (ticket != NULL)
		krb5_free_ticket(k->krb5, ticket);
	if (context != NULL)
		krb5_auth_con_free(k->krb5, context);
}
