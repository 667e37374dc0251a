#include "server/auth/signin.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sasl/sasl.h"
#include "server/auth/auth_worker.h"
#include "server/auth/hashpool.h"
#include "server/auth/penalty.h"
#include "server/auth/recent.h"
#include "server/auth/stores.h"
#include "server/auth/vcache.h"
#include "server/conf/spelling.h"
#include "server/users/account.h"

enum state { SASL, DELAYED, CHECKING, HASHING, PLACING, HELD };

/* Refusals for want of room are logged by their number, this often. */
static const ev_tstamp CROWD_LOG = 10;

struct signin {
	struct auth *auth;
	struct auth_worker *worker; /* NULL: abandoned */
	uint64_t sid;
	enum state state;
	uint16_t worker_index;
	const char *method;
	char peer[PEER_MAX];
	uint64_t origin; /* of penalty_origin() */
	uint64_t who;    /* of recent_who(), once the user is known */
	char user[NAME_MAX_OCTETS + 1]; /* by the rule for names, or empty */
	char name[NAME_MAX_OCTETS + 1]; /* as the client gave it, cut */
	struct sasl_server *sasl;

	/* What is to be verified: a password, or for APOP a timestamp and a
	 * digest. */
	char *password;
	char *timestamp;
	uint8_t digest[APOP_DIGEST];

	/* How far that is. */
	bool checked;        /* the parent was asked about the users file */
	bool known;          /* there is such a user, and not locked out */
	uint64_t generation; /* of the users it was verified against, or 0 */
	char *stored;        /* for the job */
	bool is_cheap; /* it is known to be wrong; the job only takes time */
	struct hash_job job;
	struct userfile_wait wait;
	const char *why; /* it does not match */

	/* Where the mail is. */
	char *mail;
	struct store_wait store;

	enum sign_in_code code;
	ev_timer delay;
};

static void verify(struct signin *s);
static void place(struct signin *s);

/* ---- life ---- */

struct signin *
signin_new(
    struct auth_worker *w, uint64_t sid, const char *peer, const char *method)
{
	struct auth *a = w->auth;
	struct signin *s;

	if (a->n_signins >= SIGNINS_MAX || (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	a->n_signins++;
	s->auth = a;
	s->worker = w;
	s->worker_index = w->index;
	s->sid = sid;
	s->method = method;
	memcpy(s->peer, peer, strnlen(peer, PEER_MAX - 1));
	s->origin = penalty_origin(a->penalty, s->peer);
	return s;
}

/* The secrets are not needed any longer than this. */
static void
forget_secrets(struct signin *s)
{
	if (s->password != NULL)
		explicit_bzero(s->password, strlen(s->password));
	free(s->password);
	s->password = NULL;
	if (s->stored != NULL)
		explicit_bzero(s->stored, strlen(s->stored));
	free(s->stored);
	s->stored = NULL;
	explicit_bzero(s->digest, sizeof(s->digest));
	sasl_server_free(s->sasl);
	s->sasl = NULL;
}

/* store: the serial number of the one that has it now, or 0. */
static void
finish(struct signin *s, uint32_t store)
{
	if (s->worker != NULL)
		auth_worker_signed_in(s->worker, s->sid, store);
	ev_timer_stop(s->auth->loop, &s->delay);
	s->auth->n_signins--;
	forget_secrets(s);
	free(s->timestamp);
	free(s->mail);
	free(s);
}

void
signin_abandon(struct signin *s)
{
	auth_worker_signed_in(s->worker, s->sid, 0);
	s->worker = NULL;
	/* What is being verified goes on, so that a failure counts. */
	if (s->state == CHECKING ||
	    (s->state == HASHING && !hashpool_cancel(s->auth->hashes, &s->job)))
		return;
	if (s->state == PLACING)
		store_wait_cancel(&s->store);
	finish(s, 0);
}

/* ---- refusing ---- */

static const char *const code_word[SIGN_IN_CODES] = {
	[SIGN_IN_CREDENTIALS] = "auth",
	[SIGN_IN_TEMPORARY] = "temporary",
	[SIGN_IN_PERMANENT] = "permanent",
	[SIGN_IN_IN_USE] = "in-use",
	[SIGN_IN_MALFORMED] = "malformed",
};

/* Who the client says it is. */
static const char *
claimed(const struct signin *s)
{
	return s->user[0] != '\0' ? s->user : s->name;
}

static void
answer(struct signin *s)
{
	if (s->worker != NULL)
		auth_worker_refuse(s->worker, s->sid, s->code, claimed(s));
	finish(s, 0);
}

static void
wait_for(struct signin *s, enum state state, uint32_t ms,
    void (*then)(struct ev_loop *loop, ev_timer *t, int revents))
{
	s->state = state;
	ev_now_update(s->auth->loop);
	ev_timer_init(&s->delay, then, ms / 1e3, 0);
	s->delay.data = s;
	ev_timer_start(s->auth->loop, &s->delay);
}

static void
on_held(struct ev_loop *loop, ev_timer *t, int revents)
{
	answer(t->data);
}

/* What s->code says, when that has been paid for. */
static void
answer_after(struct signin *s, uint32_t ms)
{
	forget_secrets(s);
	if (ms == 0 || s->worker == NULL)
		answer(s);
	else
		wait_for(s, HELD, ms, on_held);
}

static void
log_refused(const struct signin *s)
{
	char user[NAME_MAX_OCTETS * 4 + 1], peer[PEER_MAX * 4];
	const char *name = claimed(s);

	str_escape(user, sizeof(user), name, strlen(name));
	str_escape(peer, sizeof(peer), s->peer, strlen(s->peer));
	log_line(s->code == SIGN_IN_CREDENTIALS ? LOG_EVENT : LOG_WARNING,
	    "ev=login-failed sid=%u.%llx user=%s ip=%s method=%s code=%s "
	    "why=%s",
	    s->worker_index, (unsigned long long)s->sid, user, peer, s->method,
	    code_word[s->code], s->why);
}

/* For anything but credentials. */
static void
refuse(struct signin *s, enum sign_in_code code, const char *why)
{
	s->code = code;
	s->why = why;
	log_refused(s);
	answer(s);
}

/* What was tried: the password, or the digest of APOP. */
static struct slice
secret_of(const struct signin *s)
{
	return s->password != NULL
		   ? (struct slice){ s->password, strlen(s->password) }
		   : (struct slice){ (const char *)s->digest,
			     sizeof(s->digest) };
}

/* The credentials are wrong. */
static void
deny(struct signin *s, const char *why)
{
	struct auth *a = s->auth;
	uint32_t ms = 0;

	s->code = SIGN_IN_CREDENTIALS;
	s->why = why;
	log_refused(s);
	recent_forget(a->recent, s->who);
	if (a->conf.penalties)
		ms = penalty_raise(
		    a->penalty, s->origin, s->user, secret_of(s), clock_ms());
	answer_after(s, ms);
}

static void
on_crowd_log(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct auth *a = t->data;

	if (a->crowded != 0)
		log_line(LOG_WARNING, "ev=login-crowd refused=%u", a->crowded);
	else
		ev_timer_stop(loop, t);
	a->crowded = 0;
}

/* The first of a crowd has a line of its own, the others are counted. */
static void
log_crowded(struct signin *s)
{
	struct auth *a = s->auth;

	if (ev_is_active(&a->crowd_log)) {
		a->crowded++;
		return;
	}
	log_refused(s);
	ev_timer_init(&a->crowd_log, on_crowd_log, CROWD_LOG, CROWD_LOG);
	a->crowd_log.data = a;
	ev_timer_start(a->loop, &a->crowd_log);
}

/* Too many passwords wait to be verified.  It is nobody's failure, but it costs
 * their address time as one would: there the crowd may come from. */
static void
refuse_crowded(struct signin *s)
{
	struct auth *a = s->auth;
	uint32_t ms = 0;

	s->code = SIGN_IN_TEMPORARY;
	s->why = "hash-queue";
	log_crowded(s);
	if (a->conf.penalties)
		ms = penalty_load(a->penalty, s->origin, clock_ms());
	answer_after(s, ms);
}

/* ---- is the users file current? ---- */

static void
on_checked(struct userfile_wait *w, enum err e)
{
	struct signin *s = (void *)((char *)w - offsetof(struct signin, wait));

	if (e != E_OK)
		refuse(s, SIGN_IN_TEMPORARY, "users-check");
	else if (s->auth->userfile.users == NULL)
		refuse(s, SIGN_IN_TEMPORARY, "no-users-file");
	else if (s->generation != s->auth->userfile.generation)
		verify(s);
	else
		deny(s, s->why);
}

static void
check_users(struct signin *s)
{
	s->state = CHECKING;
	s->checked = true;
	s->wait.done = on_checked;
	userfile_check(&s->auth->userfile, &s->wait);
}

/* ---- verifying ---- */

/* What came out, for the user as the file has it now. */
static void
verified(struct signin *s, enum err e)
{
	if (e == E_OK && s->known)
		place(s);
	else if (e == E_NOMEM)
		refuse(s, SIGN_IN_TEMPORARY, "memory");
	else if (e == E_CONFIG && s->known)
		refuse(s, SIGN_IN_PERMANENT, "hash");
	else if (!s->checked)
		check_users(s); /* the user may just have been added */
	else
		deny(s, s->why);
}

static void
on_hashed(struct hash_job *job)
{
	struct signin *s = (void *)((char *)job - offsetof(struct signin, job));
	struct auth *a = s->auth;
	const struct user *u;

	if (job->result == E_FULL) {
		refuse_crowded(s);
		return;
	}
	if (s->is_cheap)
		job->result = E_DENIED;
	else if (job->result == E_OK && s->known)
		vcache_add(
		    a->verified, s->user, s->stored, s->password, clock_ms());
	if (s->generation != a->userfile.generation) {
		u = users_find(a->userfile.users, s->user);
		if (s->is_cheap || (u != NULL) != s->known ||
		    (u != NULL && strcmp(u->hash, s->stored) != 0)) {
			verify(s);
			return;
		}
		s->generation = a->userfile.generation;
	}
	verified(s, job->result);
}

static void
hash(struct signin *s, const char *stored)
{
	struct auth *a = s->auth;

	if (s->known && !s->is_cheap &&
	    vcache_has(a->verified, s->user, stored, s->password, clock_ms())) {
		verified(s, E_OK);
		return;
	}
	free(s->stored);
	if ((s->stored = strdup(stored)) == NULL) {
		refuse(s, SIGN_IN_TEMPORARY, "memory");
		return;
	}
	s->state = HASHING;
	s->job = (struct hash_job){
		.stored = s->stored,
		.password = s->password,
		.origin = s->origin,
		.user = recent_who(a->recent, 0, s->user),
		.known = recent_has(a->recent, s->who, clock_ms()),
		.done = on_hashed,
	};
	if (hashpool_add(a->hashes, &s->job) != E_OK)
		refuse_crowded(s);
}

/* A password that is stored as it is, or so that verifying costs nothing.  If it
 * is wrong and other users have costly ones, it takes as long as theirs: the
 * time must not tell the two kinds of users apart. */
static void
verify_cheap(struct signin *s, const char *stored)
{
	const char *costly = users_costly(s->auth->userfile.users);
	enum err e = scheme_verify(stored, s->password);

	if (e != E_DENIED || costly == NULL) {
		verified(s, e);
		return;
	}
	s->is_cheap = true;
	hash(s, costly);
}

/* Against the users that there are now. */
static void
verify(struct signin *s)
{
	const struct userfile *f = &s->auth->userfile;
	const struct user *u = users_find(f->users, s->user);
	const char *stored = u != NULL ? u->hash : NULL;

	s->generation = f->generation;
	s->is_cheap = false;
	s->why = u == NULL ? "unknown-user" : "password";
	if (u != NULL && scheme_check(stored, NULL) == E_DENIED) {
		s->why = "locked";
		u = NULL;
	}
	s->known = u != NULL;
	if (u == NULL) /* let it take as long as if there were one */
		stored = users_costly(f->users);
	if (s->timestamp != NULL)
		verified(s, u == NULL ? E_DENIED
				      : scheme_verify_apop(
					    stored, s->timestamp, s->digest));
	else if (stored == NULL)
		verified(s, E_DENIED);
	else if (!scheme_is_costly(stored))
		verify_cheap(s, stored);
	else
		hash(s, stored);
}

/* ---- beginning ---- */

static void
note_name(struct signin *s, struct slice name)
{
	size_t n = name.n < NAME_MAX_OCTETS ? name.n : NAME_MAX_OCTETS;

	memcpy(s->name, name.p, n);
	s->name[n] = '\0';
}

static void
look(struct signin *s)
{
	if (userfile_is_stale(&s->auth->userfile))
		check_users(s);
	else
		verify(s);
}

static void
on_delayed(struct ev_loop *loop, ev_timer *t, int revents)
{
	look(t->data);
}

/* How long it waits until it is looked at: what failures of its address have
 * cost, and whoever made them did not wait for.  Not for a user who signed in
 * from there lately, with this password. */
static uint32_t
delay_due(struct signin *s)
{
	struct auth *a = s->auth;
	uint64_t now = clock_ms();
	uint32_t ms = penalty_due(a->penalty, s->origin, now);

	if (ms != 0 && recent_confirms(a->recent, s->who, secret_of(s), now))
		return 0;
	return ms;
}

/* A name and maybe a password have been claimed. */
static void
claim(struct signin *s, struct slice name, const struct slice *password)
{
	uint32_t ms;
	enum err e = name_normalize(&s->auth->rule, name, s->user, NULL);

	note_name(s, name);
	if (e != E_OK) {
		s->user[0] = '\0';
		if (e == E_FORMAT)
			deny(s, "bad-name");
		else
			refuse(s, SIGN_IN_TEMPORARY, "memory");
		return;
	}
	if (password != NULL) {
		if (!text_is_secret(*password)) {
			deny(s, "bad-password");
			return;
		}
		s->password = strndup(password->p, password->n);
		if (s->password == NULL) {
			refuse(s, SIGN_IN_TEMPORARY, "memory");
			return;
		}
	}
	s->who = recent_who(s->auth->recent, s->origin, s->user);
	if ((ms = delay_due(s)) != 0)
		wait_for(s, DELAYED, ms, on_delayed);
	else
		look(s);
}

void
signin_pass(struct signin *s, struct slice name, struct slice password)
{
	claim(s, name, &password);
}

void
signin_apop(struct signin *s, struct slice name, struct slice timestamp,
    const uint8_t digest[APOP_DIGEST])
{
	memcpy(s->digest, digest, APOP_DIGEST);
	if ((s->timestamp = strndup(timestamp.p, timestamp.n)) == NULL)
		refuse(s, SIGN_IN_TEMPORARY, "memory");
	else
		claim(s, name, NULL);
}

/* A mechanism's claim.  Nobody may act for another. */
static void
claim_sasl(struct signin *s)
{
	const struct sasl_claim *c = sasl_server_claim(s->sasl);
	char authzid[NAME_MAX_OCTETS + 1], authcid[NAME_MAX_OCTETS + 1];

	note_name(s, c->authcid);
	if (c->authzid.n != 0 && (name_normalize(&s->auth->rule, c->authzid,
				      authzid, NULL) != E_OK ||
				     name_normalize(&s->auth->rule, c->authcid,
					 authcid, NULL) != E_OK ||
				     strcmp(authzid, authcid) != 0))
		deny(s, "authzid");
	else
		claim(s, c->authcid, &c->password);
}

static void
step(struct signin *s, const struct slice *in)
{
	struct buf out;

	buf_init(&out, SASL_MAX, true);
	switch (sasl_server_step(s->sasl, in, &out)) {
	case SASL_MORE:
		auth_worker_challenge(s->worker, s->sid,
		    (struct slice){
			out.len != 0 ? buf_data(&out) : "", out.len });
		break;
	case SASL_PASSWORD: claim_sasl(s); break;
	case SASL_NOMEM: refuse(s, SIGN_IN_TEMPORARY, "memory"); break;
	default: /* nothing else is asked by what sasl_find_asking() finds */
		refuse(s, SIGN_IN_MALFORMED, "malformed");
		break;
	}
	buf_free(&out);
}

void
signin_sasl(
    struct signin *s, struct slice mechanism, const struct slice *initial)
{
	const struct sasl_mechanism *m =
	    sasl_find_asking(mechanism, SASL_PASSWORD);

	if (m == NULL) {
		refuse(s, SIGN_IN_MALFORMED, "mechanism");
		return;
	}
	s->method = m->name;
	s->state = SASL;
	if ((s->sasl = sasl_server_new(m)) == NULL)
		refuse(s, SIGN_IN_TEMPORARY, "memory");
	else
		step(s, initial);
}

enum err
signin_step(struct signin *s, struct slice response)
{
	if (s->state != SASL)
		return E_FORMAT;
	step(s, &response);
	return E_OK;
}

/* ---- the store ---- */

static void
open_at(struct signin *s, struct store *store)
{
	uint32_t serial;

	if (store_open(store, s->worker_index, s->sid, s->user, s->mail,
		s->peer, &serial) == E_OK)
		finish(s, serial);
	else
		refuse(s, SIGN_IN_TEMPORARY, "store-full");
}

static void
on_store(struct store_wait *w, struct store *store, const char *why)
{
	struct signin *s = (void *)((char *)w - offsetof(struct signin, store));

	if (store != NULL)
		open_at(s, store);
	else
		refuse(s, SIGN_IN_TEMPORARY, why);
}

static void
wait_for_store(struct signin *s, uint32_t uid, uint32_t gid)
{
	s->state = PLACING;
	s->store.done = on_store;
	if (store_wait(s->auth, &s->store, uid, gid) != E_OK)
		refuse(s, SIGN_IN_TEMPORARY, "store-queue");
}

/* The mail of the account is at a store, or comes to one. */
static void
place_account(struct signin *s, const struct account *at)
{
	bool shared = at->uid == s->auth->conf.mail_uid;
	struct store *store = shared ? store_of_path(s->auth, s->mail)
				     : store_of_uid(s->auth, at->uid);

	if (store != NULL)
		open_at(s, store);
	else if (shared)
		refuse(s, SIGN_IN_TEMPORARY, "store-down");
	else
		wait_for_store(s, at->uid, at->gid);
}

static void
log_no_account(const struct signin *s, const struct errbuf *eb)
{
	char user[NAME_MAX_OCTETS * 4 + 1];

	log_line(LOG_FAULT, "ev=mail-location sid=%u.%llx user=%s error=\"%s\"",
	    s->worker_index, (unsigned long long)s->sid,
	    str_escape(user, sizeof(user), s->user, strlen(s->user)), eb->text);
}

/* The credentials are right: which store has the maildrop? */
static void
place(struct signin *s)
{
	const struct user *u = users_find(s->auth->userfile.users, s->user);
	struct account at;
	struct errbuf eb;
	const char *why;

	recent_add(s->auth->recent, s->who, secret_of(s), clock_ms());
	forget_secrets(s);
	if (s->worker == NULL) {
		finish(s, 0);
	} else if (account_find(&at, &s->auth->conf, u, &why, &eb) != E_OK) {
		log_no_account(s, &eb);
		refuse(s, SIGN_IN_PERMANENT, why);
	} else if ((s->mail = strdup(at.mail)) == NULL) {
		refuse(s, SIGN_IN_TEMPORARY, "memory");
	} else {
		place_account(s, &at);
	}
}
