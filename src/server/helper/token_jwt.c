#include "server/helper/token_jwt.h"

#include <stdlib.h>
#include <string.h>

#include "base/b64.h"

bool
token_is_b64url(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return text.n != 0 && text.n % 4 != 1;
}

bool
token_b64url(struct slice in, char *out, size_t size, size_t *n_r)
{
	size_t n = in.n;

	if (n + 3 > size)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = in.p[i];

		if (c == '+' || c == '/' || c == '=')
			return false;
		out[i] = c == '-' ? '+' : c == '_' ? '/' : c;
	}
	while (n % 4 != 0)
		out[n++] = '=';
	return b64_decode(out, (struct slice){ out, n }, n_r) == E_OK;
}

/* What a part says.  A name that stands twice is read one way here and another
 * way there: then it is none. */
static enum err
parse_part(struct slice part, json_t **json_r)
{
	size_t size = part.n + 4, n;
	char *text = malloc(size);
	json_error_t why;
	bool good;

	if (text == NULL)
		return E_NOMEM;
	good = token_b64url(part, text, size, &n);
	*json_r =
	    good ? json_loadb(text, n, JSON_REJECT_DUPLICATES, &why) : NULL;
	free(text);
	return json_is_object(*json_r) ? E_OK : E_FORMAT;
}

/* The next part, up to a dot or the end. */
static bool
cut_part(struct slice *rest, bool is_last, struct slice *part_r)
{
	const char *dot = memchr(rest->p, '.', rest->n);

	if ((dot == NULL) != is_last)
		return false;
	part_r->p = rest->p;
	part_r->n = is_last ? rest->n : (size_t)(dot - rest->p);
	rest->p += part_r->n + !is_last;
	rest->n -= part_r->n + !is_last;
	return part_r->n != 0;
}

/* Of what a header may ask for beyond the algorithm and the key we understand
 * nothing, and must not pass it over if it says so (RFC 7515 s4.1.11). */
static enum err
read_header(struct token_jwt *t)
{
	const json_t *kid = json_object_get(t->header, "kid");

	t->alg = json_string_value(json_object_get(t->header, "alg"));
	t->kid = json_string_value(kid);
	if (t->alg == NULL || (kid != NULL && t->kid == NULL) ||
	    json_object_get(t->header, "crit") != NULL)
		return E_FORMAT;
	return E_OK;
}

enum err
token_jwt_parse(struct token_jwt *t, struct slice text)
{
	struct slice rest = text, header, claims;
	enum err e;

	*t = (struct token_jwt){ .text = text };
	if (text.n > TOKEN_MESSAGE_MAX || !cut_part(&rest, false, &header) ||
	    !cut_part(&rest, false, &claims) ||
	    !cut_part(&rest, true, &t->signed_by) ||
	    !token_is_b64url(t->signed_by))
		return E_FORMAT;
	t->what.p = text.p;
	t->what.n = header.n + 1 + claims.n;
	if ((e = parse_part(header, &t->header)) != E_OK ||
	    (e = parse_part(claims, &t->claims)) != E_OK)
		return e;
	return read_header(t);
}

void
token_jwt_free(struct token_jwt *t)
{
	json_decref(t->header);
	json_decref(t->claims);
	*t = (struct token_jwt){ .header = NULL };
}

const char *
token_jwt_issuer(const struct token_jwt *t)
{
	return json_string_value(json_object_get(t->claims, "iss"));
}

bool
token_jwt_signature(
    const struct token_jwt *t, uint8_t out[TOKEN_SIGNATURE_MAX], size_t *n_r)
{
	return token_b64url(
	    t->signed_by, (char *)out, TOKEN_SIGNATURE_MAX, n_r);
}
