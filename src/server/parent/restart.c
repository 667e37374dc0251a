#include "server/parent/restart.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "server/parent/child_tell.h"
#include "server/parent/control_client.h"
#include "server/parent/metrics_socket.h"
#include "server/parent/notify.h"
#include "server/parent/phase.h"
#include "server/parent/ports.h"
#include "server/parent/service_sockets.h"
#include "server/parent/traces.h"

enum {
	READY_SECONDS = 45, /* who asks waits longer */
	REPORT_SECONDS = 2,
};

static const struct ports nothing;

/* ---- what has come of it ---- */

static struct control_client *
who_asked(struct parent *p)
{
	struct control_client *k = control_find(p, p->succession.asked);

	p->succession.asked = 0;
	return k;
}

/* Each line of what it has said. */
static void
tell_why(struct control_client *k, const char *why)
{
	struct control_note line;
	size_t n;

	for (; *why != '\0'; why += n + (why[n] == '\n')) {
		n = strcspn(why, "\n");
		line = (struct control_note){ "" };
		snprintf(line.words, sizeof(line.words), "%.*s", (int)n, why);
		control_tell(k, CONTROL_NOTE, &control_note_fields, &line);
	}
}

static void
fail(struct parent *p, const char *why)
{
	struct control_client *k = who_asked(p);
	char shown[CONTROL_WORDS];

	log_line(LOG_FAULT, "ev=restart kept=the-old-one error=\"%s\"",
	    str_quote(shown, sizeof(shown), why, strlen(why)));
	if (k == NULL)
		return;
	tell_why(k, why);
	control_done(k, CONTROL_CANNOT,
	    "the new maloted cannot serve: the old one goes on");
}

/* Adds a line to what it has said. */
static void
note_why(struct succession *s, const char *words)
{
	size_t n = strlen(s->why);

	snprintf(
	    s->why + n, sizeof(s->why) - n, "%s%s", n != 0 ? "\n" : "", words);
}

static void
forget_heir(struct parent *p)
{
	struct succession *s = &p->succession;

	ev_io_stop(p->loop, &s->from_heir);
	ev_timer_stop(p->loop, &s->late);
	ev_timer_stop(p->loop, &s->report);
	close(s->heir);
	s->heir = -1;
}

/* We serve on, as if nothing had been. */
static void
give_up(struct parent *p, bool has_ended, const char *why)
{
	if (!has_ended)
		kill(p->succession.heir_pid, SIGKILL);
	forget_heir(p);
	fail(p, why);
}

void
restart_give_up(struct parent *p)
{
	if (p->succession.heir >= 0 && p->phase == PARENT_SERVING)
		give_up(p, false, "maloted is to end");
}

static void
on_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;

	note_why(&p->succession, "the new maloted was not ready in 45 seconds");
	give_up(p, false, p->succession.why);
}

/* ---- it is in our place ---- */

/* For sessions() a moment later. */
static void
count_sessions(struct parent *p)
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->role == ROLE_WORKER && c->state == CHILD_SERVING &&
		    c->chan != NULL)
			child_tell_ping(c, 0);
}

static uint32_t
sessions(const struct parent *p)
{
	const struct child *c;
	uint32_t n = 0;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->role == ROLE_WORKER)
			n += c->sessions;
	return n;
}

/* Of ourselves, and of those before us. */
static void
on_report(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;
	struct succession *s = &p->succession;
	struct handover_message m = { .kind = HANDOVER_DRAINS,
		.pid = (uint32_t)getpid(),
		.since = (clock_unix_ms() - (clock_ms() - p->started)) / 1000,
		.number = sessions(p) };

	snprintf(m.version, sizeof(m.version), "%s", VERSION);
	if (p->phase != PARENT_ENDING)
		handover_say(s->heir, &m);
	for (unsigned i = 0; i < s->n_drains; i++)
		handover_say(s->heir, &s->drain[i].is);
	count_sessions(p);
}

static void
say_go(struct parent *p)
{
	struct handover_message m = { .kind = HANDOVER_GO,
		.number = p->succession.shared ? HANDOVER_ACTIVATED : 0,
		.more = CONTROL_FORM,
		.size = p->n_tickets * TICKET_KEY };

	memcpy(m.octets, p->tickets, m.size);
	handover_say(p->succession.heir, &m);
	explicit_bzero(&m, sizeof(m));
}

/* The sockets are the same ones: who waits there, or comes now, is accepted by one
 * of us in any case. */
static void
hand_over(struct parent *p, const struct handover_message *m)
{
	struct succession *s = &p->succession;
	struct control_client *k;
	char words[CONTROL_WORDS];

	ev_timer_stop(p->loop, &s->late);
	s->heir_pid = (pid_t)m->pid;
	notify_main(s->heir_pid);
	traces_hand_over(p, s->heir);
	say_go(p);
	s->shared = true;
	ports_close(&p->ports, &nothing, true);
	service_sockets_close(p->conf, NULL, true);
	p->conf->n_services = 0;
	metrics_socket_close(p);
	control_leave(p);
	log_line(LOG_EVENT, "ev=handed-over to=%ld version=%s seconds=%u",
	    (long)s->heir_pid, m->version, p->conf->drain_timeout);
	snprintf(words, sizeof(words),
	    "maloted %s, process %ld, serves from now on; process %ld ends "
	    "with its last session",
	    m->version, (long)s->heir_pid, (long)getpid());
	if ((k = who_asked(p)) != NULL)
		control_done(k, CONTROL_GOOD, words);
	ev_timer_init(&s->report, on_report, 0., REPORT_SECONDS);
	s->report.data = p;
	ev_timer_start(p->loop, &s->report);
	phase_drain(p, p->conf->drain_timeout);
}

static void
on_gone(struct parent *p, bool has_ended)
{
	struct succession *s = &p->succession;

	if (p->phase != PARENT_SERVING) {
		forget_heir(p);
		return;
	}
	give_up(p, has_ended,
	    s->why[0] != '\0' ? s->why
			      : "the new maloted has ended before it was "
				"ready; the log may say why");
}

/* All of us, the oldest, too. */
static void
stop(struct parent *p, const struct handover_message *m)
{
	handover_say(p->succession.elder, m);
	if (p->phase == PARENT_DRAINING)
		phase_stop(p, m->number);
}

/* Takes fd. */
static void
take(struct parent *p, const struct handover_message *m, int fd)
{
	if (m->kind == HANDOVER_ASK && fd >= 0) {
		control_client_new(p, fd, p->commands, m->pid, m->number);
		return;
	}
	if (m->kind == HANDOVER_TRACE) {
		traces_told(p, m, fd);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (m->kind == HANDOVER_FAILED)
		note_why(&p->succession, m->words);
	else if (m->kind == HANDOVER_READY && p->phase == PARENT_SERVING)
		hand_over(p, m);
	else if (m->kind == HANDOVER_STOP)
		stop(p, m);
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
	if (e == E_FORMAT)
		note_why(&p->succession,
		    "the new maloted is of a version that cannot take this "
		    "one's place; stop maloted and start it");
	if (e != E_AGAIN)
		on_gone(p, e == E_CLOSED);
}

/* ---- the start ---- */

static const char *
why_not(const struct parent *p)
{
	if (p->phase != PARENT_SERVING)
		return "maloted does not serve yet, or any more";
	if (p->succession.heir >= 0)
		return "a restart is under way";
	if (p->reload.under_way || p->reload.again)
		return "the settings are being read again";
	if (p->succession.n_drains == DRAINS_MAX)
		return "too many of the maloteds before this one have sessions "
		       "yet; malotectl status shows them";
	return NULL;
}

/* What it gets: sockets, and its end of the channel. */
static size_t
collect(const struct parent *p, int fd[INHERITED_MAX + 1], int channel)
{
	size_t n = 0;

	for (unsigned i = 0; i < p->conf->worker.role.n; i++)
		for (unsigned k = 0; k < p->ports.n; k++)
			fd[n++] = p->ports.socket[i][k];
	for (unsigned i = 0; i < p->conf->n_services; i++)
		fd[n++] = p->conf->sasl.service[i].fd;
	if (p->has_metrics)
		fd[n++] = p->conf->metrics.fd;
	if (p->control.fd >= 0)
		fd[n++] = p->control.fd;
	fd[n++] = channel;
	return n;
}

static enum err
start(struct parent *p, struct errbuf *eb)
{
	static int fd[INHERITED_MAX + 1];
	struct succession *s = &p->succession;
	int channel[2];
	enum err e;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, channel) < 0)
		return err_sys(eb, E_IO, "socketpair");
	log_flush();
	e = handover_start(fd, collect(p, fd, channel[1]), &s->heir_pid, eb);
	close(channel[1]);
	if (e != E_OK) {
		close(channel[0]);
		return e;
	}
	s->heir = channel[0];
	s->why[0] = '\0';
	return E_OK;
}

static void
await(struct parent *p)
{
	struct succession *s = &p->succession;

	ev_io_init(&s->from_heir, on_message, s->heir, EV_READ);
	ev_timer_init(&s->late, on_late, READY_SECONDS, 0.);
	s->from_heir.data = s->late.data = p;
	ev_io_start(p->loop, &s->from_heir);
	ev_timer_start(p->loop, &s->late);
	log_line(LOG_EVENT, "ev=restart pid=%ld", (long)s->heir_pid);
	count_sessions(p);
}

void
restart_begin(struct parent *p, struct control_client *k)
{
	const char *why = why_not(p);
	struct errbuf eb;

	if (why != NULL) {
		log_line(LOG_WARNING, "ev=restart refused=\"%s\"", why);
		if (k != NULL)
			control_done(k, CONTROL_LATER, why);
		return;
	}
	if (k != NULL &&
	    getrandom(&k->token, sizeof(k->token), 0) == sizeof(k->token))
		p->succession.asked = k->token;
	if (start(p, &eb) == E_OK)
		await(p);
	else
		fail(p, eb.text);
}
