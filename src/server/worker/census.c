#include "server/worker/census.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/ipc/control.h"
#include "server/worker/session.h"
#include "server/worker/session_state.h"

/* Of a worker's places in a turn: some hundred microseconds. */
enum { LOOKED_AT = 2048 };

static const char *
state_of(const struct session *s)
{
	switch (s->wait) {
	case WAIT_CLIENT: return "idle";
	case WAIT_ROOM:
	case WAIT_DRAIN: return "sending";
	case WAIT_COMMIT: return "removing";
	case WAIT_LINGER: return "ending";
	case WAIT_TLS:
	case WAIT_SIGN_IN: return "signing-in";
	default: return "reading";
	}
}

#define PUT(to, text) snprintf(to, sizeof(to), "%s", (text))

static void
describe(struct control_session *out, const struct session *s)
{
	*out = (struct control_session){
		.worker = s->worker->conf.role.index,
		.sid = s->sid,
		.since =
		    (uint32_t)((clock_unix_ms() - (clock_ms() - s->started)) /
			       1000),
		.commands = s->pop3.n_commands,
		.messages = s->count,
		.marked = s->pop3.marked,
		.retrieved = s->pop3.n_retr,
		.in = s->octets_in,
		.out = s->octets_out,
	};
	PUT(out->user, s->user != NULL ? s->user : "");
	PUT(out->peer, s->peer);
	PUT(out->tls, conn_tls_version(&s->conn));
	PUT(out->method, s->sign_in.method != NULL ? s->sign_in.method : "");
	PUT(out->state, state_of(s));
}

static bool
is_meant(const struct session *s, const struct control_which *w)
{
	if (w->sid != 0)
		return s->sid == w->sid;
	return s->signed_in && s->user != NULL &&
	       (w->user[0] == '\0' || strcmp(s->user, w->user) == 0);
}

/* Marked messages stay: QUIT has not been said (RFC 1939 s3). */
static void
add(struct control_sessions *out, struct session *s, bool end)
{
	describe(&out->session[out->n++], s);
	if (end)
		session_end(s, "kicked");
}

static void
look(struct worker *w, uint32_t from, const struct control_which *which,
    bool end, struct control_sessions *out)
{
	uint32_t i, n = 0;

	for (i = from; i < w->n_slots; i++) {
		struct session *s = w->slots[i];

		if (out->n == SESSIONS_PIECE || n++ == LOOKED_AT) {
			out->next = i;
			return;
		}
		if (s != NULL && is_meant(s, which))
			add(out, s, end);
	}
}

enum err
census_take(void *worker, struct ipc_in *in)
{
	static struct control_sessions out;
	struct control_which which = { .sid = 0 };
	struct worker *w = worker;
	uint64_t token = ipc_get_u64(in);
	bool end = ipc_get_u8(in) != 0;
	uint32_t from = ipc_get_u32(in);
	struct ipc_chan *parent = w->role.parent;

	ipc_get_fields(in, &control_which_fields, &which);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	out.next = out.n = 0;
	look(w, from, &which, end, &out);
	ipc_begin(parent, IPC_SESSIONS);
	ipc_put_u64(parent, token);
	ipc_put_fields(parent, &control_sessions_fields, &out);
	if (ipc_end(parent) != E_OK) /* malotectl's patience has an end */
		log_line(LOG_WARNING, "ev=sessions error=unanswered");
	return E_OK;
}
