/* Capabilities, and TLS on a port that begins without. */
#include <string.h>
#include <time.h>

#include "base/i18n.h"
#include "client/session/session_impl.h"

static void
send_capa(struct session *s)
{
	if (s->record->account.no_capa_until > time(NULL) &&
	    s->step == &step_capa) {
		session_enter(s,
		    s->conf.account->security == SECURITY_STARTTLS && !s->tls_on
			? &step_stls
			: &step_sign_in);
		return;
	}
	session_sent(s, pop3_client_send(&s->pop3, &s->out, POP3_CMD_CAPA));
}

static void
take_capa(struct session *s, const struct pop3_event *ev)
{
	const struct pop3_capa *capa = &s->pop3.capa;

	if (ev->type != POP3_EV_END && ev->type != POP3_EV_ERR)
		return;
	s->record->account.no_capa_until = 0;
	if (s->conf.account->security != SECURITY_STARTTLS || s->tls_on) {
		session_enter(s, &step_sign_in);
	} else if (capa->known && !capa->stls) {
		session_end(s, OUTCOME_TLS,
		    _("%s offers no STLS, and nothing is sent without TLS"),
		    s->conf.account->server);
	} else {
		session_enter(s, &step_stls);
	}
}

static void
send_stls(struct session *s)
{
	session_sent(s, pop3_client_send(&s->pop3, &s->out, POP3_CMD_STLS));
}

static void
take_stls(struct session *s, const struct pop3_event *ev)
{
	if (ev->type != POP3_EV_OK) {
		session_end(s, OUTCOME_TLS,
		    _("%s refuses STLS: \"%s\"; nothing is sent without TLS"),
		    s->conf.account->server, session_quote(ev->text));
		return;
	}
	/* Whatever follows came from somebody who cannot do TLS. */
	if (s->in.len != 0) {
		session_end(s, OUTCOME_TLS,
		    _("%s sent something behind its answer to STLS: somebody "
		      "may be tampering with the connection"),
		    s->conf.account->server);
		return;
	}
	session_start_tls(s);
}

static void
take_recapa(struct session *s, const struct pop3_event *ev)
{
	if (ev->type == POP3_EV_END || ev->type == POP3_EV_ERR)
		session_enter(s, &step_listing);
}

const struct step step_capa = { "CAPA", 1, send_capa, take_capa, NULL },
		  step_stls = { "STLS", 1, send_stls, take_stls, NULL },
		  step_recapa = { "CAPA", 1, send_capa, take_recapa, NULL };
