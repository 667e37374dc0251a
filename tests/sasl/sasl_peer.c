/*
 * One end of a mechanism on standard input and output, for tests against
 * other people's implementations:
 *
 *	sasl-peer client|server MECHANISM [NAME=VALUE]...
 *
 * Names: user, password, authzid, token, binding (NAME:OCTETS), plus (any
 * value: -PLUS is offered).  It reads the peer's messages, one a line, in
 * base64, and says
 *
 *	+ BASE64	a message; another is expected
 *	= BASE64	client: the last message, if the server agrees
 *	yes, no		server: what it comes to
 *	failed WHY
 *
 * At the end of the input a client says "verified" or "not verified".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "sasl/sasl.h"

enum { LINE = 64 * 1024 };

struct given {
	const struct sasl_mechanism *mechanism;
	struct sasl_credentials cred;
	struct sasl_binding binding;
	struct sasl_channel channel;
};

/* ---- lines ---- */

/* The next message, decoded in place; false at the end of the input. */
static bool
hear(char line[LINE], struct slice *message_r)
{
	size_t n;

	if (fgets(line, LINE, stdin) == NULL)
		return false;
	n = strcspn(line, "\r\n");
	if (b64_decode(line, (struct slice){ line, n }, &n) != E_OK) {
		puts("failed base64");
		exit(0);
	}
	*message_r = (struct slice){ line, n };
	return true;
}

static void
tell(char sign, struct buf *said)
{
	static char text[B64_ENCODED(LINE)];

	if (said->len != 0)
		b64_encode(text, buf_data(said), said->len);
	printf("%c %.*s\n", sign, (int)B64_ENCODED(said->len), text);
	buf_consume(said, said->len);
}

/* ---- the server ---- */

static bool
is_same(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static enum sasl_result
look_up(const struct given *g, struct sasl_server *s, struct buf *out)
{
	const struct sasl_claim *c = sasl_server_claim(s);
	struct sasl_keys keys = { .salt_n = 16, .iterations = 4096 };
	bool known = is_same(c->authcid, g->cred.authcid);
	uint8_t key[SASL_CRAM_KEY];
	enum err e;

	if (g->mechanism->hash == NULL)
		return sasl_server_cram_key(s,
		    known && sasl_cram_key(key, g->cred.password) == E_OK
			? key
			: NULL,
		    NULL);
	memcpy(keys.salt, "salt of sixteen.", 16);
	e = known ? sasl_keys_make(&keys, g->mechanism, g->cred.password, NULL)
		  : sasl_keys_fake(&keys, g->mechanism,
			(struct slice){ "secret", 6 }, c->authcid, 4096);
	return e == E_OK ? sasl_server_keys(s, &keys, out) : SASL_NOMEM;
}

static enum sasl_result
judge(const struct given *g, struct sasl_server *s, enum sasl_result r,
    struct buf *out)
{
	const struct sasl_claim *c = sasl_server_claim(s);

	switch (r) {
	case SASL_LOOKUP: return look_up(g, s, out);
	case SASL_PASSWORD:
		return is_same(c->authcid, g->cred.authcid) &&
			       is_same(c->password, g->cred.password)
			   ? SASL_DONE
			   : SASL_DENIED;
	case SASL_TOKEN:
		return is_same(c->authzid, g->cred.authcid) &&
			       is_same(c->token, g->cred.token)
			   ? SASL_DONE
			   : sasl_server_refuse_token(s,
				 &(struct sasl_token_refusal){ false, "", "" },
				 out);
	case SASL_EXTERNAL:
		return c->authzid.n == 0 || is_same(c->authzid, g->cred.authzid)
			   ? SASL_DONE
			   : SASL_DENIED;
	default: return r;
	}
}

static void
serve(const struct given *g)
{
	struct sasl_server *s = sasl_server_new(g->mechanism);
	enum sasl_result r = SASL_MORE;
	static char line[LINE];
	struct slice in;
	struct buf out;

	if (s == NULL)
		exit(1);
	buf_init(&out, LINE, true);
	sasl_server_channel(s, &g->channel);
	if (g->mechanism->flags & SASL_SERVER_FIRST) {
		r = sasl_server_step(s, NULL, &out);
		tell('+', &out);
	}
	while (r == SASL_MORE && hear(line, &in)) {
		r = judge(g, s, sasl_server_step(s, &in, &out), &out);
		if (r == SASL_MORE)
			tell('+', &out);
	}
	if (r == SASL_DONE || r == SASL_DENIED)
		puts(r == SASL_DONE ? "yes" : "no");
	else if (r != SASL_MORE)
		puts("failed");
	sasl_server_free(s);
	buf_free(&out);
}

/* ---- the client ---- */

static void
ask(const struct given *g)
{
	struct sasl_client *c = sasl_client_new(g->mechanism, &g->cred);
	bool first = (g->mechanism->flags & SASL_SERVER_FIRST) == 0;
	static char line[LINE];
	struct slice in = { "", 0 };
	struct buf out;

	if (c == NULL)
		exit(1);
	buf_init(&out, LINE, true);
	while (first || hear(line, &in)) {
		enum sasl_result r = sasl_client_step(c, in, &out);

		first = false;
		if (r != SASL_MORE && r != SASL_DONE) {
			printf("failed %s\n", sasl_client_error(c));
			break;
		}
		tell(r == SASL_MORE ? '+' : '=', &out);
	}
	puts(sasl_client_is_verified(c) ? "verified" : "not verified");
	sasl_client_free(c);
	buf_free(&out);
}

/* ---- the command line ---- */

static bool
take(struct given *g, const char *word)
{
	const char *is = strchr(word, '='), *colon;
	struct slice k, v;

	if (is == NULL)
		return false;
	k = (struct slice){ word, (size_t)(is - word) };
	v = (struct slice){ is + 1, strlen(is + 1) };
	if (slice_eq(k, "user")) {
		g->cred.authcid = v;
	} else if (slice_eq(k, "password")) {
		g->cred.password = v;
	} else if (slice_eq(k, "authzid")) {
		g->cred.authzid = v;
	} else if (slice_eq(k, "token")) {
		g->cred.token = v;
	} else if (slice_eq(k, "plus")) {
		g->cred.plus_offered = g->channel.plus_offered = true;
	} else if (slice_eq(k, "binding") &&
		   (colon = strchr(v.p, ':')) != NULL) {
		g->binding.name = strndup(v.p, (size_t)(colon - v.p));
		g->binding.data =
		    (struct slice){ colon + 1, strlen(colon + 1) };
		g->cred.binding_name = g->binding.name;
		g->cred.binding_data = g->binding.data;
		g->channel.bindings = &g->binding;
		g->channel.n_bindings = 1;
	} else {
		return false;
	}
	return true;
}

int
main(int argc, char **argv)
{
	static struct given g;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3 || (g.mechanism = sasl_find((struct slice){
			     argv[2], strlen(argv[2]) })) == NULL)
		return 2;
	for (int i = 3; i < argc; i++)
		if (!take(&g, argv[i]))
			return 2;
	if (strcmp(argv[1], "server") == 0)
		serve(&g);
	else if (strcmp(argv[1], "client") == 0)
		ask(&g);
	else
		return 2;
	free((char *)g.binding.name);
	return 0;
}
