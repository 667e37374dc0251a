#include "server/ipc/role.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "server/ipc/tally.h"

enum {
	CONF_MS = 10 * 1000,
	LAST_WORDS_MS = 500, /* for messages to leave, at the end */
};

struct settings {
	const struct ipc_fields *fields;
	void *conf;
};

static enum err
take_settings(void *arg, struct ipc_in *in)
{
	const struct settings *s = arg;

	ipc_get_fields(in, s->fields, s->conf);
	return ipc_get_end(in);
}

void
role_begin(const char *name, int ctl, const struct ipc_fields *t, void *conf)
{
	struct settings s = { t, conf };
	enum err e;

	log_open(STDERR_FILENO, name);
	signal(SIGPIPE, SIG_IGN);
	e = ipc_wait_one(ctl, IPC_CONF, CONF_MS, take_settings, &s);
	if (e != E_OK)
		fatal("ev=start error=\"settings: %s\"", err_str(e));
}

void
role_tally(const struct role_tally *t)
{
	tally_use(t->fd, t->page);
	close(t->fd);
}

void
role_tally_close(const struct role_tally *t)
{
	close(t->fd);
}

void
role_enter(const struct role_conf *r, const char *root)
{
	struct errbuf eb;

	/* The way to it may be closed to the role's user. */
	if (root != NULL && chdir(root) < 0)
		fatal("ev=start error=\"%s: %s\"", root, strerror(errno));
	if (sandbox_become(r->uid, r->gid, root == NULL, &eb) != E_OK ||
	    sandbox_files(root != NULL ? "." : NULL, &eb) != E_OK ||
	    sandbox_memory(r->memory, &eb) != E_OK)
		fatal("ev=sandbox error=\"%s\"", eb.text);
}

void
role_enter_reading(
    const struct role_conf *r, const char *const *paths, size_t n)
{
	struct errbuf eb;

	if (sandbox_become(r->uid, r->gid, false, &eb) != E_OK ||
	    sandbox_reads(paths, n, &eb) != E_OK ||
	    sandbox_memory(r->memory, &eb) != E_OK)
		fatal("ev=sandbox error=\"%s\"", eb.text);
}

void
role_enter_asking(const struct role_conf *r)
{
	struct errbuf eb;
	enum err e = r->uid == 0 ? sandbox_stay_root(&eb)
				 : sandbox_become(r->uid, r->gid, false, &eb);

	if (e != E_OK || sandbox_memory(r->memory, &eb) != E_OK ||
	    sandbox_refuse_calls(&eb) != E_OK)
		fatal("ev=sandbox error=\"%s\"", eb.text);
}

void
role_connect_to(const uint16_t *ports, size_t n)
{
	struct errbuf eb;

	if (sandbox_ports(ports, n, &eb) != E_OK)
		fatal("ev=sandbox error=\"%s\"", eb.text);
}

void
role_limit(const char *const *calls, size_t n)
{
	struct errbuf eb;

	if (sandbox_calls(calls, n, &eb) != E_OK)
		fatal("ev=sandbox error=\"%s\"", eb.text);
}

/* ---- serving ---- */

static enum err
take_attach(void *arg, struct ipc_in *in)
{
	struct role *r = arg;
	struct role_peer peer = { .role = (enum ipc_role)ipc_get_u8(in) };
	int fd;

	peer.index = ipc_get_u16(in);
	peer.pid = ipc_get_u32(in);
	fd = ipc_get_fd(in);
	if (ipc_get_end(in) == E_OK) {
		r->alone = false;
		return r->hooks->attach(r, &peer, fd);
	}
	if (fd >= 0)
		close(fd);
	return E_FORMAT;
}

static void
on_end(struct ev_loop *loop, ev_timer *t, int revents)
{
	ev_break(loop, EVBREAK_ALL);
}

static void
leave(struct role *r, uint32_t ms)
{
	r->leaving = true;
	if (r->alone)
		ev_break(r->loop, EVBREAK_ALL);
	ev_timer_init(&r->end, on_end, ms / 1000., 0.);
	ev_timer_start(r->loop, &r->end);
}

static enum err
take_stop(void *arg, struct ipc_in *in)
{
	struct role *r = arg;
	uint32_t ms = ipc_get_u32(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	if (r->hooks->stop != NULL)
		r->hooks->stop(r, ms);
	else if (!r->leaving)
		leave(r, ms);
	return E_OK;
}

static enum err
take_ping(void *arg, struct ipc_in *in)
{
	struct role *r = arg;
	uint32_t number = ipc_get_u32(in);

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	ipc_begin(r->parent, IPC_PONG);
	ipc_put_u32(r->parent, number);
	ipc_put_u32(r->parent, r->hooks->sessions(r));
	(void)!ipc_end(r->parent); /* then the next one is answered */
	return E_OK;
}

static void
answer_settings(struct role *r, uint32_t number, enum err e, const char *why)
{
	r->refused = e != E_OK;
	ipc_begin(r->parent, IPC_SETTINGS_ARE);
	ipc_put_u32(r->parent, number);
	ipc_put_u8(r->parent, e == E_OK);
	ipc_put_str(r->parent, e == E_OK ? "" : why);
	(void)!ipc_end(r->parent); /* the parent does not wait for long */
}

static enum err
take_settings_anew(void *arg, struct ipc_in *in)
{
	struct role *r = arg;
	uint32_t number = ipc_get_u32(in);
	struct errbuf eb;
	void *conf;

	if (in->short_of_fds) {
		answer_settings(r, number, E_FULL, "too many files are open");
		return E_OK;
	}
	if ((conf = calloc(1, r->hooks->settings_size)) == NULL) {
		answer_settings(r, number, E_NOMEM, "out of memory");
		return E_OK;
	}
	ipc_get_fields(in, r->hooks->settings, conf);
	if (ipc_get_end(in) != E_OK) {
		free(conf);
		return E_FORMAT;
	}
	answer_settings(r, number, r->hooks->prepare(r, conf, &eb), eb.text);
	return E_OK;
}

static enum err
take_decision(void *arg, struct ipc_in *in)
{
	struct role *r = arg;
	bool use = ipc_get_u8(in) != 0;
	enum err e = ipc_get_end(in);

	if (e != E_OK)
		return e;
	if (use && r->refused) /* the parent has not waited for that */
		log_line(LOG_FAULT, "ev=settings kept=the-old-ones");
	r->hooks->decide(r, use);
	return E_OK;
}

static void
parent_gone(void *arg, enum err why)
{
	struct role *r = arg;

	if (why == E_FORMAT)
		log_line(LOG_FAULT, "ev=parent error=\"%s\"", err_str(why));
	if (r->hooks->orphaned != NULL)
		r->hooks->orphaned(r);
	else
		ev_break(r->loop, EVBREAK_ALL);
}

static void
on_turn_end(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct role *r = w->data;

	if (r->hooks->turn_end != NULL) {
		r->hooks->turn_end(r);
		ipc_flush(r->parent); /* the loop may sleep for long now */
	}
	log_flush();
}

void
role_open(struct role *r, const struct role_hooks *hooks, struct ev_loop *loop,
    int ctl)
{
	size_t n = 0;

	r->hooks = hooks;
	r->loop = loop;
	r->rule[n++] = (struct ipc_rule){ IPC_ATTACH, 1, 1, 7, take_attach };
	r->rule[n++] = (struct ipc_rule){ IPC_STOP, 1, 0, 4, take_stop };
	r->rule[n++] = (struct ipc_rule){ IPC_PING, 1, 0, 4, take_ping };
	if (hooks->settings != NULL) {
		r->rule[n++] = (struct ipc_rule){ IPC_SETTINGS, 1, IPC_FDS,
			IPC_MSG_MAX, take_settings_anew };
		r->rule[n++] = (struct ipc_rule){ IPC_SETTINGS_USE, 1, 0, 1,
			take_decision };
	}
	if (hooks->n_rules > ROLE_RULES_MAX - n)
		fatal("ev=start error=\"too many messages\"");
	for (size_t i = 0; i < hooks->n_rules; i++)
		r->rule[n++] = hooks->rule[i];
	r->rules = (struct ipc_rules){ r->rule, n, parent_gone };
	/* It may bring private keys: `secret`. */
	if ((r->parent = ipc_open(loop, ctl, &r->rules, r, true)) == NULL)
		fatal("ev=start error=\"out of memory\"");
	ev_prepare_init(&r->turn, on_turn_end);
	ev_set_priority(&r->turn, EV_MINPRI); /* after messages have left */
	r->turn.data = r;
	ev_prepare_start(loop, &r->turn);
}

void
role_serve(struct role *r)
{
	ipc_begin(r->parent, IPC_READY);
	if (ipc_end(r->parent) != E_OK)
		fatal("ev=start error=\"out of memory\"");
	ev_run(r->loop, 0);
	ipc_flush_wait(r->parent, LAST_WORDS_MS);
	log_flush();
}

void
role_link_lost(struct role *r, enum ipc_role role, uint16_t index, enum err why)
{
	enum err e;

	r->alone = role == ROLE_AUTH;
	if (r->leaving && r->alone)
		ev_break(r->loop, EVBREAK_ALL);
	if (why != E_FORMAT)
		return;
	ipc_begin(r->parent, IPC_MISBEHAVED);
	ipc_put_u8(r->parent, (uint8_t)role);
	ipc_put_u16(r->parent, index);
	if ((e = ipc_end(r->parent)) != E_OK && e != E_CLOSED)
		log_line(LOG_FAULT, "ev=misbehaved error=\"%s\"", err_str(e));
}

enum err
role_attach_auth(struct role *r, struct ipc_chan **auth,
    const struct ipc_rules *rules, enum ipc_role role, int fd)
{
	if (role != ROLE_AUTH) {
		close(fd);
		return E_FORMAT;
	}
	if (*auth != NULL)
		rules->gone(r, E_CLOSED);
	r->alone = false;
	r->auths++;
	*auth = ipc_open(r->loop, fd, rules, r, true);
	return E_OK;
}
