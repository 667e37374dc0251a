#include "client/session/notes.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- where it is ---- */

/* POINTS: the step is a part of another one, or is none of a trial's. */
static enum point
point_of(enum step step)
{
	switch (step) {
	case STEP_SECRET: return POINT_SECRET;
	case STEP_DIAL: return POINT_CONNECT;
	case STEP_HANDSHAKE: return POINT_TLS;
	case STEP_GREETING: return POINT_GREETING;
	case STEP_CAPA: return POINT_CAPA;
	case STEP_SIGN_IN: return POINT_SIGN_IN;
	case STEP_LISTING: return POINT_STAT;
	case STEP_UIDL: return POINT_UIDL;
	case STEP_TOP: return POINT_TOP;
	default: return POINTS;
	}
}

static enum point
failing_point(const struct visit *v)
{
	switch (v->step) {
	case STEP_DIAL:
		return v->facts->n_addresses == 0 ? POINT_NAMES : POINT_CONNECT;
	case STEP_STLS: return POINT_TLS;
	case STEP_KPOP:
	case STEP_LANGUAGE:
	case STEP_RECAPA: return POINT_SIGN_IN;
	case STEP_QUIT: return POINT_TOP;
	default: return point_of(v->step);
	}
}

static void
tell(struct visit *v, enum point p)
{
	if (v->conf.hooks->passed != NULL)
		v->conf.hooks->passed(v->conf.arg, p);
}

enum step
notes_next(struct visit *v, enum step next)
{
	struct facts *f = v->facts;
	enum point p = point_of(v->step);

	/* CAPA before STLS is asked for again behind it. */
	if (next >= STEP_SAVE || next == v->step || next == STEP_STLS ||
	    p == POINTS)
		return next;
	f->capa = v->pop3.capa;
	snprintf(f->sign_in, sizeof(f->sign_in), "%s", v->result.sign_in);
	tell(v, p);
	return p >= POINT_CAPA && p >= v->conf.until ? STEP_QUIT : next;
}

void
notes_failed(struct visit *v)
{
	v->facts->capa = v->pop3.capa;
	v->facts->failed_at = failing_point(v);
}

/* ---- what was found ---- */

void
notes_found(void *arg, const struct sockaddr_storage *a, size_t n)
{
	struct visit *v = arg;
	struct facts *f = v->facts;

	for (f->n_addresses = 0; f->n_addresses < n; f->n_addresses++)
		addr_text(f->addresses[f->n_addresses], &a[f->n_addresses]);
	tell(v, POINT_NAMES);
}

void
notes_connected(struct visit *v, const char *peer)
{
	snprintf(v->facts->peer, sizeof(v->facts->peer), "%s", peer);
}

void
notes_shook_hands(struct visit *v)
{
	tls_client_found(&v->line.conn, &v->facts->tls);
}

const struct facts *
visit_facts(const struct visit *v)
{
	return v->facts;
}
