#include "client/oauth/tokens.h"

#include <stdlib.h>
#include <string.h>

enum { MARGIN = 60 }; /* seconds: a session has to begin meanwhile */

/* Three lines: when it expires, access token, refresh token.  An empty one:
 * there is none.  Tokens hold no end of line (answer.h). */

void
oauth_tokens_clear(struct oauth_tokens *t)
{
	str_wipe(t->access);
	str_wipe(t->refresh);
	memset(t, 0, sizeof(*t));
}

void
oauth_tokens_take(struct oauth_tokens *t, struct oauth_grant *g, int64_t now)
{
	str_wipe(t->access);
	t->access = g->access;
	t->expires = g->seconds != 0 ? now + g->seconds : 0;
	if (g->refresh != NULL) {
		str_wipe(t->refresh);
		t->refresh = g->refresh;
	}
	memset(g, 0, sizeof(*g));
}

bool
oauth_tokens_are_fresh(const struct oauth_tokens *t, int64_t now)
{
	return t->access != NULL &&
	       (t->expires == 0 || t->expires > now + MARGIN);
}

/* ---- the text ---- */

static bool
next_line(struct slice *text, struct slice *line_r)
{
	const char *lf = memchr(text->p, '\n', text->n);

	if (lf == NULL)
		return false;
	*line_r = (struct slice){ text->p, (size_t)(lf - text->p) };
	text->n -= line_r->n + 1;
	text->p = lf + 1;
	return true;
}

static enum err
take_token(char **to, struct slice line)
{
	if (line.n == 0)
		return E_OK;
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] <= ' ' || line.p[i] > '~')
			return E_FORMAT;
	if (line.n > OAUTH_TOKEN_MAX)
		return E_FORMAT;
	return (*to = strndup(line.p, line.n)) != NULL ? E_OK : E_NOMEM;
}

enum err
oauth_tokens_parse(struct oauth_tokens *t, struct slice text)
{
	struct slice when, access, refresh;
	uint64_t expires;
	enum err e;

	memset(t, 0, sizeof(*t));
	if (!next_line(&text, &when) || !next_line(&text, &access) ||
	    !next_line(&text, &refresh) || text.n != 0 ||
	    !str_to_u64(when, &expires) || expires > INT64_MAX / 2)
		return E_FORMAT;
	t->expires = (int64_t)expires;
	if ((e = take_token(&t->access, access)) != E_OK ||
	    (e = take_token(&t->refresh, refresh)) != E_OK)
		oauth_tokens_clear(t);
	return e;
}

static enum err
put_line(struct buf *b, const char *token)
{
	enum err e = token != NULL ? buf_put(b, token, strlen(token)) : E_OK;

	return e == E_OK ? buf_put(b, "\n", 1) : e;
}

enum err
oauth_tokens_write(const struct oauth_tokens *t, struct buf *b)
{
	enum err e = buf_printf(b, "%lld\n", (long long)t->expires);

	if (e == E_OK)
		e = put_line(b, t->access);
	return e == E_OK ? put_line(b, t->refresh) : e;
}
