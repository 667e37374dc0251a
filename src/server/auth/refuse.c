#include "server/auth/refuse.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sasl/sasl.h"
#include "server/auth/auth_worker.h"
#include "server/auth/databases.h"
#include "server/auth/failures.h"
#include "server/auth/login_delay.h"
#include "server/auth/penalty.h"
#include "server/auth/recent.h"
#include "server/auth/turn.h"

/* ---- life ---- */

struct signin *
signin_begin(
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
	memcpy(s->service, POP3, sizeof(POP3));
	memcpy(s->peer, peer, strnlen(peer, PEER_MAX - 1));
	s->suspect = penalty_suspect(a->penalty, s->peer, "");
	/* Where there is neither, each try is one of its own. */
	memcpy(s->digest, &sid, sizeof(sid));
	return s;
}

bool
signin_is_pop3(const struct signin *s)
{
	return strcmp(s->service, POP3) == 0;
}

static void
forget_exchange(struct exchange *x)
{
	if (x == NULL)
		return;
	if (x->response != NULL)
		explicit_bzero(x->response, x->response_n);
	free(x->response);
	free(x->certificate);
	explicit_bzero(x, sizeof(*x));
	free(x);
}

void
signin_forget_secrets(struct signin *s)
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
	s->tried = (struct slice){ NULL, 0 };
	forget_exchange(s->exchange);
	s->exchange = NULL;
	if (s->ticket != NULL)
		kerberos_drop(&s->ticket->wait);
	free(s->ticket);
	s->ticket = NULL;
	if (s->token != NULL)
		net_drop(&s->token->wait);
	free(s->token);
	s->token = NULL;
}

static void
forget_lookup(struct lookup *l)
{
	if (l != NULL)
		lookup_clear(l);
	free(l);
}

void
signin_finish(struct signin *s, uint32_t store)
{
	if (store == 0)
		login_delay_take_back(s->auth->delays, s->counted);
	if (s->worker != NULL)
		auth_worker_signed_in(s->worker, s->sid, store, s->counted);
	ev_timer_stop(s->auth->loop, &s->delay);
	turn_end(s);
	s->auth->n_signins--;
	signin_forget_secrets(s);
	free(s->timestamp);
	free(s->mail);
	free(s->krb_error);
	forget_lookup(s->found);
	forget_lookup(s->found_target);
	free(s);
}

void
signin_abandon(struct signin *s)
{
	auth_worker_signed_in(
	    s->worker, s->sid, 0, (struct login_mark){ .who = 0 });
	s->worker = NULL;
	/* What is being verified goes on, so that a failure counts. */
	if (s->state == CHECKING || (s->state == ASKED && s->token != NULL) ||
	    (s->state == LOOKING && !databases_cancel(s->found)) ||
	    (s->state == HASHING && !hashpool_cancel(s->auth->hashes, &s->job)))
		return;
	if (s->state == PLACING)
		store_wait_cancel(&s->store);
	signin_finish(s, 0);
}

/* ---- refusing ---- */

static const char *const code_word[SIGN_IN_CODES] = {
	[SIGN_IN_CREDENTIALS] = "auth",
	[SIGN_IN_TEMPORARY] = "temporary",
	[SIGN_IN_PERMANENT] = "permanent",
	[SIGN_IN_IN_USE] = "in-use",
	[SIGN_IN_MALFORMED] = "malformed",
	[SIGN_IN_SWITCHED_OFF] = "switched-off",
	[SIGN_IN_TLS_ONLY] = "tls-only",
	[SIGN_IN_SOON] = "login-delay",
};

/* The client is to blame, or its user's line in the users file: nothing of the
 * server is out of order. */
static bool
is_routine(enum sign_in_code code)
{
	return code == SIGN_IN_CREDENTIALS || code == SIGN_IN_SWITCHED_OFF ||
	       code == SIGN_IN_TLS_ONLY || code == SIGN_IN_SOON;
}

/* Who the client says it is: of a master's sign-in for somebody, the master. */
static const char *
claimed(const struct signin *s)
{
	return s->user[0] != '\0' ? s->user : s->name;
}

static void
answer(struct signin *s)
{
	const struct refusal r = { s->code, claimed(s),
		{ s->krb_error, s->krb_error_n }, s->seconds };

	if (s->worker != NULL)
		auth_worker_refuse(s->worker, s->sid, &r);
	signin_finish(s, 0);
}

static void
on_held(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct signin *s = t->data;

	s->then(s);
}

/* Programs that ask for their clients wait for ten seconds, and say then that it
 * is we who are out of order.  The rest is paid by the next one all the same. */
enum { SERVICE_MS = 8000 };

static uint32_t
held_for_service(const struct signin *s, uint32_t ms)
{
	uint64_t took = clock_ms() - s->begun;
	uint32_t left = took < SERVICE_MS ? (uint32_t)(SERVICE_MS - took) : 0;

	return ms < left ? ms : left;
}

/* then(), when that has been paid for; at once if nobody waits. */
static void
hold(struct signin *s, uint32_t ms, void (*then)(struct signin *s))
{
	turn_end(s);
	if (!signin_is_pop3(s))
		ms = held_for_service(s, ms);
	s->then = then;
	if (ms == 0 || s->worker == NULL)
		then(s);
	else
		signin_wait(s, HELD, ms, on_held);
}

/* What s->code says. */
static void
answer_after(struct signin *s, uint32_t ms)
{
	signin_forget_secrets(s);
	hold(s, ms, answer);
}

static void
log_refused(const struct signin *s)
{
	bool is_pop3 = signin_is_pop3(s);
	char user[NAME_MAX_OCTETS * 4 + 1], target[NAME_MAX_OCTETS * 4 + 1];
	char peer[PEER_MAX * 4];
	const char *name = claimed(s);

	str_escape(user, sizeof(user), name, strlen(name));
	str_escape(peer, sizeof(peer), s->peer, strlen(s->peer));
	str_escape(target, sizeof(target), s->target, strlen(s->target));
	/* What is longest stands last, as a line has a limit. */
	log_line(is_routine(s->code) ? LOG_EVENT : LOG_WARNING,
	    "ev=login-failed sid=%u.%llx user=%s ip=%s method=%s%s%s code=%s "
	    "why=%s%s%s",
	    s->worker_index, (unsigned long long)s->sid, user, peer, s->method,
	    is_pop3 ? "" : " service=", is_pop3 ? "" : s->service,
	    code_word[s->code], s->why, s->target[0] != '\0' ? " target=" : "",
	    target);
}

void
signin_refuse(struct signin *s, enum sign_in_code code, const char *why)
{
	s->code = code;
	s->why = why;
	log_refused(s);
	answer(s);
}

/* Returns for how long that is to be paid. */
static uint32_t
count_failure(struct signin *s, const char *why)
{
	struct auth *a = s->auth;
	struct penalty_ms ms = { .address = 0 };
	uint64_t now = clock_ms();

	s->code = SIGN_IN_CREDENTIALS;
	s->why = why;
	log_refused(s);
	recent_doubt(a->recent, s->who);
	failures_add(a->failures,
	    &(struct failure){
		s->suspect, s->peer, claimed(s), s->target, why },
	    now);
	if (a->conf.penalties)
		ms = penalty_raise(
		    a->penalty, &s->suspect, signin_tried(s), now);
	turn_failed(s);
	return signin_waits(s, ms, now);
}

void
signin_deny(struct signin *s, const char *why)
{
	answer_after(s, count_failure(s, why));
}

void
signin_deny_by(
    struct signin *s, const char *why, void (*then)(struct signin *s))
{
	uint32_t ms = count_failure(s, why);

	s->tried = (struct slice){ NULL, 0 };
	hold(s, ms, s->worker != NULL ? then : answer);
}

void
signin_denied(struct signin *s)
{
	answer(s);
}

/* Returns for how many milliseconds that is held. */
static uint32_t
charge_load(struct signin *s, const char *why)
{
	struct auth *a = s->auth;
	struct penalty_ms ms = { .address = 0 };

	s->code = SIGN_IN_TEMPORARY;
	s->why = why;
	if (burst_is_first(&a->crowd, a->loop))
		log_refused(s);
	if (a->conf.penalties)
		ms = penalty_load(a->penalty, &s->suspect, clock_ms());
	return ms.address;
}

void
signin_refuse_crowded(struct signin *s, const char *why)
{
	answer_after(s, charge_load(s, why));
}

void
signin_refuse_late(struct signin *s, const char *why)
{
	uint32_t ms = charge_load(s, why);

	turn_failed(s);
	answer_after(s, ms);
}
