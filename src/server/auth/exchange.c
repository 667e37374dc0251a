#include "server/auth/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sasl/sasl.h"
#include "server/auth/auth_worker.h"
#include "server/auth/databases.h"
#include "server/auth/found.h"
#include "server/auth/look.h"
#include "server/auth/password.h"
#include "server/auth/place.h"
#include "server/auth/refuse.h"
#include "server/auth/ticket.h"
#include "server/auth/token.h"
#include "server/auth/turn.h"

static char *
copy(struct slice s)
{
	char *out = malloc(s.n + 1);

	if (out != NULL && s.n != 0)
		memcpy(out, s.p, s.n);
	return out;
}

/* ---- beginning ---- */

static bool
keep_channel(struct exchange *x, const struct connection *c)
{
	for (size_t i = 0; i < c->n_bindings; i++) {
		struct slice data = c->binding[i].data;

		memcpy(x->binding_name[i], c->binding[i].name, BINDING_NAME);
		memcpy(x->binding_data[i], data.p, data.n);
		x->binding[i].name = x->binding_name[i];
		x->binding[i].data =
		    (struct slice){ (char *)x->binding_data[i], data.n };
	}
	x->channel.bindings = x->binding;
	x->channel.n_bindings = c->n_bindings;
	x->channel.plus_offered = c->plus_offered;
	x->certificate_n = c->certificate.n;
	if (c->certificate.n != 0)
		x->certificate = copy(c->certificate);
	return c->certificate.n == 0 || x->certificate != NULL;
}

enum err
exchange_begin(struct signin *s, const struct sasl_mechanism *m,
    const struct connection *c)
{
	s->method = m->name;
	s->state = SASL;
	s->message_max = m->asks == SASL_TICKET  ? TICKET_MAX
			 : m->asks == SASL_TOKEN ? TOKEN_MESSAGE_MAX
						 : SASL_MAX;
	if ((s->sasl = sasl_server_new(m)) == NULL)
		return E_NOMEM;
	if (m->asks == SASL_PASSWORD || m->asks == SASL_TICKET ||
	    m->asks == SASL_TOKEN)
		return E_OK; /* it needs nothing more */
	if ((s->exchange = calloc(1, sizeof(*s->exchange))) == NULL ||
	    !keep_channel(s->exchange, c))
		return E_NOMEM;
	s->exchange->mechanism = m;
	s->exchange->channel.host = s->auth->conf.host;
	sasl_server_channel(s->sasl, &s->exchange->channel);
	return E_OK;
}

/* ---- whose it is ---- */

/* Nothing in this exchange can be right any more. */
static void
give_up_on(struct signin *s, const char *why)
{
	s->known = false;
	s->why = why;
}

/* The user of the name that was claimed, as the file is now; NULL: one for whom
 * nothing can be right, and s->why says why. */
static const struct user *
find_user(struct signin *s)
{
	bool may = signin_act_for(s, sasl_server_claim(s->sasl)->authzid);
	const struct user *u = signin_find(s);

	if (may)
		return u;
	give_up_on(s, "authzid");
	return NULL;
}

static bool
keep_hash(struct signin *s, const struct user *u)
{
	free(s->stored);
	s->stored = u != NULL ? strdup(u->hash) : NULL;
	return u == NULL || s->stored != NULL;
}

/* Was the user taken away, or given another password, since its keys were
 * looked up? */
static bool
has_changed(const struct signin *s)
{
	const struct user *u = signin_user(s);

	return u == NULL || s->stored == NULL ||
	       strcmp(u->hash, s->stored) != 0;
}

/* A proof was wrong, and only then the file was found to have changed: the next
 * try is by the new one. */
static void
decide_late(struct signin *s)
{
	signin_deny(s, s->why);
}

/* ---- the client is told something ---- */

static void
say(struct signin *s, const struct buf *out)
{
	s->state = SASL;
	turn_end(s);
	if (s->worker != NULL)
		auth_worker_challenge(s->worker, s->sid,
		    (struct slice){
			out->len != 0 ? buf_data(out) : "", out->len });
	else
		signin_finish(s, 0);
}

static void take(struct signin *s, enum sasl_result r, const struct buf *out);

/* ---- SCRAM ---- */

/* What is said of a user's keys goes by the name alone.  If who may not go on were
 * told another salt than who may, the two would tell that there is such a user. */
static void
show_salt(struct sasl_keys *keys, const struct signin *s)
{
	const struct user *u = signin_user(s);
	struct sasl_keys theirs;

	if (u == NULL ||
	    scheme_keys(u->hash, s->exchange->mechanism, &theirs) != E_OK)
		return;
	memcpy(keys->salt, theirs.salt, sizeof(keys->salt));
	keys->salt_n = theirs.salt_n;
	keys->iterations = theirs.iterations;
	explicit_bzero(&theirs, sizeof(theirs));
}

/* What is said before anything is proven.  A password that is stored readable
 * has its keys made when they are needed; its salt is made up as if there were
 * no such user. */
static enum err
find_keys(struct signin *s, const struct user *u)
{
	struct auth *a = s->auth;
	struct exchange *x = s->exchange;
	const struct sasl_mechanism *m = x->mechanism;
	struct slice key = { a->conf.name_key, strlen(a->conf.name_key) };
	enum err e;

	x->makes_keys = (databases_uses(a) & SCHEME_READABLE) != 0;
	if (u != NULL && scheme_keys(u->hash, m, &x->keys) == E_OK)
		return E_OK;
	if (u != NULL && !(scheme_uses(u->hash) & SCHEME_READABLE))
		give_up_on(s, "scheme");
	else if (u != NULL)
		x->is_readable = true;
	e = sasl_keys_fake(&x->keys, m, key,
	    (struct slice){ s->user, strlen(s->user) },
	    databases_iterations(a, m));
	if (e == E_OK)
		show_salt(&x->keys, s);
	return e;
}

static void
decide_keys(struct signin *s)
{
	const struct user *u = find_user(s);
	enum sasl_result r = SASL_NOMEM;
	struct buf out;

	buf_init(&out, SASL_MAX, true);
	if (keep_hash(s, u) && find_keys(s, u) == E_OK)
		r = sasl_server_keys(s->sasl, &s->exchange->keys, &out);
	s->decide = decide_late;
	s->exchange->proves = r == SASL_MORE;
	take(s, r, &out);
	buf_free(&out);
}

static void
step_now(struct signin *s, const struct slice *in)
{
	enum sasl_result r;
	struct buf out;

	buf_init(&out, SASL_MAX, true);
	r = sasl_server_step(s->sasl, in, &out);
	take(s, r, &out);
	buf_free(&out);
}

static void
on_keys_made(struct hash_job *job)
{
	struct signin *s = (void *)((char *)job - offsetof(struct signin, job));
	struct exchange *x = s->exchange;
	struct slice in = { x->response, x->response_n };

	if (job->result == E_FULL) {
		signin_refuse_crowded(s, "hash-queue");
		return;
	}
	if (job->result == E_OK && x->is_readable)
		sasl_server_keys_made(s->sasl, &x->keys);
	if (job->result == E_NOMEM)
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
	else
		step_now(s, &in);
}

/* The keys of a readable password are made now.  Where anybody has such a one
 * this is done for every name, that the time tells nothing. */
static void
make_keys(struct signin *s)
{
	struct exchange *x = s->exchange;

	if ((s->password = calloc(1, PASSWORD_MAX + 1)) == NULL) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
		return;
	}
	if (!x->is_readable || scheme_password(s->stored, s->password) != E_OK)
		memcpy(s->password, "nobody's", sizeof("nobody's"));
	s->job = (struct hash_job){
		.password = s->password,
		.mechanism = x->mechanism,
		.keys = &x->keys,
		.done = on_keys_made,
	};
	signin_hash(s);
}

static void
prove(struct signin *s)
{
	struct exchange *x = s->exchange;
	struct slice in = { x->response, x->response_n };

	if (x->makes_keys)
		make_keys(s);
	else
		step_now(s, &in);
}

/* Others may have failed since the client was told of the keys, which is what it
 * had its first turn for. */
static void
take_proof(struct signin *s, struct slice response)
{
	struct exchange *x = s->exchange;

	x->proves = false;
	x->response_n = response.n;
	if ((x->response = copy(response)) == NULL)
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
	else
		turn_await(s, prove);
}

/* ---- CRAM-MD5 ---- */

static void
decide_cram(struct signin *s)
{
	const struct user *u = find_user(s);
	uint8_t key[SASL_CRAM_KEY], other[SASL_CRAM_KEY] = { 0 };
	enum sasl_result r;

	if (u != NULL && scheme_cram_keys(u->hash, key, other) != E_OK) {
		give_up_on(s, "scheme");
		u = NULL;
	}
	s->decide = decide_late;
	if (!keep_hash(s, u)) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
		return;
	}
	r = sasl_server_cram_key(s->sasl, u != NULL ? key : NULL, other);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(other, sizeof(other));
	take(s, r, NULL);
}

/* ---- EXTERNAL ---- */

static void
decide_external(struct signin *s)
{
	signin_judge(s, find_user(s) != NULL ? E_OK : E_DENIED);
}

static void
log_certificate(const struct signin *s, const struct errbuf *eb)
{
	log_line(LOG_EVENT, "ev=client-certificate sid=%u.%llx error=\"%s\"",
	    s->worker_index, (unsigned long long)s->sid, eb->text);
}

/* The certificate is checked here anew: what a worker says of it is not
 * believed, only that its client has the key. */
static void
take_external(struct signin *s)
{
	const struct auth *a = s->auth;
	const struct exchange *x = s->exchange;
	char name[NAME_MAX_OCTETS + 1];
	struct errbuf eb = { "there is none" };
	enum err e = E_DENIED;

	if (a->client_ca != NULL && x->certificate_n != 0)
		e = client_ca_check(a->client_ca,
		    (struct slice){ x->certificate, x->certificate_n },
		    a->conf.client_name, name, sizeof(name), &eb);
	if (e == E_NOMEM) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
	} else if (e != E_OK) {
		log_certificate(s, &eb);
		signin_deny_unseen(s, "certificate");
	} else if (signin_name(s, (struct slice){ name, strlen(name) })) {
		s->decide = decide_external;
		signin_look(s);
	}
}

/* ---- ANONYMOUS ---- */

static void
decide_anonymous(struct signin *s)
{
	s->generation = s->auth->userfile.generation;
	s->read_only = true;
	s->anonymous = true;
	if (users_find(s->auth->userfile.users, s->user) != NULL)
		signin_place(s);
	else
		signin_refuse(s, SIGN_IN_PERMANENT, "no-anonymous-user");
}

static void
take_anonymous(struct signin *s)
{
	struct slice trace = sasl_server_claim(s->sasl)->authcid;
	const char *name = s->auth->conf.anonymous;
	char shown[NAME_MAX_OCTETS * 4 + 1];

	log_line(LOG_EVENT, "ev=anonymous sid=%u.%llx trace=%s",
	    s->worker_index, (unsigned long long)s->sid,
	    str_escape(shown, sizeof(shown), trace.p, trace.n));
	s->decide = decide_anonymous;
	if (signin_name(s, (struct slice){ name, strlen(name) }))
		signin_look(s);
}

/* ---- all together ---- */

static void
look_up(struct signin *s)
{
	s->decide =
	    s->exchange->mechanism->hash != NULL ? decide_keys : decide_cram;
	if (signin_login(s, sasl_server_claim(s->sasl)->authcid))
		signin_look(s);
}

static void
take_password(struct signin *s)
{
	const struct sasl_claim *c = sasl_server_claim(s->sasl);

	if (c->authzid.n != 0 && !signin_login(s, c->authcid))
		return;
	if (c->authzid.n != 0 && !signin_act_for(s, c->authzid))
		signin_deny_unseen(s, "authzid");
	else
		signin_claim(s, c->authcid, &c->password);
}

static void
decide_proven(struct signin *s)
{
	if (s->known && has_changed(s))
		give_up_on(s, "changed");
	signin_judge(s, s->known ? E_OK : E_DENIED);
}

/* The client has proven who it is.  It may have taken minutes for that. */
static void
done(struct signin *s)
{
	s->tried = sasl_server_claim(s->sasl)->key;
	s->decide = decide_proven;
	signin_look_again(s);
}

static void
denied(struct signin *s)
{
	if (s->token != NULL) {
		token_refused(s);
		return;
	}
	s->tried = sasl_server_claim(s->sasl)->key;
	signin_judge(s, E_DENIED);
}

/* What a step came to.  out: for the client, if it is SASL_MORE. */
static void
take(struct signin *s, enum sasl_result r, const struct buf *out)
{
	switch (r) {
	case SASL_MORE: say(s, out); break;
	case SASL_PASSWORD: take_password(s); break;
	case SASL_LOOKUP: look_up(s); break;
	case SASL_EXTERNAL: take_external(s); break;
	case SASL_TICKET:
		ticket_step(s, sasl_server_claim(s->sasl)->token);
		break;
	case SASL_TOKEN: token_take(s); break;
	case SASL_ANYBODY: take_anonymous(s); break;
	case SASL_DONE: done(s); break;
	case SASL_DENIED: denied(s); break;
	case SASL_NOMEM: signin_refuse(s, SIGN_IN_TEMPORARY, "memory"); break;
	default: signin_refuse(s, SIGN_IN_MALFORMED, "malformed"); break;
	}
}

void
exchange_step(struct signin *s, const struct slice *in)
{
	struct exchange *x = s->exchange;

	if (in != NULL && in->n > s->message_max)
		signin_refuse(s, SIGN_IN_MALFORMED, "malformed");
	else if (in != NULL && x != NULL && x->proves)
		take_proof(s, *in);
	else
		step_now(s, in);
}
