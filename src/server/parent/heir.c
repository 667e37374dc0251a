#include "server/parent/heir.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/parent/child_tell.h"
#include "server/parent/control_socket.h"
#include "server/parent/phase.h"
#include "server/parent/traces.h"

enum { FORGOTTEN_MS = 10 * 1000 }; /* one that is not heard of so long */

/* ---- what is said of those that drain ---- */

static void
forget_old(struct succession *s)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->n_drains; i++)
		if (clock_ms() - s->drain[i].heard < FORGOTTEN_MS)
			s->drain[kept++] = s->drain[i];
	s->n_drains = kept;
}

static void
note_drain(struct succession *s, const struct handover_message *m)
{
	unsigned i = 0;

	forget_old(s);
	while (i < s->n_drains && s->drain[i].is.pid != m->pid)
		i++;
	if (i == DRAINS_MAX)
		return;
	if (i == s->n_drains)
		s->n_drains++;
	s->drain[i].is = *m;
	s->drain[i].heard = clock_ms();
}

/* ---- our turn ---- */

/* Clients may resume what they have begun there. */
static void
take_tickets(struct parent *p, const struct handover_message *m)
{
	if (m->size == 0 || m->size > sizeof(p->tickets) ||
	    m->size % TICKET_KEY != 0)
		return;
	memcpy(p->tickets, m->octets, m->size);
	p->n_tickets = m->size / TICKET_KEY;
	child_tell_role(p, ROLE_WORKER, child_tell_tickets);
}

static void
go(struct parent *p, struct handover_message *m)
{
	p->succession.held = false;
	p->succession.elder_form = m->more;
	p->succession.shared = (m->number & HANDOVER_ACTIVATED) != 0;
	if (!p->succession.shared)
		inherited_remove_rest(&p->inherited);
	take_tickets(p, m);
	explicit_bzero(m, sizeof(*m));
	child_tell_role(p, ROLE_WORKER, child_tell_accept);
	child_tell_role(p, ROLE_SASL, child_tell_accept);
	control_serve(p);
	phase_serve(p);
}

/* Takes fd. */
static void
take(struct parent *p, struct handover_message *m, int fd)
{
	if (m->kind == HANDOVER_TRACE) {
		traces_told(p, m, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (m->kind == HANDOVER_GO && p->succession.held)
		go(p, m);
	else if (m->kind == HANDOVER_DRAINS)
		note_drain(&p->succession, m);
}

static void
on_gone(struct parent *p)
{
	struct succession *s = &p->succession;

	ev_io_stop(p->loop, &s->from_elder);
	close(s->elder);
	s->elder = -1;
	if (s->held) {
		log_line(LOG_FAULT,
		    "ev=start error=\"the maloted whose place this one was to "
		    "take has given it up, or ended\"");
		phase_give_up(p, EX_UNAVAILABLE);
		return;
	}
	s->n_drains = 0;
	log_line(LOG_EVENT, "ev=drained");
	phase_child_gone(p);
}

static void
on_message(struct ev_loop *loop, ev_io *w, int revents)
{
	struct parent *p = w->data;
	struct handover_message m;
	enum err e;
	int fd;

	while ((e = handover_hear(w->fd, &m, &fd)) == E_OK)
		take(p, &m, fd);
	if (e != E_AGAIN)
		on_gone(p);
}

void
heir_open(struct parent *p)
{
	struct succession *s = &p->succession;

	if (s->elder < 0)
		return;
	ev_io_init(&s->from_elder, on_message, s->elder, EV_READ);
	s->from_elder.data = p;
	ev_io_start(p->loop, &s->from_elder);
}

void
heir_stop_elder(struct parent *p, unsigned seconds)
{
	struct handover_message m = { .kind = HANDOVER_STOP,
		.number = seconds };

	if (!p->succession.held)
		handover_say(p->succession.elder, &m);
}
