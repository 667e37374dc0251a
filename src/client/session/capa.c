/* Capabilities, and TLS on a port that begins without it. */
#include <time.h>

#include "base/i18n.h"
#include "client/session/core.h"
#include "client/session/steps.h"

static void
send_capa(struct session *s)
{
	session_sent(
	    s, pop3_client_send(&s->pop3, &s->line.out, POP3_CMD_CAPA));
}

static bool
wants_stls(const struct session *s)
{
	return s->conf.account->security == SECURITY_STARTTLS &&
	       !s->line.secure;
}

void
capa_enter(struct session *s)
{
	if (s->record->account.no_capa_until <= time(NULL))
		send_capa(s);
	else
		session_enter(s, wants_stls(s) ? STEP_STLS : STEP_SIGN_IN);
}

void
capa_take(struct session *s, const struct pop3_event *ev)
{
	const struct pop3_capa *capa = &s->pop3.capa;

	if (ev->type != POP3_EV_END && ev->type != POP3_EV_ERR)
		return;
	s->record->account.no_capa_until = 0;
	if (!wants_stls(s))
		session_enter(s, STEP_SIGN_IN);
	else if (capa->known && !capa->stls)
		session_end(s, OUTCOME_TLS,
		    _("%s offers no STLS, and nothing is sent without TLS"),
		    s->conf.account->server);
	else
		session_enter(s, STEP_STLS);
}

void
stls_enter(struct session *s)
{
	session_sent(
	    s, pop3_client_send(&s->pop3, &s->line.out, POP3_CMD_STLS));
}

void
stls_take(struct session *s, const struct pop3_event *ev)
{
	if (ev->type != POP3_EV_OK)
		session_end(s, OUTCOME_TLS,
		    _("%s refuses STLS: \"%s\"; nothing is sent without TLS"),
		    s->conf.account->server, session_quote(ev->text));
	else if (s->line.in.len != 0)
		/* Anybody on the way can have put it there. */
		session_end(s, OUTCOME_TLS,
		    _("%s sent something behind its answer to STLS: somebody "
		      "may be tampering with the connection"),
		    s->conf.account->server);
	else
		session_enter(s, STEP_HANDSHAKE);
}

void
recapa_enter(struct session *s)
{
	send_capa(s);
}

void
recapa_take(struct session *s, const struct pop3_event *ev)
{
	if (ev->type == POP3_EV_END || ev->type == POP3_EV_ERR)
		session_enter(s, STEP_LISTING);
}
