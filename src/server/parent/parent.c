#include "server/parent/parent.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "server/conf/languages.h"
#include "server/conf/role_table.h"
#include "server/conf/state_folder.h"
#include "server/parent/certificates_watch.h"
#include "server/parent/child_start.h"
#include "server/parent/child_tell.h"
#include "server/parent/control_socket.h"
#include "server/parent/heir.h"
#include "server/parent/logrelay.h"
#include "server/parent/metrics_socket.h"
#include "server/parent/name_key.h"
#include "server/parent/notify.h"
#include "server/parent/parent_messages.h"
#include "server/parent/phase.h"
#include "server/parent/reload.h"
#include "server/parent/restart.h"
#include "server/parent/roots.h"
#include "server/parent/service_sockets.h"
#include "server/parent/tallies.h"
#include "server/parent/upgrades.h"
#include "server/parent/watchdog.h"

enum {
	TICKET_HOURS = 12,
	LOOK_SECONDS = 2,     /* between looks at the mail root */
	OTHER_ROOT_MS = 5000, /* for sessions in one that is there no more */
};

static const struct ports nothing;

/* ---- keys of TLS tickets ---- */

/* A new key in front; the oldest goes. */
static enum err
rotate_tickets(struct parent *p, struct errbuf *eb)
{
	uint8_t key[TICKET_KEY];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return err_sys(eb, E_IO, "getrandom");
	memmove(p->tickets[1], p->tickets[0], (TICKET_KEYS - 1) * TICKET_KEY);
	memcpy(p->tickets[0], key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	if (p->n_tickets < TICKET_KEYS)
		p->n_tickets++;
	return E_OK;
}

static void
on_rotate(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;
	struct errbuf eb;

	if (rotate_tickets(p, &eb) == E_OK)
		child_tell_role(p, ROLE_WORKER, child_tell_tickets);
	else
		log_line(LOG_FAULT, "ev=tickets error=\"%s\"", eb.text);
}

/* ---- mail that goes by itself ---- */

enum { ROUND_FIRST = 600 }; /* seconds after the start, when clocks are right */

static void
on_round(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;

	child_tell_role(p, ROLE_AUTH, child_tell_round);
}

static void
round_init(struct parent *p)
{
	double every = p->conf->expire_every;

	ev_timer_init(&p->round, on_round,
	    every < ROUND_FIRST ? every : ROUND_FIRST, every);
	p->round.data = p;
	ev_timer_start(p->loop, &p->round);
}

/* ---- the mail roots ---- */

/* Stores stay in the folder that they were started in, so for another one there
 * are others. */
static void
on_look(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;
	struct child *c;

	roots_look(p);
	TAILQ_FOREACH (c, &p->children, link)
		if (c->role == ROLE_STORE && roots_is_other(c) &&
		    c->state == CHILD_SERVING && !c->leaving &&
		    p->phase < PARENT_STOPPING)
			child_stop(c, OTHER_ROOT_MS);
}

/* ---- beginning and end ---- */

static enum err
start_children(struct parent *p, struct errbuf *eb)
{
	struct child *c;

	for (enum ipc_role r = ROLE_PARENT + 1; r < ROLE_END; r++)
		for (unsigned k = 0; k < role_conf(p->conf, r)->n; k++) {
			if ((c = child_new(p, r, (uint16_t)k)) == NULL)
				return err_set(eb, E_NOMEM, "out of memory");
			child_keep(c);
		}
	return E_OK;
}

static void
on_hangup(struct ev_loop *loop, ev_signal *w, int revents)
{
	reload_ask(w->data, NULL);
}

static void
on_stop(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct parent *p = w->data;

	if (p->phase >= PARENT_STOPPING)
		log_line(LOG_EVENT, "ev=stop signal=%d again=yes", w->signum);
	else
		log_line(LOG_EVENT, "ev=stop signal=%d grace=%u", w->signum,
		    p->conf->stop_grace);
	reload_end(p);
	ports_close(&p->ports, &nothing, p->succession.shared);
	restart_give_up(p);
	heir_stop_elder(p, p->conf->stop_grace);
	phase_stop(p, p->conf->stop_grace);
}

static void
on_restart(struct ev_loop *loop, ev_signal *w, int revents)
{
	restart_begin(w->data, NULL);
}

static void
on_turn_end(struct ev_loop *loop, ev_prepare *w, int revents)
{
	log_flush();
}

/* Our own lines go the way of all others. */
static enum err
open_log(struct parent *p, struct errbuf *eb)
{
	int fd[2];

	logrelay_open(p->conf->syslog);
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(eb, E_IO, "pipe");
	if (logrelay_add(p->loop, fd[0], "parent", LOGRELAY_PARENT) != E_OK)
		return err_set(eb, E_NOMEM, "out of memory");
	log_open(fd[1], "parent");
	return E_OK;
}

static void
watch(struct parent *p)
{
	signal(SIGPIPE, SIG_IGN); /* and so in all processes */
	ev_signal_init(&p->sigterm, on_stop, SIGTERM);
	ev_signal_init(&p->sigint, on_stop, SIGINT);
	ev_signal_init(&p->sighup, on_hangup, SIGHUP);
	ev_signal_init(&p->sigusr2, on_restart, SIGUSR2);
	ev_timer_init(
	    &p->rotate, on_rotate, TICKET_HOURS * 3600., TICKET_HOURS * 3600.);
	ev_timer_init(&p->look, on_look, LOOK_SECONDS, LOOK_SECONDS);
	ev_prepare_init(&p->flush, on_turn_end);
	p->sigterm.data = p->sigint.data = p->sighup.data = p;
	p->sigusr2.data = p;
	p->rotate.data = p->look.data = p;
	ev_signal_start(p->loop, &p->sigterm);
	ev_signal_start(p->loop, &p->sigint);
	ev_signal_start(p->loop, &p->sighup);
	ev_signal_start(p->loop, &p->sigusr2);
	ev_timer_start(p->loop, &p->rotate);
	ev_timer_start(p->loop, &p->look);
	ev_prepare_start(p->loop, &p->flush);
	round_init(p);
	certificates_watch_start(p);
	watchdog_start(p);
	upgrades_init(p);
}

/* Without a filter of system calls nothing is served. */
static enum err
see_what_is_lacking(const struct conf *c, struct errbuf *eb)
{
	const char *lacking = sandbox_lacking();

	if (!sandbox_can_filter())
		return err_set(eb, E_IO,
		    "this kernel cannot filter system calls (seccomp)");
	if (lacking != NULL && c->sandbox_required)
		return err_set(eb, E_IO,
		    "this kernel cannot confine %s, and sandbox = require",
		    lacking);
	if (lacking != NULL)
		log_line(LOG_WARNING, "ev=sandbox unconfined=\"%s\"", lacking);
	return E_OK;
}

static void
warn_of_language(void *arg, const char *text)
{
	log_line(LOG_WARNING, "ev=language warning=\"%s\"", text);
}

/* As it is called from the root directory. */
static enum err
find_file(struct parent *p, struct errbuf *eb)
{
	const char *file = p->conf->file;
	char here[PATH_MAX] = "";

	if (file[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return err_sys(eb, E_IO, "%s", file);
	if (snprintf(p->conf_file, sizeof(p->conf_file), "%s%s%s", here,
		file[0] != '/' ? "/" : "", file) >= (int)sizeof(p->conf_file))
		return err_set(eb, E_FULL, "%s: too long", file);
	return E_OK;
}

static enum err
prepare(struct parent *p, struct errbuf *eb)
{
	enum err e;

	if ((e = find_file(p, eb)) != E_OK ||
	    (e = inherited_find(&p->inherited, eb)) != E_OK)
		return e;
	p->succession.shared = p->inherited.n != 0;
	sandbox_no_core();
	umask(077);
	if (chdir("/") < 0)
		return err_sys(eb, E_IO, "chdir /");
	p->loop = ev_default_loop(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (p->loop == NULL)
		return err_set(eb, E_IO, "no event loop");
	if ((e = open_log(p, eb)) != E_OK ||
	    (e = see_what_is_lacking(p->conf, eb)) != E_OK ||
	    (e = state_folder_file(p->apps_path, STATE_APP_PASSWORDS, eb)) !=
		E_OK)
		return e;
	if (name_key_get(p->conf->auth.name_key, eb) != E_OK)
		log_line(
		    LOG_WARNING, "ev=name-key kept=no error=\"%s\"", eb->text);
	if ((e = tallies_open(p, eb)) != E_OK ||
	    (e = addrcount_create(p->conf->worker.role.n,
		 p->conf->worker.counts_fd, eb)) != E_OK ||
	    (e = addrcount_map(&p->counts, p->conf->worker.counts_fd[0],
		 p->conf->worker.role.n, eb)) != E_OK)
		return e;
	if ((e = languages_load(p->conf->languages, &p->conf->worker,
		 warn_of_language, NULL, eb)) != E_OK)
		return e;
	return rotate_tickets(p, eb);
}

static int
serve(struct parent *p)
{
	struct errbuf eb;
	enum err e = prepare(p, &eb);

	if (e != E_OK) {
		log_line(LOG_FAULT, "ev=start error=\"%s\"", eb.text);
		handover_fail(p->succession.elder, eb.text);
		return e == E_CONFIG ? EX_CONFIG : EX_OSERR;
	}
	control_make_folder(p);
	if (ports_open(&p->ports, &nothing, &p->inherited, p->conf, &eb) !=
		E_OK ||
	    service_sockets_open(p->conf, NULL, &p->inherited, &eb) != E_OK ||
	    metrics_socket_open(p, &eb) != E_OK) {
		log_line(LOG_FAULT, "ev=listen error=\"%s\"", eb.text);
		handover_fail(p->succession.elder, eb.text);
		service_sockets_close(p->conf, NULL, p->succession.shared);
		ports_close(&p->ports, &nothing, p->succession.shared);
		return EX_UNAVAILABLE;
	}
	ports_log(&p->ports, &nothing, p->conf);
	watch(p);
	control_open(p);
	inherited_close_rest(&p->inherited);
	heir_open(p);
	roots_follow(p);
	if (start_children(p, &eb) != E_OK) {
		log_line(LOG_FAULT, "ev=start error=\"%s\"", eb.text);
		phase_give_up(p, EX_OSERR);
	}
	ev_run(p->loop, 0);
	ports_close(&p->ports, &nothing, p->succession.shared);
	service_sockets_close(p->conf, NULL, p->succession.shared);
	metrics_socket_close(p);
	control_close(p);
	log_line(LOG_EVENT, "ev=stopped");
	return p->status;
}

int
parent_run(
    struct conf *conf, const struct conf_env *env, int elder, parent_try *try)
{
	static struct parent parent; /* its sockets are many */
	struct parent *p = &parent;
	int status;

	p->conf = p->first_conf = conf;
	p->env = *env;
	p->try = try;
	p->rules = parent_messages;
	p->started = clock_ms();
	p->succession.elder = elder;
	p->succession.heir = -1;
	p->succession.held = elder >= 0;
	phase_init(p);
	TAILQ_INIT(&p->children);
	LIST_INIT(&p->cuts);
	status = serve(p);
	explicit_bzero(p->tickets, sizeof(p->tickets));
	explicit_bzero(p->conf->auth.name_key, sizeof(p->conf->auth.name_key));
	if (p->conf != conf) {
		conf_free(p->conf);
		free(p->conf);
	}
	log_flush();
	logrelay_drain();
	return status;
}
