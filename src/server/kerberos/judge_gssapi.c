/*
 * GSSAPI, RFC 4752 s3.1: tokens until the library has seen enough, an offer of
 * security layers (none: TLS is for that), and the client's choice of them with
 * the name that it wants to be.  See judge.h.
 */
#include <gssapi/gssapi_krb5.h>
#include <stdio.h>
#include <string.h>

#include "server/kerberos/judge.h"

enum {
	NO_LAYER = 1,  /* the bit that says so */
	CHOICE = 4,    /* it, and the size of messages in a layer */
	ROUNDS_MAX = 4 /* Kerberos takes one */
};

static void
end_as(struct verdict *v, enum ticket_result result)
{
	v->result = result;
}

static void
add_words(struct verdict *v, const char *between, OM_uint32 status, int kind)
{
	gss_buffer_desc words = GSS_C_EMPTY_BUFFER;
	OM_uint32 more = 0, ignored;
	size_t n = strlen(v->why);

	gss_display_status(
	    &ignored, status, kind, (gss_OID)gss_mech_krb5, &more, &words);
	snprintf(v->why + n, sizeof(v->why) - n, "%s%.*s", between,
	    (int)words.length,
	    words.length != 0 ? (const char *)words.value : "");
	gss_release_buffer(&ignored, &words);
}

/* In the words of the interface, and if it has any of the mechanism. */
static void
refuse(struct verdict *v, enum ticket_result result, OM_uint32 major,
    OM_uint32 minor)
{
	add_words(v, "", major, GSS_C_GSS_CODE);
	if (minor != 0)
		add_words(v, ": ", minor, GSS_C_MECH_CODE);
	end_as(v, result);
}

/* What is no token of Kerberos at all is not a wrong ticket. */
static enum ticket_result
fault_of(OM_uint32 major)
{
	switch (GSS_ROUTINE_ERROR(major)) {
	case GSS_S_DEFECTIVE_TOKEN:
	case GSS_S_BAD_MECH:
	case GSS_S_NO_CRED: return TICKET_MALFORMED;
	default: return TICKET_BAD;
	}
}

static void
say(struct verdict *v, const void *p, size_t n)
{
	v->result = n == 0 || buf_put(&v->reply, p, n) == E_OK ? TICKET_MORE
							       : TICKET_FAILED;
}

static void
offer_layers(struct exchange *x, struct verdict *v)
{
	static const unsigned char none[CHOICE] = { NO_LAYER, 0, 0, 0 };
	gss_buffer_desc in = { sizeof(none), (void *)none };
	gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, ignored;
	OM_uint32 major =
	    gss_wrap(&minor, x->context, 0, GSS_C_QOP_DEFAULT, &in, NULL, &out);

	x->step = LAYERS;
	if (GSS_ERROR(major))
		refuse(v, TICKET_FAILED, major, minor);
	else
		say(v, out.value, out.length);
	gss_release_buffer(&ignored, &out);
}

/* "ann@REALM", as the library writes it. */
static bool
note_name(struct exchange *x, gss_name_t name)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;
	bool fits;

	gss_display_name(&minor, name, &text, NULL);
	fits = text.length != 0 && text.length < sizeof(x->principal) &&
	       memchr(text.value, '\0', text.length) == NULL;
	if (fits) {
		memcpy(x->principal, text.value, text.length);
		x->principal[text.length] = '\0';
	}
	gss_release_buffer(&minor, &text);
	return fits;
}

static void
accepted(struct exchange *x, gss_name_t name, const gss_buffer_desc *out,
    struct verdict *v)
{
	if (!note_name(x, name)) {
		end_as(v, TICKET_BAD);
	} else if (out->length != 0) {
		x->step = LAYERS_NEXT;
		say(v, out->value, out->length);
	} else {
		offer_layers(x, v);
	}
}

static void
take_token(
    struct keys *k, struct exchange *x, struct slice message, struct verdict *v)
{
	gss_buffer_desc in = { message.n, (void *)message.p };
	gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 minor, ignored;
	OM_uint32 major =
	    gss_accept_sec_context(&minor, &x->context, k->cred, &in,
		GSS_C_NO_CHANNEL_BINDINGS, &name, NULL, &out, NULL, NULL, NULL);

	if (GSS_ERROR(major))
		refuse(v, fault_of(major), major, minor);
	else if ((major & GSS_S_CONTINUE_NEEDED) == 0)
		accepted(x, name, &out, v);
	else if (++x->rounds < ROUNDS_MAX)
		say(v, out.value, out.length);
	else
		end_as(v, TICKET_MALFORMED);
	gss_release_name(&ignored, &name);
	gss_release_buffer(&ignored, &out);
}

/* One bit, and then whom it wants to be; some send the NUL behind the name. */
static void
take_choice(
    struct exchange *x, const unsigned char *p, size_t n, struct verdict *v)
{
	if (n > CHOICE && p[n - 1] == '\0')
		n--;
	if (n < CHOICE || p[0] != NO_LAYER)
		end_as(v, TICKET_MALFORMED);
	else if (n > CHOICE &&
		 buf_put(&v->authzid, p + CHOICE, n - CHOICE) != E_OK)
		end_as(v, TICKET_MALFORMED);
	else
		end_as(v, TICKET_GOOD);
	memcpy(v->principal, x->principal, sizeof(v->principal));
}

static void
take_layers(struct exchange *x, struct slice message, struct verdict *v)
{
	gss_buffer_desc in = { message.n, (void *)message.p };
	gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, ignored;
	OM_uint32 major = gss_unwrap(&minor, x->context, &in, &out, NULL, NULL);

	if (GSS_ERROR(major))
		refuse(v, fault_of(major), major, minor);
	else
		take_choice(x, out.value, out.length, v);
	gss_release_buffer(&ignored, &out);
}

void
judge_gssapi(
    struct keys *k, struct exchange *x, struct slice message, struct verdict *v)
{
	switch (x->step) {
	case TOKENS: take_token(k, x, message, v); break;
	case LAYERS_NEXT:
		if (message.n == 0)
			offer_layers(x, v);
		else
			end_as(v, TICKET_MALFORMED);
		break;
	case LAYERS: take_layers(x, message, v); break;
	}
}

void
judge_end(struct exchange *x)
{
	OM_uint32 minor;

	gss_delete_sec_context(&minor, &x->context, GSS_C_NO_BUFFER);
	memset(x, 0, sizeof(*x));
}
