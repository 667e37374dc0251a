#include "client/session/kerberos.h"

#include <stdlib.h>

#include "base/i18n.h"
#include "client/secret/ticket.h"
#include "pop3/kpop_client.h"

struct kerberos {
	struct ticket *ticket;
	struct slice first; /* message; the ticket has it until the next one */
	bool first_sent;
	struct kpop_client kpop;
};

static enum outcome
outcome_of(enum err e)
{
	switch (e) {
	case E_IO: return OUTCOME_CONNECT;
	case E_NOMEM: return OUTCOME_INTERNAL;
	case E_CONFIG: return OUTCOME_CONFIG;
	default: return OUTCOME_DENIED;
	}
}

static bool
is_kpop(const struct visit *v)
{
	return v->conf.account->security == SECURITY_KPOP;
}

static void
first_made(void *arg, const struct ticket_result *r)
{
	struct visit *v = arg;

	v->kerberos->first = r->message;
	if (r->e != E_OK)
		visit_end(v, outcome_of(r->e), "%s", r->words);
	else
		visit_enter(v, STEP_DIAL);
}

/* ---- life ---- */

void
kerberos_begin(struct visit *v)
{
	const struct account *a = v->conf.account;
	struct ticket_question question = {
		.loop = v->conf.loop,
		.use = is_kpop(v) ? TICKET_KPOP : TICKET_GSSAPI,
		.server = a->server,
		.user = a->user,
		.timeout = a->timeout,
		.done = first_made,
		.arg = v,
	};
	struct kerberos *k = calloc(1, sizeof(*k));
	struct errbuf eb;

	if ((v->kerberos = k) == NULL) {
		visit_memory(v);
		return;
	}
	if (ticket_new(&k->ticket, &question, &eb) != E_OK)
		visit_end(v, OUTCOME_INTERNAL, "%s", eb.text);
}

void
kerberos_free(struct visit *v)
{
	struct kerberos *k = v->kerberos;

	v->kerberos = NULL;
	if (k == NULL)
		return;
	ticket_free(k->ticket);
	free(k);
}

bool
kerberos_is_proven(const struct visit *v)
{
	return v->kerberos == NULL || ticket_is_proven(v->kerberos->ticket);
}

/* ---- GSSAPI ---- */

/* The first token is longer than a command may be: the server has to ask. */
void
kerberos_auth(struct visit *v)
{
	const struct pop3_capa *capa = &v->pop3.capa;
	bool deferred;

	if (capa->known && !pop3_capa_has_sasl(capa, "GSSAPI"))
		visit_end(v, OUTCOME_DENIED, _("%s does not offer %s"),
		    v->conf.account->server, "GSSAPI");
	else
		visit_sent(v, pop3_client_auth(&v->pop3, &v->line.out, "GSSAPI",
				  NULL, &deferred));
}

/* The server answers with a refusal; it has failed by then. */
static void
cancel(struct visit *v)
{
	visit_sent(v, pop3_client_cancel(&v->pop3, &v->line.out));
}

static void
answer(struct visit *v, struct slice message)
{
	visit_sent(v, pop3_client_answer(&v->pop3, &v->line.out, message));
}

static void
go_on(struct visit *v, struct slice said)
{
	struct ticket_result r = ticket_next(v->kerberos->ticket, said);

	if (r.e == E_OK) {
		answer(v, r.message);
		return;
	}
	visit_fail(v, outcome_of(r.e), _("sign-in by %s failed: %s"), "GSSAPI",
	    r.words);
	cancel(v);
}

/* Any words ask for the first one. */
void
kerberos_challenged(struct visit *v, const struct pop3_event *ev)
{
	struct kerberos *k = v->kerberos;

	if (!k->first_sent) {
		k->first_sent = true;
		answer(v, k->first);
	} else if (ev->odd) {
		visit_fail(v, OUTCOME_PROTOCOL,
		    _("%s sent a challenge that is not base64"),
		    v->conf.account->server);
		cancel(v);
	} else {
		go_on(v, ev->data);
	}
}

/* ---- KPOP ---- */

void
kpop_enter(struct visit *v)
{
	visit_sent(v, kpop_client_begin(&v->kerberos->kpop, &v->line.out));
}

static void
kpop_broken(struct visit *v, const char *why)
{
	visit_end(v, OUTCOME_PROTOCOL,
	    _("%s does not speak KPOP as it should: %s"),
	    v->conf.account->server, why);
}

/* Anything in the place of an error is a refusal. */
static void
kpop_judge(struct visit *v, const struct kpop_event *ev)
{
	struct kerberos *k = v->kerberos;
	struct ticket_result r = ticket_next(k->ticket, ev->data);

	if (r.e != E_OK) {
		visit_end(v, outcome_of(r.e), "%s", r.words);
	} else if (ev->type == KPOP_EV_REFUSED) {
		kpop_broken(
		    v, _("it sent something else in the place of an error"));
	} else {
		kpop_client_end(&k->kpop, &v->line.in);
		visit_enter(v, STEP_GREETING);
	}
}

static void
kpop_take(struct visit *v, const struct kpop_event *ev)
{
	struct kerberos *k = v->kerberos;

	switch (ev->type) {
	case KPOP_EV_SUITS:
		visit_sent(
		    v, kpop_client_request(&k->kpop, &v->line.out, k->first));
		break;
	case KPOP_EV_REFUSED:
	case KPOP_EV_PROOF: kpop_judge(v, ev); break;
	case KPOP_EV_BROKEN: kpop_broken(v, _(ev->why)); break;
	case KPOP_EV_MORE: break;
	}
}

void
kpop_came(struct visit *v)
{
	struct kpop_event ev;

	do {
		kpop_client_run(&v->kerberos->kpop, &v->line.in, &ev);
		kpop_take(v, &ev);
	} while (v->step == STEP_KPOP && ev.type != KPOP_EV_MORE);
	if (v->step == STEP_GREETING)
		visit_look(v);
	else
		visit_flush(v);
}
