#include "server/auth/ticket.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "server/auth/auth_worker.h"
#include "server/auth/look.h"
#include "server/auth/principal.h"
#include "server/auth/refuse.h"

/* ---- whose it is ---- */

/* As the users are now. */
static void
decide(struct signin *s)
{
	struct ticket *t = s->ticket;
	bool may =
	    signin_act_for(s, (struct slice){ t->authzid, strlen(t->authzid) });
	const struct user *u = signin_find(s);

	if (u != NULL && !may) {
		s->known = false;
		s->why = "authzid";
		u = NULL;
	}
	signin_judge(s, u != NULL ? E_OK : E_DENIED);
}

static void
log_ticket(const struct signin *s, const char *principal, const char *error)
{
	char shown[PRINCIPAL_MAX], words[512];

	str_escape(shown, sizeof(shown), principal, strlen(principal));
	str_quote(words, sizeof(words), error, strlen(error));
	log_line(LOG_EVENT, "ev=ticket sid=%u.%llx principal=%s%s%s%s",
	    s->worker_index, (unsigned long long)s->sid, shown,
	    error[0] != '\0' ? " error=\"" : "", words,
	    error[0] != '\0' ? "\"" : "");
}

static const char *
local_realms(const struct auth *a)
{
	return a->conf.realms[0] != '\0' ? a->conf.realms : a->realms;
}

/* The name that the client wants to be is kept in the ticket: what it was read
 * from goes. */
static void
identify(struct signin *s)
{
	const struct auth *a = s->auth;
	const char *principal = s->ticket->principal;
	char user[NAME_MAX_OCTETS + 1];

	if (!principal_user(
		user, principal, a->conf.principals, local_realms(a))) {
		log_ticket(s, principal, "no user is called so");
		signin_deny(s, "principal");
		return;
	}
	log_ticket(s, principal, "");
	if (signin_name(s, (struct slice){ user, strlen(user) })) {
		s->decide = decide;
		signin_look(s);
	}
}

static bool
keep_authzid(struct signin *s, struct slice name)
{
	struct ticket *t = s->ticket;

	if (name.n > NAME_MAX_OCTETS || memchr(name.p, '\0', name.n) != NULL)
		return false;
	memcpy(t->authzid, name.p, name.n);
	t->authzid[name.n] = '\0';
	return true;
}

/* ---- what the process of the keys says ---- */

static void
say(struct signin *s, struct slice reply)
{
	s->state = SASL;
	auth_worker_challenge(s->worker, s->sid, reply);
}

static void
good(struct signin *s, const struct ticket_answer *said)
{
	struct ticket *t = s->ticket;

	memcpy(t->principal, said->principal, sizeof(t->principal));
	if (t->is_kpop)
		say(s, said->reply);
	else if (keep_authzid(s, said->authzid))
		identify(s);
	else
		signin_refuse(s, SIGN_IN_MALFORMED, "malformed");
}

/* The client is told by Kerberos's own words. */
static void
bad(struct signin *s, const struct ticket_answer *said)
{
	log_ticket(s, said->principal, said->why);
	if (s->ticket->is_kpop && said->reply.n != 0 &&
	    (s->krb_error = malloc(said->reply.n)) != NULL) {
		memcpy(s->krb_error, said->reply.p, said->reply.n);
		s->krb_error_n = said->reply.n;
	}
	signin_deny(s, "ticket");
}

static void
on_answer(struct ticket_wait *w, const struct ticket_answer *said)
{
	struct signin *s =
	    ((struct ticket *)((char *)w - offsetof(struct ticket, wait)))
		->signin;

	switch (said->result) {
	case TICKET_MORE:
		if (!s->ticket->is_kpop) {
			say(s, said->reply);
			break;
		}
		/* fall through */
	case TICKET_MALFORMED:
		log_ticket(s, "", said->why);
		signin_refuse(s, SIGN_IN_MALFORMED, "malformed");
		break;
	case TICKET_GOOD: good(s, said); break;
	case TICKET_BAD: bad(s, said); break;
	default:
		log_ticket(s, "", said->why);
		signin_refuse(s, SIGN_IN_TEMPORARY, "kerberos");
		break;
	}
}

/* ---- what the client says ---- */

static void
ask(struct signin *s, enum ticket_kind kind, struct slice message)
{
	enum err e;

	s->state = ASKED;
	e = kerberos_ask(s->auth, &s->ticket->wait, kind, message);
	if (e != E_OK)
		signin_refuse(s, SIGN_IN_TEMPORARY,
		    e == E_FULL ? "too-many-tickets" : "kerberos-down");
}

static void
begin(struct signin *s, enum ticket_kind kind, struct slice message)
{
	if ((s->ticket = calloc(1, sizeof(*s->ticket))) == NULL) {
		signin_refuse(s, SIGN_IN_TEMPORARY, "memory");
		return;
	}
	s->ticket->signin = s;
	s->ticket->is_kpop = kind == TICKET_AP_REQ;
	s->ticket->wait.done = on_answer;
	ask(s, kind, message);
}

void
ticket_step(struct signin *s, struct slice message)
{
	if (s->ticket == NULL)
		begin(s, TICKET_GSSAPI, message);
	else
		ask(s, TICKET_STEP, message);
}

void
ticket_ap_req(struct signin *s, struct slice message)
{
	begin(s, TICKET_AP_REQ, message);
}

bool
ticket_awaits_name(const struct signin *s)
{
	return s->ticket != NULL && s->ticket->is_kpop;
}

void
ticket_name(struct signin *s, struct slice name)
{
	if (keep_authzid(s, name))
		identify(s);
	else
		signin_refuse(s, SIGN_IN_MALFORMED, "malformed");
}
