#include "pop3/server_command.h"

#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "pop3/server_reply.h"
#include "pop3/wire.h"
#include "pop3/word.h"

static struct pop3_next
next_says(enum pop3_text text)
{
	return (struct pop3_next){ text, POP3_WANT_INPUT };
}

static struct pop3_next
next_wants(enum pop3_want want)
{
	return (struct pop3_next){ POP3_NO_TEXT, want };
}

/* ---- what is to be had on this connection ---- */

static bool
is_plain_allowed(const struct pop3_server *s)
{
	return s->tls || s->policy->plain_passwords;
}

static bool
is_usable(const struct pop3_server *s, const struct pop3_mechanism *m)
{
	return !m->withheld && (!m->plaintext || is_plain_allowed(s)) &&
	       (!m->binds || s->bindable) && (!m->certificate || s->certified);
}

static enum pop3_text
refuse_user(const struct pop3_server *s)
{
	return is_plain_allowed(s) ? POP3_NO_TEXT : POP3_TEXT_TLS_ONLY;
}

static enum pop3_text
refuse_pass(const struct pop3_server *s)
{
	return s->name != NULL ? POP3_NO_TEXT : POP3_TEXT_USER_FIRST;
}

static enum pop3_text
refuse_env(const struct pop3_server *s)
{
	return s->policy->sdps ? POP3_NO_TEXT : POP3_TEXT_UNKNOWN;
}

static enum pop3_text
refuse_xclient(const struct pop3_server *s)
{
	return s->xclient ? POP3_NO_TEXT : POP3_TEXT_UNKNOWN;
}

static enum pop3_text
refuse_dele(const struct pop3_server *s)
{
	return s->read_only ? POP3_TEXT_READ_ONLY : POP3_NO_TEXT;
}

static enum pop3_text
refuse_apop(const struct pop3_server *s)
{
	if (!s->apop || s->stls_done)
		return POP3_TEXT_NO_APOP;
	return s->name == NULL ? POP3_NO_TEXT : POP3_TEXT_PASS_EXPECTED;
}

static enum pop3_text
refuse_auth(const struct pop3_server *s)
{
	for (size_t i = 0; i < s->policy->n_mechanisms; i++)
		if (is_usable(s, &s->policy->mechanisms[i]))
			return POP3_NO_TEXT;
	return POP3_TEXT_NO_MECHANISMS;
}

/* In TRANSACTION it would fail, so it is not announced there either
 * (RFC 2595 s8). */
static enum pop3_text
refuse_stls(const struct pop3_server *s)
{
	if (s->tls)
		return POP3_TEXT_TLS_ACTIVE;
	if (s->utf8) /* RFC 6856 s2.1 */
		return POP3_TEXT_TLS_BEFORE_UTF8;
	return s->policy->stls && s->state == POP3_AUTHORIZATION
		   ? POP3_NO_TEXT
		   : POP3_TEXT_NO_TLS;
}

/* ---- arguments ---- */

/* The first argument: a message that is there.  POP3_NO_TEXT, or why not. */
static enum pop3_text
message_get(struct pop3_call *c)
{
	struct pop3_server *s = c->server;
	uint64_t v;

	if (c->arg[0].n > 10 || !str_to_u64(c->arg[0], &v))
		return POP3_TEXT_NO_NUMBER;
	if (v == 0 || v > s->count)
		return POP3_TEXT_NO_MESSAGE;
	if (pop3_server_is_marked(s, (uint32_t)v))
		return POP3_TEXT_IS_DELETED;
	s->request.msgno = (uint32_t)v;
	return POP3_NO_TEXT;
}

/* Into the place of the digits. */
static bool
hex_decode(struct slice *s)
{
	char *out = (char *)s->p;

	for (size_t i = 0; i < s->n; i++) {
		char c = str_lower1(s->p[i]);
		int v = c >= '0' && c <= '9'   ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
					       : -1;

		if (v < 0)
			return false;
		out[i / 2] = (char)(i % 2 == 0 ? v << 4 : out[i / 2] | v);
	}
	s->n /= 2;
	return true;
}

/* A message of the client for its mechanism, into the place of the base64. */
static bool
response_decode(struct pop3_server *s, struct slice text)
{
	size_t n;

	if (b64_decode((char *)text.p, text, &n) != E_OK ||
	    n > s->policy->sasl_max)
		return false;
	s->request.secret = (struct slice){ text.p, n };
	s->request.has_secret = true;
	return true;
}

/* ---- commands of either state ---- */

static struct pop3_next
cmd_quit(struct pop3_call *c)
{
	if (c->server->state == POP3_TRANSACTION)
		return next_wants(POP3_WANT_UPDATE);
	return (struct pop3_next){ POP3_TEXT_BYE, POP3_WANT_CLOSE };
}

static struct pop3_next cmd_capa(struct pop3_call *c);

static struct pop3_next
languages_list(struct pop3_call *c)
{
	const struct pop3_languages *all = c->server->policy->languages;

	pop3_server_say(c->server, c->out, POP3_TEXT_LANGUAGES, NULL);
	pop3_server_reply_language(c->server, c->out, &pop3_english);
	for (size_t i = 0; all != NULL && i < all->n; i++)
		pop3_server_reply_language(c->server, c->out, &all->other[i]);
	pop3_server_reply(c->server, c->out, ".");
	return next_wants(POP3_WANT_INPUT);
}

static struct pop3_next
cmd_lang(struct pop3_call *c)
{
	struct pop3_server *s = c->server;
	const struct pop3_language *l;

	if (c->n_args == 0)
		return languages_list(c);
	if ((l = pop3_language_find(s->policy->languages, c->arg[0])) == NULL)
		return next_says(POP3_TEXT_NO_LANGUAGE);
	s->language = l;
	pop3_server_say(s, c->out, POP3_TEXT_LANGUAGE,
	    (struct pop3_arg[POP3_TEXT_ARGS]){
		{ .text = { l->tag, strlen(l->tag) } } });
	return next_wants(POP3_WANT_INPUT);
}

/* ---- AUTHORIZATION ---- */

static struct pop3_next
cmd_user(struct pop3_call *c)
{
	struct slice name = c->arg[0];
	char *copy = malloc(name.n + 1);

	if (copy == NULL)
		return next_says(POP3_TEXT_MEMORY);
	memcpy(copy, name.p, name.n);
	copy[name.n] = '\0';
	c->server->name = copy;
	return next_says(POP3_TEXT_PASSWORD);
}

static struct pop3_next
cmd_pass(struct pop3_call *c)
{
	struct pop3_server *s = c->server;

	s->request.name = (struct slice){ s->name, strlen(s->name) };
	s->request.secret = c->arg[0];
	return next_wants(POP3_WANT_PASS);
}

static struct pop3_next
cmd_apop(struct pop3_call *c)
{
	struct slice digest = c->arg[1];

	if (digest.n != 32 || !hex_decode(&digest))
		return next_says(POP3_TEXT_DIGEST);
	c->server->request.name = c->arg[0];
	c->server->request.secret = digest;
	return next_wants(POP3_WANT_APOP);
}

static struct pop3_next
mechanisms_list(struct pop3_call *c)
{
	const struct pop3_policy *policy = c->server->policy;

	pop3_server_say(c->server, c->out, POP3_TEXT_MECHANISMS, NULL);
	for (size_t i = 0; i < policy->n_mechanisms; i++)
		if (is_usable(c->server, &policy->mechanisms[i]))
			pop3_server_reply(c->server, c->out, "%s",
			    policy->mechanisms[i].name);
	pop3_server_reply(c->server, c->out, ".");
	return next_wants(POP3_WANT_INPUT);
}

static struct pop3_next
cmd_auth(struct pop3_call *c)
{
	struct pop3_server *s = c->server;
	const struct pop3_policy *policy = s->policy;
	struct slice initial = c->arg[1];
	size_t i = 0;

	if (c->n_args == 0)
		return mechanisms_list(c);
	while (i < policy->n_mechanisms &&
	       !slice_caseeq(c->arg[0], policy->mechanisms[i].name))
		i++;
	if (i == policy->n_mechanisms)
		return next_says(POP3_TEXT_NO_MECHANISM);
	if (!is_usable(s, &policy->mechanisms[i])) {
		if (policy->mechanisms[i].plaintext && !is_plain_allowed(s) &&
		    policy->needs_tls != NULL)
			policy->needs_tls(s, policy->mechanisms[i].name,
			    (struct slice){ "", 0 });
		return next_says(POP3_TEXT_NO_MECHANISM);
	}
	s->request.mechanism = &policy->mechanisms[i];
	if (c->n_args == 1)
		return next_wants(POP3_WANT_SASL);
	if (s->request.mechanism->server_first)
		return next_says(POP3_TEXT_NO_INITIAL);
	if (slice_eq(initial, "="))
		initial.n = 0;
	if (!response_decode(s, initial))
		return next_says(POP3_TEXT_BASE64);
	return next_wants(POP3_WANT_SASL);
}

static struct pop3_next
cmd_stls(struct pop3_call *c)
{
	return (struct pop3_next){ POP3_TEXT_BEGIN_TLS, POP3_WANT_TLS };
}

static struct pop3_next
cmd_xclient(struct pop3_call *c)
{
	c->server->request.secret = c->arg[0];
	return next_wants(POP3_WANT_XCLIENT);
}

static struct pop3_next
cmd_utf8(struct pop3_call *c)
{
	c->server->utf8 = true;
	return next_says(POP3_TEXT_UTF8);
}

/* ---- TRANSACTION ---- */

static struct pop3_next
cmd_stat(struct pop3_call *c)
{
	struct pop3_server *s = c->server;

	pop3_server_reply(s, c->out, "+OK %u %llu", s->count - s->marked,
	    (unsigned long long)pop3_server_octets(s));
	return next_wants(POP3_WANT_INPUT);
}

static struct pop3_next
cmd_noop(struct pop3_call *c)
{
	return next_says(POP3_TEXT_NOTHING);
}

static struct pop3_next
cmd_rset(struct pop3_call *c)
{
	struct pop3_server *s = c->server;

	free(s->marks);
	free(s->takes);
	s->marks = s->takes = NULL;
	s->marked = s->taken = 0;
	s->marked_octets = 0;
	return next_says(POP3_TEXT_NONE_DELETED);
}

static struct pop3_next
cmd_list(struct pop3_call *c)
{
	enum pop3_text wrong;

	if (c->n_args == 0)
		return next_wants(POP3_WANT_LISTING);
	if ((wrong = message_get(c)) != POP3_NO_TEXT)
		return next_says(wrong);
	return next_wants(POP3_WANT_ENTRY);
}

static struct pop3_next
cmd_uidl(struct pop3_call *c)
{
	c->server->request.uidl = true;
	return cmd_list(c);
}

static struct pop3_next
cmd_retr(struct pop3_call *c)
{
	enum pop3_text wrong = message_get(c);

	c->server->request.lines = POP3_ALL_LINES;
	return wrong != POP3_NO_TEXT ? next_says(wrong)
				     : next_wants(POP3_WANT_MESSAGE);
}

static struct pop3_next
cmd_top(struct pop3_call *c)
{
	enum pop3_text wrong = message_get(c);

	if (wrong != POP3_NO_TEXT)
		return next_says(wrong);
	if (!str_to_u64(c->arg[1], &c->server->request.lines))
		return next_says(POP3_TEXT_NO_LINES);
	c->server->request.top = true;
	return next_wants(POP3_WANT_MESSAGE);
}

static struct pop3_next
cmd_env(struct pop3_call *c)
{
	enum pop3_text wrong = message_get(c);

	c->server->request.envelope = true;
	return wrong != POP3_NO_TEXT ? next_says(wrong)
				     : next_wants(POP3_WANT_MESSAGE);
}

/* The size of the message is asked for so that STAT stays right. */
static struct pop3_next
cmd_dele(struct pop3_call *c)
{
	struct pop3_server *s = c->server;
	enum pop3_text wrong = message_get(c);

	if (wrong != POP3_NO_TEXT)
		return next_says(wrong);
	if (s->marks == NULL &&
	    (s->marks = calloc(((size_t)s->count + 7) / 8, 1)) == NULL)
		return next_says(POP3_TEXT_MEMORY);
	return next_wants(POP3_WANT_ENTRY);
}

/* ---- the table ---- */

enum {
	AUTHZ = POP3_AUTHORIZATION,
	TRANS = POP3_TRANSACTION,
	EITHER = AUTHZ | TRANS,
	REST = POP3_VERB_REST,
	SECRET = POP3_VERB_SECRET,
	NAMED = POP3_VERB_NAMED,
	MARKS = POP3_VERB_MARKS,
	SASL = POP3_VERB_SASL,
	NAMES = POP3_VERB_NAMES,
};

/* clang-format off */
static const struct pop3_verb verbs[] = {
	/* RFC 1939 s5; TOP and UIDL s7 */
	{ "RETR", TRANS,  1, 1, 0,      NULL,   NULL,        cmd_retr },
	{ "DELE", TRANS,  1, 1, MARKS,  NULL,   refuse_dele, cmd_dele },
	{ "TOP",  TRANS,  2, 2, 0,      "TOP",  NULL,        cmd_top  },
	{ "UIDL", TRANS,  0, 1, 0,      "UIDL", NULL,        cmd_uidl },
	{ "LIST", TRANS,  0, 1, 0,      NULL,   NULL,        cmd_list },
	{ "STAT", TRANS,  0, 0, 0,      NULL,   NULL,        cmd_stat },
	{ "NOOP", TRANS,  0, 0, 0,      NULL,   NULL,        cmd_noop },
	{ "RSET", TRANS,  0, 0, 0,      NULL,   NULL,        cmd_rset },
	/* RFC 1939 s7 */
	{ "USER", AUTHZ,  1, 1, NAMES,  "USER", refuse_user, cmd_user },
	{ "PASS", AUTHZ,  1, 1, REST | SECRET | NAMED,
	                                NULL,   refuse_pass, cmd_pass },
	{ "APOP", AUTHZ,  2, 2, SECRET | NAMES,
	                                NULL,   refuse_apop, cmd_apop },
	/* RFC 5034 s4; without an argument only by custom */
	{ "AUTH", AUTHZ,  0, 2, SECRET | SASL,
	                                "SASL", refuse_auth, cmd_auth },
	/* RFC 2595 s4 */
	{ "STLS", AUTHZ,  0, 0, 0,      "STLS", refuse_stls, cmd_stls },
	/* RFC 6856 s3, s2 */
	{ "LANG", EITHER, 0, 1, 0,      "LANG", NULL,        cmd_lang },
	{ "UTF8", AUTHZ,  0, 0, 0, "UTF8 USER", NULL,        cmd_utf8 },
	/* RFC 2449 s5 */
	{ "CAPA", EITHER, 0, 0, 0,      NULL,   NULL,        cmd_capa },
	/* RFC 1939 s4, s6 */
	{ "QUIT", EITHER, 0, 0, 0,      NULL,   NULL,        cmd_quit },
	/* Demon Internet's SDPS */
	{ "*ENV", TRANS,  1, 1, 0,      NULL,   refuse_env,  cmd_env  },
};
/* clang-format on */

enum { N_VERBS = sizeof(verbs) / sizeof(verbs[0]) };

/* Of a proxy, and the only one that is longer: it stands in no list of
 * capabilities, but in the greeting. */
static const struct pop3_verb verb_xclient = { "XCLI", AUTHZ, 1, 1,
	REST | SECRET, NULL, refuse_xclient, cmd_xclient };

/* The tag and the mechanisms, in one line. */
static void
capability_sasl(struct pop3_call *c, const char *tag)
{
	const struct pop3_policy *policy = c->server->policy;
	char line[512];
	size_t n = strlen(tag);

	memcpy(line, tag, n);
	for (size_t i = 0; i < policy->n_mechanisms; i++) {
		const char *name = policy->mechanisms[i].name;
		size_t len = strlen(name);

		if (!is_usable(c->server, &policy->mechanisms[i]) ||
		    n + 1 + len >= sizeof(line))
			continue;
		line[n++] = ' ';
		memcpy(line + n, name, len);
		n += len;
	}
	line[n] = '\0';
	pop3_server_reply(c->server, c->out, "%s", line);
}

/* RFC 2449 s6.7: before it is known who signs in, the least that anybody's mail
 * stays. */
static void
capability_expire(struct pop3_call *c)
{
	struct pop3_server *s = c->server;
	bool known = s->state == POP3_TRANSACTION;
	uint32_t r = known ? s->retention : s->policy->retention;
	const char *of = !known && s->policy->retention_differs ? " USER" : "";

	if (r == RETENTION_NEVER)
		pop3_server_reply(s, c->out, "EXPIRE NEVER%s", of);
	else
		pop3_server_reply(
		    s, c->out, "EXPIRE %u%s", r != RETENTION_ONCE ? r : 0, of);
}

/* RFC 2449 s6.5: before it is known who signs in, the most that anybody has to
 * wait. */
static void
capability_login_delay(struct pop3_call *c)
{
	struct pop3_server *s = c->server;
	const struct pop3_policy *policy = s->policy;

	if (policy->login_delay == 0 && s->login_delay == 0)
		return;
	if (s->state == POP3_TRANSACTION)
		pop3_server_reply(s, c->out, "LOGIN-DELAY %u", s->login_delay);
	else
		pop3_server_reply(s, c->out, "LOGIN-DELAY %u%s",
		    policy->login_delay,
		    policy->login_delay_differs ? " USER" : "");
}

/* RFC 2449 s5-6. */
static struct pop3_next
cmd_capa(struct pop3_call *c)
{
	struct pop3_server *s = c->server;
	const struct pop3_policy *policy = s->policy;

	pop3_server_say(s, c->out, POP3_TEXT_CAPABILITIES, NULL);
	for (size_t i = 0; i < N_VERBS; i++) {
		const struct pop3_verb *v = &verbs[i];

		if (v->capability == NULL ||
		    (v->refusal != NULL && v->refusal(s) != POP3_NO_TEXT))
			continue;
		if (v->flags & POP3_VERB_SASL)
			capability_sasl(c, v->capability);
		else
			pop3_server_reply(s, c->out, "%s", v->capability);
	}
	capability_login_delay(c);
	pop3_server_reply(s, c->out, "RESP-CODES");
	pop3_server_reply(s, c->out, "AUTH-RESP-CODE");
	pop3_server_reply(s, c->out, "PIPELINING");
	capability_expire(c);
	if (s->state == POP3_TRANSACTION && policy->implementation != NULL)
		pop3_server_reply(
		    s, c->out, "IMPLEMENTATION %s", policy->implementation);
	pop3_server_reply(c->server, c->out, ".");
	return next_wants(POP3_WANT_INPUT);
}

/* ---- reading a line ---- */

/* Both letters' cases the same; a verb of three letters ends with 0. */
static uint32_t
verb_key(const char *name, size_t n)
{
	uint32_t key = 0;

	memcpy(&key, name, n);
	return key & 0xdfdfdfdf;
}

static const struct pop3_verb *
verb_find(struct slice word)
{
	uint32_t key;

	if (word.n != 3 && word.n != 4)
		return slice_caseeq(word, "XCLIENT") ? &verb_xclient : NULL;
	key = verb_key(word.p, word.n);
	for (size_t i = 0; i < N_VERBS; i++)
		if (verb_key(verbs[i].name, 4) == key)
			return &verbs[i];
	return NULL;
}

/* Finds the verb (or NULL) and its arguments. */
static void
call_parse(struct pop3_call *c, struct slice line)
{
	struct slice rest = line, word = { 0 };

	if (line.n != 0 && !pop3_is_blank(line.p[0]))
		word = pop3_word_take(&rest);
	if ((c->verb = verb_find(word)) == NULL)
		return;
	if (c->verb->flags & POP3_VERB_REST) {
		if (rest.n > 1 && rest.p[0] == ' ') {
			c->arg[0] = (struct slice){ rest.p + 1, rest.n - 1 };
			c->n_args = 1;
		}
		return;
	}
	while ((word = pop3_word_take(&rest)).n != 0) {
		if (c->n_args < POP3_ARGS)
			c->arg[c->n_args] = word;
		c->n_args++;
	}
}

/* A password may hold anything but NUL, and a name UTF-8 as it does in AUTH
 * (as in RFC 6856 s2); elsewhere RFC 2449 s3 knows printable ASCII only. */
static bool
has_bad_octet(const struct pop3_verb *v, struct slice line)
{
	if (v->flags & POP3_VERB_REST)
		return memchr(line.p, '\0', line.n) != NULL;
	for (size_t i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f ||
		    (c > 0x7f && !(v->flags & POP3_VERB_NAMES)))
			return true;
	}
	return (v->flags & POP3_VERB_NAMES) && !str_is_utf8(line.p, line.n);
}

/* USER says who it is; what AUTH carries is not looked into. */
static void
tell_needs_tls(const struct pop3_call *c)
{
	const struct pop3_policy *policy = c->server->policy;
	struct slice nobody = { "", 0 };

	if (policy->needs_tls == NULL)
		return;
	if (c->verb->run == cmd_user)
		policy->needs_tls(
		    c->server, "USER", c->n_args != 0 ? c->arg[0] : nobody);
	else if (c->verb->run == cmd_auth && c->n_args != 0)
		policy->needs_tls(c->server, "AUTH", nobody);
}

struct pop3_next
pop3_command_run(struct pop3_server *s, struct slice line, struct buf *out)
{
	struct pop3_call c = { .server = s, .out = out };
	enum pop3_text refusal;

	call_parse(&c, line);
	if (c.verb == NULL)
		return next_says(POP3_TEXT_UNKNOWN);
	if (!(c.verb->states & s->state))
		return next_says(POP3_TEXT_STATE);
	if (c.verb->refusal != NULL &&
	    (refusal = c.verb->refusal(s)) != POP3_NO_TEXT) {
		if (!is_plain_allowed(s))
			tell_needs_tls(&c);
		return next_says(refusal);
	}
	if (has_bad_octet(c.verb, line))
		return next_says(POP3_TEXT_OCTET);
	if (c.n_args < c.verb->min || c.n_args > c.verb->max)
		return next_says(POP3_TEXT_ARGUMENTS);
	if (!(c.verb->flags & POP3_VERB_NAMED))
		pop3_server_forget_name(s);
	s->verb = c.verb;
	return c.verb->run(&c);
}

/* RFC 5034 s4. */
struct pop3_next
pop3_command_respond(struct pop3_server *s, struct slice line)
{
	if (slice_eq(line, "*"))
		return (
		    struct pop3_next){ POP3_TEXT_CANCELLED, POP3_WANT_CANCEL };
	if (!response_decode(s, line))
		return (struct pop3_next){ POP3_TEXT_BASE64, POP3_WANT_CANCEL };
	return next_wants(POP3_WANT_STEP);
}

struct slice
pop3_server_mask(struct slice line, bool in_sasl)
{
	static const char hidden[] = "(hidden)";
	struct pop3_call c = { 0 };
	const char *end;

	if (in_sasl)
		return (struct slice){ hidden, sizeof(hidden) - 1 };
	call_parse(&c, line);
	/* What is no command may be a password on the wrong line. */
	if (c.verb == NULL)
		return (struct slice){ hidden, sizeof(hidden) - 1 };
	if (!(c.verb->flags & POP3_VERB_SECRET))
		return line;
	end = line.p + strlen(c.verb->name);
	for (size_t i = 0; i + 1 < c.verb->max && i < c.n_args; i++)
		end = c.arg[i].p + c.arg[i].n;
	return (struct slice){ line.p, (size_t)(end - line.p) };
}
