/* GSSAPI: tokens that establish a context of Kerberos 5 in which both ends
 * prove themselves, and the word that no security layer is wanted (RFC 4752),
 * by MIT's libgssapi. */
#include <gssapi/gssapi_krb5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "client/secret/exchange.h"
#include "client/secret/krb_words.h"

enum {
	LAYER_NONE = 1,   /* RFC 4752 s3.3 */
	LAYER_OCTETS = 4, /* the layers, and a size */
};

struct gssapi {
	gss_ctx_id_t context;
	gss_name_t server;
	enum { ESTABLISHING, ESTABLISHED, OVER } phase;
};

static enum err
fail(struct exchange *x, enum err e, const char *words)
{
	snprintf(x->words, sizeof(x->words), "%s", words);
	return e;
}

/* The reason of the mechanism says more than the general one. */
static enum err
gssapi_failed(struct exchange *x, OM_uint32 major, OM_uint32 minor)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 more = 0, ignored;
	char words[256] = "";

	if (minor != 0)
		gss_display_status(&ignored, minor, GSS_C_MECH_CODE,
		    (gss_OID)gss_mech_krb5, &more, &text);
	else
		gss_display_status(&ignored, major, GSS_C_GSS_CODE,
		    GSS_C_NO_OID, &more, &text);
	snprintf(words, sizeof(words), "%.*s", (int)text.length,
	    text.length != 0 ? (const char *)text.value : "");
	gss_release_buffer(&ignored, &text);
	return krb_failed(x, (krb5_error_code)minor, words);
}

static gss_buffer_desc
heard(const struct exchange *x)
{
	return (gss_buffer_desc){ x->said.len,
		x->said.len != 0 ? buf_data(&x->said) : NULL };
}

/* Takes the octets of `out`. */
static enum err
say(struct exchange *x, gss_buffer_t out)
{
	OM_uint32 ignored;
	enum err e = E_OK;

	if (out->length != 0)
		e = buf_put(&x->made, out->value, out->length);
	gss_release_buffer(&ignored, out);
	return e == E_OK ? E_OK : fail(x, E_NOMEM, _("out of memory"));
}

/* ---- the context ---- */

static enum err
begin(struct exchange *x)
{
	struct gssapi *g = x->own = calloc(1, sizeof(*g));
	gss_buffer_desc name;
	OM_uint32 major, minor;
	char *text;

	if (g == NULL || asprintf(&text, EXCHANGE_SERVICE "@%s", x->server) < 0)
		return fail(x, E_NOMEM, _("out of memory"));
	name = (gss_buffer_desc){ strlen(text), text };
	major = gss_import_name(
	    &minor, &name, GSS_C_NT_HOSTBASED_SERVICE, &g->server);
	free(text);
	return GSS_ERROR(major) ? gssapi_failed(x, major, minor) : E_OK;
}

static enum err
establish(struct exchange *x, struct gssapi *g)
{
	const OM_uint32 wanted = GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG;
	gss_buffer_desc in = heard(x), out = GSS_C_EMPTY_BUFFER;
	OM_uint32 major, minor, flags = 0;
	enum err e;

	major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &g->context,
	    g->server, (gss_OID)gss_mech_krb5, wanted, 0,
	    GSS_C_NO_CHANNEL_BINDINGS, &in, NULL, &out, &flags, NULL);
	if ((e = say(x, &out)) != E_OK)
		return e;
	if (GSS_ERROR(major))
		return gssapi_failed(x, major, minor);
	if (major == GSS_S_CONTINUE_NEEDED)
		return E_OK;
	if ((flags & wanted) != wanted)
		return fail(x, E_DENIED,
		    _("the server does not prove that it is the right one"));
	g->phase = ESTABLISHED;
	return E_OK;
}

/* ---- the security layer ---- */

/* The answer: none, and for whom we act. */
static enum err
choose_none(struct exchange *x, struct gssapi *g)
{
	static const char none[LAYER_OCTETS] = { LAYER_NONE };
	gss_buffer_desc plain, out = GSS_C_EMPTY_BUFFER;
	OM_uint32 major, minor;
	size_t n = strlen(x->user);
	char *text = malloc(LAYER_OCTETS + n);

	if (text == NULL)
		return fail(x, E_NOMEM, _("out of memory"));
	memcpy(text, none, LAYER_OCTETS);
	memcpy(text + LAYER_OCTETS, x->user, n);
	plain = (gss_buffer_desc){ LAYER_OCTETS + n, text };
	major = gss_wrap(
	    &minor, g->context, 0, GSS_C_QOP_DEFAULT, &plain, NULL, &out);
	free(text);
	return GSS_ERROR(major) ? gssapi_failed(x, major, minor) : say(x, &out);
}

static enum err
take_layers(struct exchange *x, struct gssapi *g)
{
	gss_buffer_desc in = heard(x), out = GSS_C_EMPTY_BUFFER;
	OM_uint32 major, minor, ignored;
	bool whole, none;
	enum err e;

	major = gss_unwrap(&minor, g->context, &in, &out, NULL, NULL);
	if (GSS_ERROR(major))
		return gssapi_failed(x, major, minor);
	whole = out.length == LAYER_OCTETS;
	none = whole && (*(const uint8_t *)out.value & LAYER_NONE) != 0;
	gss_release_buffer(&ignored, &out);
	if (!whole)
		return fail(x, E_DENIED, _("the server's message is wrong"));
	if (!none)
		return fail(x, E_DENIED,
		    _("the server insists on a security layer of GSSAPI; "
		      "malote has none, as it uses TLS"));
	e = choose_none(x, g);
	x->proven = e == E_OK;
	g->phase = OVER;
	return e;
}

static enum err
gssapi_step(struct exchange *x)
{
	struct gssapi *g;
	enum err e = E_OK;

	if (x->own == NULL)
		e = begin(x);
	if (e != E_OK)
		return e;
	g = x->own;
	x->proven = false;
	switch (g->phase) {
	case ESTABLISHING: return establish(x, g);
	case ESTABLISHED: return take_layers(x, g);
	default:
		return fail(x, E_DENIED,
		    _("the server asks more than there is to say"));
	}
}

static void
gssapi_end(struct exchange *x)
{
	struct gssapi *g = x->own;
	OM_uint32 ignored;

	if (g->context != GSS_C_NO_CONTEXT)
		gss_delete_sec_context(&ignored, &g->context, GSS_C_NO_BUFFER);
	if (g->server != GSS_C_NO_NAME)
		gss_release_name(&ignored, &g->server);
	free(g);
}

const struct exchange_use exchange_gssapi = { gssapi_step, gssapi_end };
