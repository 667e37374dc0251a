#include "server/worker/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/ipc/tally.h"
#include "server/worker/kerberized.h"
#include "server/worker/proxied.h"
#include "server/worker/session.h"
#include "server/worker/session_state.h"
#include "server/worker/traced.h"

/* A reply is in the output: takes the next command. */
static void
answer_ready(struct session *s)
{
	s->doing = POP3_WANT_INPUT;
	s->wait = WAIT_NOTHING;
	session_go(s);
}

void
session_challenged(struct session *s, struct slice data)
{
	if (s->wait != WAIT_SIGN_IN)
		return;
	if (kerberized_is_due(s))
		kerberized_accept(s, data);
	else
		pop3_server_challenge(&s->pop3, &s->out, data.p, data.n);
	answer_ready(s);
}

void
session_refused(struct session *s, const char *user, enum sign_in_code code,
    const struct pop3_arg *arg, struct slice krb_error)
{
	static const enum pop3_text says[SIGN_IN_CODES] = {
		[SIGN_IN_CREDENTIALS] = POP3_TEXT_SIGN_IN_WRONG,
		[SIGN_IN_TEMPORARY] = POP3_TEXT_SIGN_IN_LATER,
		[SIGN_IN_PERMANENT] = POP3_TEXT_POSTMASTER,
		[SIGN_IN_IN_USE] = POP3_TEXT_IN_USE,
		[SIGN_IN_MALFORMED] = POP3_TEXT_MALFORMED,
		[SIGN_IN_SWITCHED_OFF] = POP3_TEXT_SIGN_IN_OFF,
		[SIGN_IN_TLS_ONLY] = POP3_TEXT_SIGN_IN_TLS,
		[SIGN_IN_SOON] = POP3_TEXT_SIGN_IN_SOON,
	};

	if (s->wait != WAIT_SIGN_IN)
		return;
	s->sign_in.is_open = false;
	tally_sign_in(s->sign_in.method, TALLY_BAD + code);
	session_claimed(s, (struct slice){ user, strlen(user) });
	if (kerberized_is_due(s))
		kerberized_refuse(s, krb_error);
	else
		pop3_server_refused(&s->pop3, &s->out, says[code], arg);
	answer_ready(s);
}

void
session_opened(struct session *s, struct store_link *store, const char *user,
    uint32_t count, uint64_t octets, uint32_t left_out)
{
	bool marks_seen =
	    s->listener->serving->conf.mark_seen && !s->pop3.read_only;
	char shown[NAME_MAX_OCTETS + 1];

	s->store = store;
	s->count = count;
	s->left_out = left_out;
	free(s->user);
	s->user = strdup(user);
	s->signed_in = true;
	tally_add(TALLY_SIGNED_IN, 1);
	tally_sign_in(s->sign_in.method, TALLY_GOOD);
	tally_took(TALLY_SIGN_IN, clock_ms() - s->active);
	s->sign_in.is_open = false;
	if (marks_seen)
		s->seen = calloc(((size_t)count + 7) / 8 + 1, 1);
	if (s->user == NULL || (marks_seen && s->seen == NULL)) {
		session_end(s, "out-of-memory");
		return;
	}
	log_line(LOG_EVENT,
	    "ev=login sid=%u.%llx user=%s ip=%s%s method=%s tls=%s cipher=%s "
	    "messages=%u left_out=%u octets=%llu",
	    s->worker->conf.role.index, (unsigned long long)s->sid,
	    str_escape(shown, sizeof(shown), user, strlen(user)), s->peer,
	    proxied_by(s), s->sign_in.method, proxied_tls(s),
	    conn_tls_cipher(&s->conn), count, left_out,
	    (unsigned long long)octets);
	if (s->dialogue != NULL)
		traced_named(s, (struct slice){ user, strlen(user) });
	pop3_server_opened(&s->pop3, &s->out, count, octets);
	answer_ready(s);
}

void
session_committed(struct session *s, uint32_t removed, uint32_t failed)
{
	s->removed = removed;
	s->store = NULL; /* it has released the maildrop */
	pop3_server_updated(&s->pop3, &s->out, removed, failed);
	answer_ready(s);
}

void
session_lost_auth(struct session *s)
{
	if (s->wait != WAIT_SIGN_IN)
		return;
	/* A store may have the sign-in already, and speak of it later: not to
	 * this session any more. */
	s->wait = WAIT_NOTHING;
	if (!kerberized_is_due(s))
		pop3_server_refused(
		    &s->pop3, &s->out, POP3_TEXT_SIGN_IN_CUT, NULL);
	s->why = "auth-died";
	s->doing = POP3_WANT_CLOSE;
	session_go(s);
}

void
session_lost_store(struct session *s, const struct store_link *store)
{
	if (s->store != store)
		return;
	s->store = NULL;
	s->why = "store-died";
	if (s->doing == POP3_WANT_UPDATE) {
		pop3_server_updated(
		    &s->pop3, &s->out, 0, s->pop3.marked + s->pop3.taken);
	} else if (s->wait == WAIT_INDEX || s->wait == WAIT_MESSAGE) {
		/* Nothing of the reply has been said yet. */
		pop3_server_failed(&s->pop3, &s->out, POP3_TEXT_DROP_GONE);
	} else {
		/* Unasked words would be taken for the next reply, and half a
		 * message must not look whole. */
		session_end(s, "store-died");
		return;
	}
	s->doing = POP3_WANT_CLOSE;
	s->wait = WAIT_NOTHING;
	session_go(s);
}

/* When the client last did something: said octets, or took some. */
static uint64_t
last_moved(const struct session *s)
{
	uint64_t at = s->active > s->progress ? s->active : s->progress;

	return at > s->heard ? at : s->heard;
}

/* It may be in the middle of a reply: what is not sent yet is dropped, so that
 * the client gets no end of it and does not take it for whole. */
bool
session_yield(struct session *s, uint32_t seconds)
{
	if ((s->wait != WAIT_CLIENT && s->wait != WAIT_ROOM) ||
	    clock_ms() - last_moved(s) < seconds * 1000ull)
		return false;
	session_end(s, "takeover");
	return true;
}
