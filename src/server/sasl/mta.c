#include "server/sasl/mta.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/b64.h"
#include "net/cidr.h"
#include "sasl/sasl.h"

/* ---- what is said ---- */

/* A field may not have the octets that part fields and lines. */
static void
escape(char *out, const char *text)
{
	static const char special[] = "\001\t\r\n", letter[] = "1trn";

	for (; *text != '\0'; text++) {
		const char *at = strchr(special, *text);

		if (at != NULL)
			*out++ = '\001';
		*out++ = at != NULL ? letter[at - special] : *text;
	}
	*out = '\0';
}

/* What cannot be said would be waited for. */
static void
check_said(struct mta *m, enum err e)
{
	if (e != E_OK && m->over == NULL)
		m->over = "memory";
}

static void
say_fail(struct mta *m, uint32_t id, const char *user, const char *more)
{
	char shown[2 * NAME_MAX_OCTETS + 1];

	escape(shown, user);
	check_said(m, buf_printf(&m->out, "FAIL\t%u%s%s%s\n", id,
			  shown[0] != '\0' ? "\tuser=" : "", shown, more));
}

/* Postfix takes any FAIL for a wrong password, and a connection that ends for what
 * it is to say of one that nobody can look at: so does Exim.  Who asks for several
 * at a time is told by the words of the protocol. */
static void
say_later(struct mta *m, uint32_t id, const char *user)
{
	if (m->n == 0)
		m->over = "temporary";
	else
		say_fail(m, id, user, "\ttemp\tcode=temp_fail");
}

static const struct {
	unsigned flag;
	const char *word;
} properties[] = {
	{ SASL_PLAINTEXT, "\tplaintext" },
	{ SASL_MUTUAL, "\tmutual-auth" },
};

static enum err
say_mechanism(struct mta *m, const char *name)
{
	unsigned flags = sasl_flags(name);
	enum err e = buf_printf(&m->out, "MECH\t%s", name);

	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		if (e == E_OK && (flags & properties[i].flag) != 0)
			e = buf_printf(&m->out, "%s", properties[i].word);
	/* Whoever has read the dialogue can try passwords at home; and whoever
	 * stands between can make one up to be read. */
	if (e == E_OK && !(flags & SASL_PLAINTEXT))
		e = buf_printf(&m->out, "\tdictionary%s",
		    flags & SASL_MUTUAL ? "" : "\tactive");
	return e == E_OK ? buf_put(&m->out, "\n", 1) : e;
}

static void
say_hello(struct mta *m, const struct mta_hello *hello)
{
	char cookie[2 * MTA_COOKIE + 1];
	enum err e = buf_printf(&m->out, "VERSION\t1\t1\n");

	for (size_t i = 0; i < MTA_COOKIE; i++)
		snprintf(cookie + 2 * i, 3, "%02x", hello->cookie[i]);
	for (size_t i = 0; e == E_OK && sasl_mechanisms[i] != NULL; i++) {
		const char *name = sasl_mechanisms[i]->name;

		if (str_has_word(m->policy->mechanisms, name) &&
		    str_has_word(hello->offered, name))
			e = say_mechanism(m, name);
	}
	if (e == E_OK)
		e = buf_printf(&m->out,
		    "SPID\t%u\nCUID\t%u\nCOOKIE\t%s\nDONE\n", hello->pid,
		    hello->connection, cookie);
	check_said(m, e);
}

/* ---- requests ---- */

static struct mta_request *
find_id(struct mta *m, uint32_t id)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->request[i].id == id)
			return &m->request[i];
	return NULL;
}

static struct mta_request *
find_sid(struct mta *m, uint64_t sid)
{
	for (unsigned i = 0; i < m->n; i++)
		if (m->request[i].sid == sid)
			return &m->request[i];
	return NULL;
}

static bool
is_clients_turn(const struct mta_request *r)
{
	return r->until != 0;
}

/* Returns the id that it had. */
static uint32_t
drop(struct mta *m, struct mta_request *r)
{
	uint32_t id = r->id;

	*r = m->request[--m->n];
	return id;
}

/* ---- fields of a line ---- */

/* The field at the beginning of a line, which is cut off. */
static struct slice
next_field(struct slice *line)
{
	const char *tab = memchr(line->p, '\t', line->n);
	struct slice f = { line->p,
		tab != NULL ? (size_t)(tab - line->p) : line->n };
	size_t gone = f.n + (tab != NULL);

	line->p += gone;
	line->n -= gone;
	return f;
}

static bool
begins(struct slice s, const char *word)
{
	size_t n = strlen(word);

	return s.n >= n && memcmp(s.p, word, n) == 0;
}

/* As a worker prints it, so that it is the same client here and there. */
static void
take_address(char out[PEER_MAX], struct slice text)
{
	char given[PEER_MAX];
	uint8_t octets[16];

	if (text.n >= sizeof(given))
		return;
	memcpy(given, text.p, text.n);
	given[text.n] = '\0';
	if (!cidr_address(octets, given))
		return;
	if (cidr_is_ipv4(octets))
		inet_ntop(AF_INET, octets + 12, out, PEER_MAX);
	else
		inet_ntop(AF_INET6, octets, out, PEER_MAX);
}

/* "resp=" and nothing, as Exim says where the client has said nothing; "=" is a
 * message that is empty.  False: it makes no sense. */
static bool
take_initial(struct mta_sign_in *s, struct slice text)
{
	size_t n = 0;

	if (text.n == 0)
		return true;
	s->has_initial = true;
	if (slice_eq(text, "="))
		return true;
	/* In its own place: the line is ours. */
	if (b64_decode((char *)text.p, text, &n) != E_OK ||
	    n > TOKEN_MESSAGE_MAX)
		return false;
	s->initial = (struct slice){ text.p, n };
	return true;
}

/* The parameters of AUTH; resp= is the last one. */
static bool
take_parameters(struct mta_sign_in *s, struct slice line)
{
	while (line.n != 0) {
		if (begins(line, "resp="))
			return take_initial(
			    s, (struct slice){ line.p + 5, line.n - 5 });
		struct slice f = next_field(&line);

		if (begins(f, "rip="))
			take_address(
			    s->peer, (struct slice){ f.p + 4, f.n - 4 });
		else if (slice_eq(f, "secured") || begins(f, "secured="))
			s->tls = true;
	}
	return true;
}

/* ---- lines ---- */

static void
break_rules(struct mta *m)
{
	m->over = "protocol";
}

/* NULL: the sign-in may begin. */
static const char *
why_not(const struct mta *m, const struct mta_sign_in *s)
{
	const struct sasl_mechanism *mech = sasl_find(s->mechanism);

	if (mech == NULL || !str_has_word(m->policy->mechanisms, mech->name))
		return "\treason=This mechanism is not offered";
	if (!(mech->flags & SASL_PLAINTEXT) || s->tls ||
	    m->policy->plain_passwords)
		return NULL;
	m->hooks->in_clear(m->arg, s);
	return "\treason=A password must be sent inside TLS";
}

static void
take_auth(struct mta *m, struct slice line)
{
	struct slice number = next_field(&line);
	struct mta_sign_in s = { .mechanism = next_field(&line) };
	const char *reason;
	uint64_t sid = 0;
	uint32_t id;

	if (!str_to_u32(number, &id) || s.mechanism.n == 0 ||
	    find_id(m, id) != NULL) {
		break_rules(m);
		return;
	}
	reason = take_parameters(&s, line)
		     ? why_not(m, &s)
		     : "\treason=The client's message makes no sense";
	if (reason != NULL) {
		say_fail(m, id, "", reason);
		return;
	}
	if (m->n < MTA_REQUESTS_MAX)
		sid = m->hooks->begin(m->arg, &s);
	if (sid == 0)
		say_later(m, id, "");
	else
		m->request[m->n++] = (struct mta_request){ id, sid, 0, 0 };
}

/* Its client's message is none. */
static void
end_malformed(struct mta *m, struct mta_request *r)
{
	uint64_t sid = r->sid;
	uint32_t id = drop(m, r);

	m->hooks->end(m->arg, sid);
	say_fail(m, id, "", "\treason=The client's message makes no sense");
}

static void
step(struct mta *m, struct mta_request *r, struct slice response)
{
	uint64_t sid = r->sid;

	r->until = r->seen = 0;
	if (m->hooks->step(m->arg, sid, response))
		return;
	say_later(m, drop(m, r), "");
	m->hooks->end(m->arg, sid);
}

static void
take_cont(struct mta *m, struct slice line)
{
	struct slice number = next_field(&line);
	struct mta_request *r;
	size_t n = 0;
	uint32_t id;

	if (!str_to_u32(number, &id)) {
		break_rules(m);
		return;
	}
	if ((r = find_id(m, id)) == NULL)
		say_fail(m, id, "", "\treason=It took too long");
	else if (!is_clients_turn(r))
		break_rules(m);
	else if (b64_decode((char *)line.p, line, &n) != E_OK ||
		 n > TOKEN_MESSAGE_MAX)
		end_malformed(m, r);
	else
		step(m, r, (struct slice){ line.p, n });
}

static void
take_cancel(struct mta *m, struct slice line)
{
	struct mta_request *r;
	uint64_t sid;
	uint32_t id;

	if (!str_to_u32(next_field(&line), &id)) {
		break_rules(m);
		return;
	}
	if ((r = find_id(m, id)) == NULL)
		return;
	sid = r->sid;
	drop(m, r);
	m->hooks->end(m->arg, sid);
}

/* VERSION, then CPID, then all else. */
static void
take_greeting(struct mta *m, struct slice word, struct slice line)
{
	struct slice number = next_field(&line);
	uint32_t v;

	if (!str_to_u32(number, &v))
		break_rules(m);
	else if (!m->has_version && slice_eq(word, "VERSION") && v == 1)
		m->has_version = true;
	else if (m->has_version && slice_eq(word, "CPID"))
		m->has_cpid = true;
	else
		break_rules(m);
}

static void
take_line(struct mta *m, struct slice line)
{
	struct slice word = next_field(&line);

	if (!m->has_cpid)
		take_greeting(m, word, line);
	else if (slice_eq(word, "AUTH"))
		take_auth(m, line);
	else if (slice_eq(word, "CONT"))
		take_cont(m, line);
	else if (slice_eq(word, "CANCEL"))
		take_cancel(m, line);
	else if (slice_eq(word, "VERSION") || slice_eq(word, "CPID"))
		break_rules(m);
}

/* ---- the connection ---- */

void
mta_begin(struct mta *m, const struct mta_policy *policy,
    const struct mta_hooks *hooks, void *arg, const struct mta_hello *hello,
    uint64_t now)
{
	*m = (struct mta){
		.policy = policy, .hooks = hooks, .arg = arg, .since = now
	};
	buf_init(&m->out, MTA_OUT_MAX, false);
	say_hello(m, hello);
}

void
mta_end(struct mta *m)
{
	while (m->n != 0)
		m->hooks->end(m->arg, m->request[--m->n].sid);
	buf_free(&m->out);
}

void
mta_take(struct mta *m, struct buf *in)
{
	while (m->over == NULL && m->out.len < MTA_OUT_MUCH && in->len != 0) {
		const char *p = buf_data(in), *end = memchr(p, '\n', in->len);
		size_t n = end != NULL ? (size_t)(end - p) : in->len;

		if (n >= MTA_LINE_MAX)
			m->over = "line-too-long";
		if (n >= MTA_LINE_MAX || end == NULL)
			return;
		take_line(m, (struct slice){ p, n });
		buf_consume(in, n + 1);
	}
}

void
mta_challenge(struct mta *m, uint64_t sid, struct slice challenge, uint64_t now)
{
	struct mta_request *r = find_sid(m, sid);
	char text[B64_ENCODED(SASL_MAX)];

	if (r == NULL || challenge.n > SASL_MAX)
		return;
	b64_encode(text, challenge.p, challenge.n);
	r->until = now + m->policy->login_ms;
	check_said(m, buf_printf(&m->out, "CONT\t%u\t%.*s\n", r->id,
			  (int)B64_ENCODED(challenge.n), text));
}

void
mta_accept(struct mta *m, uint64_t sid, const char *user)
{
	struct mta_request *r = find_sid(m, sid);
	char shown[2 * NAME_MAX_OCTETS + 1];

	if (r == NULL)
		return;
	escape(shown, user);
	check_said(
	    m, buf_printf(&m->out, "OK\t%u\tuser=%s\n", drop(m, r), shown));
}

void
mta_refuse(
    struct mta *m, uint64_t sid, enum sign_in_code code, const char *user)
{
	static const char *const more[SIGN_IN_CODES] = {
		[SIGN_IN_CREDENTIALS] = "\treason=Wrong name or password",
		[SIGN_IN_PERMANENT] = "\treason=This cannot be",
		[SIGN_IN_MALFORMED] =
		    "\treason=The client's message makes no sense",
		[SIGN_IN_SWITCHED_OFF] = "\tuser_disabled\tcode=user_"
					 "disabled\treason=This user may not "
					 "sign in here",
		[SIGN_IN_TLS_ONLY] =
		    "\tauthz\treason=This user may sign in inside TLS only",
	};
	struct mta_request *r = find_sid(m, sid);
	uint32_t id;

	if (r == NULL)
		return;
	id = drop(m, r);
	if (more[code] == NULL)
		say_later(m, id, user);
	else
		say_fail(m, id, user, more[code]);
}

static void
look_at(struct mta *m, struct mta_request *r, uint64_t now)
{
	uint64_t sid = r->sid;

	if (!is_clients_turn(r) && r->seen == 0) {
		r->seen = now;
	} else if (!is_clients_turn(r) && now - r->seen >= MTA_ANSWER_MS) {
		say_later(m, drop(m, r), "");
		m->hooks->end(m->arg, sid);
	} else if (is_clients_turn(r) && now >= r->until) {
		say_fail(m, drop(m, r), "", "\treason=It took too long");
		m->hooks->end(m->arg, sid);
	}
}

void
mta_look(struct mta *m, uint64_t now)
{
	if (!m->has_cpid && now - m->since >= MTA_HANDSHAKE_MS)
		m->over = "handshake";
	for (unsigned i = m->n; i-- > 0;)
		look_at(m, &m->request[i], now);
}
