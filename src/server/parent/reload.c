#include "server/parent/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/conf/languages.h"
#include "server/conf/role_table.h"
#include "server/parent/answers.h"
#include "server/parent/certificates_watch.h"
#include "server/parent/child_tell.h"
#include "server/parent/notify.h"
#include "server/parent/replace.h"
#include "server/parent/roots.h"
#include "server/parent/service_sockets.h"

/* Who has not answered by then goes on by itself: it takes the settings as soon as
 * it can, or is ended by the watchdog and started with them. */
static const double PATIENCE = 5; /* seconds */

static void begin_soon(struct parent *p);

/* ---- what is said about it ---- */

static void
note(struct parent *p, bool is_error, const char *line)
{
	struct reload *r = &p->reload;
	char shown[1024];

	log_line(is_error ? LOG_FAULT : LOG_WARNING, "ev=reload %s=\"%s\"",
	    is_error ? "error" : "warning",
	    str_quote(shown, sizeof(shown), line, strlen(line)));
	if (r->n_lines < RELOAD_LINES &&
	    (r->line[r->n_lines] = strdup(line)) != NULL)
		r->n_lines++;
}

struct said {
	struct conf_report report; /* first */
	struct parent *parent;
	unsigned errors; /* that were said */
};

static void
say(void *arg, const char *line)
{
	struct said *s = arg;

	note(s->parent, s->report.errors != s->errors, line);
	s->errors = s->report.errors;
}

/* malotectl restart hands sockets on as they are. */
static bool
is_of_socket(const char *setting)
{
	return strcmp(setting, "control_group") == 0 ||
	       strncmp(setting, "mode and group", 14) == 0;
}

static void
keep(void *arg, const char *setting)
{
	char *kept = ((struct parent *)arg)->reload.kept;
	size_t n = strlen(kept);

	snprintf(kept + n, sizeof(((struct reload *)NULL)->kept) - n, "%s%s%s",
	    n != 0 ? ", " : "", setting,
	    is_of_socket(setting) ? " (stop maloted and start it)" : "");
}

static void
warn_of_language(void *arg, const char *text)
{
	note(arg, false, text);
}

/* ---- its end ---- */

static void
tell(struct control_client *k, bool good)
{
	const struct reload *r = &k->parent->reload;
	struct control_note n;

	k->reload = 0;
	for (unsigned i = 0; i < r->n_lines; i++) {
		snprintf(n.words, sizeof(n.words), "%s", r->line[i]);
		control_tell(k, CONTROL_NOTE, &control_note_fields, &n);
	}
	control_done(k, good ? CONTROL_GOOD : CONTROL_CANNOT,
	    good ? r->kept
		 : "nothing has changed: the settings cannot be used");
}

static void
end(struct parent *p, bool good)
{
	struct reload *r = &p->reload;
	struct control_client *k, *next;

	r->under_way = false;
	for (k = TAILQ_FIRST(&p->clients); k != NULL; k = next) {
		next = TAILQ_NEXT(k, link);
		if (k->reload == r->number)
			tell(k, good);
	}
	while (r->n_lines != 0)
		free(r->line[--r->n_lines]);
	notify_ready();
	if (r->again)
		begin_soon(p);
}

/* Before the settings hold: all is as it was. */
static void
give_up(struct parent *p)
{
	struct reload *r = &p->reload;
	struct child *c;

	answers_forget(p);
	TAILQ_FOREACH (c, &p->children, link)
		if (c->prepared == r->number && c->chan != NULL)
			child_tell_decision(c, false);
	ports_close(&r->ports, &p->ports, false);
	if (r->next->worker.languages_fd >= 0)
		close(r->next->worker.languages_fd);
	service_sockets_close(r->next, p->conf, false);
	conf_free(r->next);
	free(r->next);
	r->next = NULL;
	log_line(LOG_FAULT, "ev=reloaded done=no");
	end(p, false);
}

/* ---- the settings hold ---- */

static bool
takes_settings(const struct child *c)
{
	return (c->role == ROLE_WORKER || c->role == ROLE_AUTH ||
		   c->role == ROLE_STORE) &&
	       c->chan != NULL && !c->leaving;
}

/* It may have been started since the others were prepared. */
static void
use(struct child *c)
{
	struct parent *p = c->parent;
	enum err e = E_OK;

	if (c->prepared != p->reload.number)
		e = child_tell_settings_anew(c, 0, p->conf, &p->ports);
	if (e != E_OK)
		child_kill(c); /* and it is started with them */
	else
		child_tell_decision(c, true);
}

static void
ask(struct child *c)
{
	answers_expect(c);
	child_tell_ping(c, c->parent->answers.number);
}

static void
tell_auth(struct child *c)
{
	child_tell_client_ca(c);
	use(c);
	child_tell_users_anew(c);
	child_tell_forget(c);
	ask(c);
}

static void
tell_store(struct child *c)
{
	use(c);
	ask(c);
}

static void
tell_worker(struct child *c)
{
	child_tell_client_ca(c);
	use(c);
	ask(c);
}

static void
tell_all(struct parent *p, enum ipc_role role, void (*to)(struct child *c))
{
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link)
		if (c->role == role && takes_settings(c))
			to(c);
}

static void
warn_of_silence(struct parent *p)
{
	const struct child *c = answers_missing(p);
	char words[128];

	if (c == NULL)
		return;
	snprintf(words, sizeof(words),
	    "%s.%u does not answer yet: it takes them as soon as it can",
	    child_name(c), c->index);
	note(p, false, words);
}

static void
on_all_use_them(struct parent *p)
{
	struct reload *r = &p->reload;

	warn_of_silence(p);
	ports_close(&r->ports, &p->ports, p->succession.shared);
	if (r->kept[0] != '\0')
		log_line(LOG_WARNING, "ev=reloaded done=yes restart-for=\"%s\"",
		    r->kept);
	else
		log_line(LOG_EVENT, "ev=reloaded done=yes");
	end(p, true);
}

/* Those who ask them come after them. */
static void
on_others_use_them(struct parent *p)
{
	warn_of_silence(p);
	answers_begin(p, PATIENCE, on_all_use_them);
	tell_all(p, ROLE_WORKER, tell_worker);
	answers_look(p);
}

/* What was made at the start goes on. */
static void
inherit(struct conf *c, const struct conf *from)
{
	memcpy(c->worker.counts_fd, from->worker.counts_fd,
	    sizeof(c->worker.counts_fd));
	memcpy(c->auth.name_key, from->auth.name_key, sizeof(c->auth.name_key));
	c->metrics = from->metrics;
	/* Who came by a Unix socket that goes now may sign in yet. */
	c->auth.local_clients |= from->auth.local_clients;
}

/* A user may have another number since. */
static void
inherit_ids(struct conf *c, struct conf *from)
{
	for (enum ipc_role r = ROLE_PARENT + 1; r < ROLE_END; r++) {
		if (role_conf(from, r)->n == 0)
			continue;
		role_conf(c, r)->uid = role_conf(from, r)->uid;
		role_conf(c, r)->gid = role_conf(from, r)->gid;
	}
	c->auth.mail_uid = from->auth.mail_uid;
	c->auth.mail_gid = from->auth.mail_gid;
	c->control_gid = from->control_gid;
}

static void
plan_rounds(struct parent *p)
{
	double every = p->conf->expire_every;

	ev_timer_stop(p->loop, &p->round);
	ev_timer_set(&p->round, every, every);
	ev_timer_start(p->loop, &p->round);
}

static void
switch_over(struct parent *p)
{
	struct reload *r = &p->reload;
	struct conf *was = p->conf;
	struct ports ports = p->ports;

	replace_note(p, r->next);
	ports_log(&r->ports, &p->ports, r->next);
	p->ports = r->ports;
	r->ports = ports;
	p->conf = r->next;
	r->next = NULL;
	service_sockets_close(was, p->conf, p->succession.shared);
	close(was->worker.languages_fd);
	explicit_bzero(was->auth.name_key, sizeof(was->auth.name_key));
	p->upgrades.were_wanted |= strcmp(was->auth.upgrade_scheme, "no") != 0;
	if (was->expire_every != p->conf->expire_every)
		plan_rounds(p);
	certificates_watch_start(p);
	roots_follow(p);
	conf_free(was);
	if (was != p->first_conf)
		free(was);
}

static void
on_all_prepared(struct parent *p)
{
	if (p->answers.refusal[0] != '\0') {
		note(p, true, p->answers.refusal);
		give_up(p);
		return;
	}
	switch_over(p);
	answers_begin(p, PATIENCE, on_others_use_them);
	tell_all(p, ROLE_AUTH, tell_auth);
	tell_all(p, ROLE_STORE, tell_store);
	replace_all(p);
	answers_look(p);
}

/* ---- reading and preparing ---- */

static void
keep_mode(struct parent *p, const char *block, const char *name)
{
	char words[128];

	snprintf(
	    words, sizeof(words), "mode and group of %s \"%s\"", block, name);
	keep(p, words);
}

/* Where a socket stays, so do its mode and its group. */
static void
keep_modes(struct parent *p, struct conf *c)
{
	for (unsigned i = 0; i < c->n_services; i++) {
		struct conf_service *s = &c->service[i];
		const struct conf_service *was =
		    service_sockets_kept(c, i, p->conf);

		if (was == NULL ||
		    (was->mode_bits == s->mode_bits && was->gid == s->gid))
			continue;
		keep_mode(p, "sasl", s->name);
		s->mode_bits = was->mode_bits;
		s->gid = was->gid;
	}
}

/* The listener at a Unix socket; NULL: there is none. */
static const struct conf_listener *
of_socket(const struct conf *c, const char *path)
{
	for (unsigned i = 0; path[0] != '\0' && i < c->n_listeners; i++)
		if (strcmp(c->listener[i].socket, path) == 0)
			return &c->listener[i];
	return NULL;
}

static void
keep_listener_modes(struct parent *p, struct conf *c)
{
	for (unsigned i = 0; i < c->n_listeners; i++) {
		struct conf_listener *l = &c->listener[i];
		const struct conf_listener *was = of_socket(p->conf, l->socket);

		if (was == NULL ||
		    (was->mode_bits == l->mode_bits && was->gid == l->gid))
			continue;
		keep_mode(p, "listener", l->name);
		l->mode_bits = was->mode_bits;
		l->gid = was->gid;
	}
}

static enum err
make(struct parent *p, struct conf *c, struct errbuf *eb)
{
	struct reload *r = &p->reload;
	enum err e;

	c->worker.languages_fd = -1;
	r->ports.n = 0;
	inherit(c, p->conf);
	inherit_ids(c, p->conf);
	keep_modes(p, c);
	keep_listener_modes(p, c);
	if ((e = ports_open(&r->ports, &p->ports, NULL, c, eb)) != E_OK) {
		c->n_services = 0;
		return e;
	}
	if ((e = service_sockets_open(c, p->conf, NULL, eb)) != E_OK) {
		c->n_services = 0;
		return e;
	}
	return languages_load(
	    c->languages, &c->worker, warn_of_language, p, eb);
}

static enum err
prepare_all(struct parent *p, struct errbuf *eb)
{
	struct reload *r = &p->reload;
	uint32_t number = answers_begin(p, PATIENCE, on_all_prepared);
	struct child *c;

	TAILQ_FOREACH (c, &p->children, link) {
		if (!takes_settings(c))
			continue;
		if (child_tell_settings_anew(c, number, r->next, &r->ports) !=
		    E_OK)
			return err_set(eb, E_NOMEM,
			    "out of memory, or too many files are open");
		c->prepared = r->number;
		answers_expect(c);
	}
	answers_look(p);
	return E_OK;
}

static enum err
read_next(struct parent *p)
{
	struct said said = { .report = { .say = say, .arg = &said },
		.parent = p };
	struct conf *c = calloc(1, sizeof(*c));
	enum err e;

	if (c == NULL) {
		note(p, true, "out of memory");
		return E_NOMEM;
	}
	e = conf_read_again(
	    c, p->conf_file, &p->env, &said.report, p->conf, keep, p);
	if (e == E_OK)
		p->try(c, &said.report);
	if (e != E_OK || said.report.errors != 0) {
		conf_free(c);
		free(c);
		return E_CONFIG;
	}
	p->reload.next = c;
	return E_OK;
}

static void
begin(struct parent *p)
{
	struct reload *r = &p->reload;
	struct errbuf eb;

	r->under_way = true;
	r->again = false;
	r->number++;
	r->kept[0] = '\0';
	notify_reloading();
	log_line(LOG_EVENT, "ev=reload");
	if (read_next(p) != E_OK) {
		log_line(LOG_FAULT, "ev=reloaded done=no");
		end(p, false);
	} else if (make(p, r->next, &eb) != E_OK ||
		   prepare_all(p, &eb) != E_OK) {
		note(p, true, eb.text);
		give_up(p);
	}
}

/* ---- when ---- */

static void
on_soon(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct parent *p = w->data;

	if (p->phase == PARENT_SERVING && !p->reload.under_way)
		begin(p);
}

static void
begin_soon(struct parent *p)
{
	struct reload *r = &p->reload;

	ev_timer_stop(p->loop, &r->soon);
	ev_timer_init(&r->soon, on_soon, 0., 0.);
	r->soon.data = p;
	ev_timer_start(p->loop, &r->soon);
}

void
reload_ask(struct parent *p, struct control_client *k)
{
	const char *why = p->phase > PARENT_SERVING ? "maloted is ending"
			  : p->succession.heir >= 0 ? "a restart is under way"
						    : NULL;
	struct reload *r = &p->reload;

	if (why != NULL) {
		log_line(LOG_WARNING, "ev=reload refused=\"%s\"", why);
		if (k != NULL)
			control_done(k, CONTROL_LATER, why);
		return;
	}
	if (k != NULL)
		k->reload = r->number + 1;
	r->again = true;
	if (!r->under_way)
		begin_soon(p);
}

void
reload_end(struct parent *p)
{
	struct reload *r = &p->reload;

	ev_timer_stop(p->loop, &r->soon);
	r->again = false;
	if (!r->under_way)
		return;
	if (r->next != NULL) {
		give_up(p);
		return;
	}
	answers_forget(p);
	ports_close(&r->ports, &p->ports, p->succession.shared);
	end(p, true);
}
