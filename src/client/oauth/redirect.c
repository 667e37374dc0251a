#include "client/oauth/redirect.h"

#include <string.h>

#include "client/web/form.h"

/* True: the value is there, whole, and not empty. */
static bool
get(struct slice query, const char *name, struct buf *value)
{
	buf_free(value);
	return form_get(query, name, value) == E_OK && value->len != 0;
}

/* Compared in a time that does not tell how much of it is right. */
static bool
is_ours(struct slice query, const char *state, struct buf *value)
{
	size_t n = strlen(state);
	unsigned char other = 0;

	if (!get(query, "state", value) || value->len != n)
		return false;
	for (size_t i = 0; i < n; i++)
		other |= (unsigned char)(buf_data(value)[i] ^ state[i]);
	return other == 0;
}

static enum redirect
of_query(struct slice query, const char *state, struct buf *code,
    struct oauth_refusal *r)
{
	if (!is_ours(query, state, code))
		return REDIRECT_FOREIGN;
	if (get(query, "error", code)) {
		str_quote(r->code, sizeof(r->code), buf_data(code), code->len);
		r->words[0] = '\0';
		if (get(query, "error_description", code))
			str_quote(r->words, sizeof(r->words), buf_data(code),
			    code->len);
		return REDIRECT_REFUSED;
	}
	return get(query, "code", code) ? REDIRECT_CODE : REDIRECT_OTHER;
}

/* Takes what stands before the octet off the text; false: it is not there. */
static bool
cut(struct slice *text, char at, struct slice *before_r)
{
	const char *p = memchr(text->p, at, text->n);

	if (p == NULL)
		return false;
	*before_r = (struct slice){ text->p, (size_t)(p - text->p) };
	text->n -= before_r->n + 1;
	text->p = p + 1;
	return true;
}

enum redirect
redirect_of_request(struct slice request, const char *path, const char *state,
    struct buf *code, struct oauth_refusal *r)
{
	struct slice line, method, target, where;

	if (memmem(request.p, request.n, "\r\n\r\n", 4) == NULL)
		return request.n < REDIRECT_MAX ? REDIRECT_MORE
						: REDIRECT_OTHER;
	if (!cut(&request, '\r', &line) || !cut(&line, ' ', &method) ||
	    !cut(&line, ' ', &target) || !slice_eq(method, "GET") ||
	    !cut(&target, '?', &where) || !slice_eq(where, path))
		return REDIRECT_OTHER;
	return of_query(target, state, code, r);
}

enum redirect
redirect_of_address(struct slice address, const char *state, struct buf *code,
    struct oauth_refusal *r)
{
	struct slice where, rest = address;

	/* Some providers add an anchor. */
	if (cut(&rest, '#', &where))
		address = where;
	while (address.n != 0 &&
	       strchr(" \t\r\n", address.p[address.n - 1]) != NULL)
		address.n--;
	if (!cut(&address, '?', &where))
		return REDIRECT_OTHER;
	return of_query(address, state, code, r);
}
