/* Capabilities, and TLS on a port that begins without it. */
#include "base/i18n.h"
#include "client/session/core.h"
#include "client/session/steps.h"

static void
send_capa(struct visit *v)
{
	visit_sent(v, pop3_client_send(&v->pop3, &v->line.out, POP3_CMD_CAPA));
}

static bool
wants_stls(const struct visit *v)
{
	return v->conf.account->security == SECURITY_STARTTLS &&
	       !v->line.secure;
}

void
capa_enter(struct visit *v)
{
	if (visit_does_without(v->record->account.no_capa_until))
		visit_enter(v, wants_stls(v) ? STEP_STLS : STEP_LANGUAGE);
	else
		send_capa(v);
}

void
capa_take(struct visit *v, const struct pop3_event *ev)
{
	const struct pop3_capa *capa = &v->pop3.capa;

	if (ev->type != POP3_EV_END && ev->type != POP3_EV_ERR)
		return;
	v->record->account.no_capa_until = 0;
	if (!wants_stls(v)) {
		visit_enter(v, STEP_LANGUAGE);
	} else if (capa->known && !capa->stls) {
		visit_blame(v, CAUSE_NO_STARTTLS);
		visit_end(v, OUTCOME_TLS,
		    _("%s offers no STLS, and nothing is sent without TLS"),
		    v->conf.account->server);
	} else {
		visit_enter(v, STEP_STLS);
	}
}

/* Another connection tries without CAPA, which some ancient servers cannot bear,
 * or refuse in words of their own.  Where one has served us before, once says
 * nothing. */
void
capa_leave(struct visit *v, enum step next)
{
	struct state_account *a = &v->record->account;

	if (v->broken[0] != '\0')
		visit_lost_at(v, &a->no_capa_until,
		    a->collected_at == 0 || a->no_capa_until != 0);
	sign_in_leave(v, next);
}

void
stls_enter(struct visit *v)
{
	if (v->pop3.has_strayed) {
		/* Nobody needs that; it may be an attempt to have it taken for
		 * what comes behind the handshake. */
		visit_end(v, OUTCOME_TLS,
		    _("%s sent something that nobody has asked for, before "
		      "TLS: somebody may be tampering with the connection"),
		    v->conf.account->server);
		return;
	}
	visit_sent(v, pop3_client_send(&v->pop3, &v->line.out, POP3_CMD_STLS));
}

void
stls_take(struct visit *v, const struct pop3_event *ev)
{
	if (ev->type != POP3_EV_OK) {
		visit_blame(v, CAUSE_NO_STARTTLS);
		visit_end(v, OUTCOME_TLS,
		    _("%s refuses STLS: \"%s\"; nothing is sent without TLS"),
		    v->conf.account->server, visit_quote(ev->text));
	} else if (v->line.in.len != 0) {
		/* Anybody on the way can have put it there. */
		visit_end(v, OUTCOME_TLS,
		    _("%s sent something behind its answer to STLS: somebody "
		      "may be tampering with the connection"),
		    v->conf.account->server);
	} else {
		visit_enter(v, STEP_HANDSHAKE);
	}
}

void
recapa_enter(struct visit *v)
{
	if (visit_does_without(v->record->account.no_recapa_until))
		visit_enter(v, STEP_LISTING);
	else
		send_capa(v);
}

void
recapa_take(struct visit *v, const struct pop3_event *ev)
{
	if (ev->type != POP3_EV_END && ev->type != POP3_EV_ERR)
		return;
	v->record->account.no_recapa_until = 0;
	visit_enter(v, STEP_LISTING);
}

void
recapa_leave(struct visit *v, enum step next)
{
	if (v->broken[0] != '\0')
		visit_lost_at(v, &v->record->account.no_recapa_until, false);
}
