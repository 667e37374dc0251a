#include "server/worker/kerberized.h"

#include <stdlib.h>

#include "base/clock.h"
#include "server/worker/io.h"
#include "server/worker/worker_tell.h"

bool
kerberized_begin(struct session *s)
{
	if ((s->kpop = calloc(1, sizeof(*s->kpop))) == NULL)
		return false;
	s->kpop->ticket_max = TICKET_MAX;
	return true;
}

void
kerberized_free(struct session *s)
{
	free(s->kpop);
	s->kpop = NULL;
}

static enum go
show_ticket(struct session *s)
{
	struct ipc_chan *auth = s->worker->auth;

	if (auth == NULL)
		return session_over(s, "auth-died");
	if (ipc_is_full(auth)) {
		s->progress = clock_ms();
		s->wait = WAIT_QUEUE;
		return GO_WAIT;
	}
	s->sign_in.method = "KPOP";
	s->sign_in.auth = s->worker->auths;
	if (session_tell_ticket(s, auth, kpop_server_ticket(s->kpop, &s->in)) !=
	    E_OK)
		return session_over(s, "auth-full");
	s->wait = WAIT_SIGN_IN;
	return GO_WAIT;
}

static enum go
read_more(struct session *s)
{
	size_t before = s->in.len;

	/* What OpenSSL has read already shows in no event. */
	if (conn_is_buffered(&s->conn) && session_fill(s) == E_OK &&
	    s->in.len > before)
		return GO_ON;
	s->wait = WAIT_CLIENT;
	return GO_WAIT;
}

enum go
kerberized_step(struct session *s)
{
	switch (kpop_server_run(s->kpop, &s->in, &s->out)) {
	case KPOP_WANT_INPUT: return read_more(s);
	case KPOP_WANT_TICKET: return show_ticket(s);
	case KPOP_WANT_POP3: return GO_ON;
	default:
		s->why = s->kpop->why;
		s->doing = POP3_WANT_CLOSE;
		return GO_ON;
	}
}

void
kerberized_accept(struct session *s, struct slice ap_rep)
{
	kpop_server_accept(s->kpop, &s->out, ap_rep);
	(void)kpop_server_run(
	    s->kpop, &s->in, &s->out); /* the ticket is used */
	if (s->kpop->wanted == KPOP_WANT_POP3)
		pop3_server_greet(&s->pop3, &s->out);
}

void
kerberized_refuse(struct session *s, struct slice krb_error)
{
	kpop_server_refuse(s->kpop, &s->out, krb_error);
}
