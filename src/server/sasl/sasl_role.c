#include "server/sasl/sasl_role.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "server/sasl/mta_ask.h"
#include "server/sasl/mta_conn.h"

enum { ACCEPT_AT_ONCE = 16 }; /* then others have their turn */

/* ---- connections ---- */

static void
stop_accepting(struct sasl_process *p)
{
	p->is_accepting = false;
	for (unsigned i = 0; i < p->conf.n_services; i++)
		ev_io_stop(p->loop, &p->service[i].accept);
}

/* Nobody is told what can be served before we know; whoever is too many waits. */
static void
accept_if_room(struct sasl_process *p)
{
	if (p->is_accepting || p->conf.role.held || p->offered[0] == '\0' ||
	    p->n_conns >= CONNS_MAX)
		return;
	p->is_accepting = true;
	for (unsigned i = 0; i < p->conf.n_services; i++)
		ev_io_start(p->loop, &p->service[i].accept);
}

static void
on_accept(struct ev_loop *loop, ev_io *io, int revents)
{
	struct service *s = io->data;
	struct sasl_process *p = s->process;

	for (int i = 0; i < ACCEPT_AT_ONCE && p->n_conns < CONNS_MAX; i++) {
		int fd =
		    accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			mta_conn_new(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			log_line(LOG_FAULT, "ev=accept error=\"%s\"",
			    strerror(errno));
			stop_accepting(p);
		}
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
	if (p->n_conns < CONNS_MAX)
		return;
	log_line(LOG_FAULT, "ev=accept error=\"%d connections, others wait\"",
	    CONNS_MAX);
	stop_accepting(p);
}

static void
on_look(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct sasl_process *p = t->data;

	mta_conns_look(p);
	accept_if_room(p);
}

/* ---- what auth says ---- */

/* What concerns other processes only is left. */
static enum err
take_served(void *arg, struct ipc_in *in)
{
	struct sasl_process *p = arg;
	char names[SERVED_MAX];

	ipc_get_str(in, names, sizeof(names));
	(void)ipc_get_u64(in);
	(void)ipc_get_u32(in);
	(void)ipc_get_u8(in);
	(void)ipc_get_u32(in);
	(void)ipc_get_u8(in);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	memcpy(p->offered, names, sizeof(names));
	accept_if_room(p);
	return E_OK;
}

static enum err
take_challenge(void *arg, struct ipc_in *in)
{
	uint64_t sid = ipc_get_u64(in);
	struct slice challenge = ipc_get_slice(in);

	if (ipc_get_end(in) != E_OK || challenge.n > SASL_MAX)
		return E_FORMAT;
	mta_conn_challenge(arg, sid, challenge);
	return E_OK;
}

static enum err
take_refused(void *arg, struct ipc_in *in)
{
	uint64_t sid = ipc_get_u64(in);
	uint8_t code = ipc_get_u8_to(in, SIGN_IN_CODES - 1);
	char user[NAME_MAX_OCTETS + 1];

	ipc_get_str(in, user, sizeof(user));
	(void)ipc_get_slice(in);
	(void)ipc_get_u32(in);
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	mta_conn_refuse(arg, sid, (enum sign_in_code)code, user);
	return E_OK;
}

static enum err
take_signed_in(void *arg, struct ipc_in *in)
{
	uint64_t sid = ipc_get_u64(in);
	char user[NAME_MAX_OCTETS + 1];

	ipc_get_str(in, user, sizeof(user));
	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	mta_conn_accept(arg, sid, user);
	return E_OK;
}

static const struct ipc_rule auth_rule[] = {
	{ IPC_SERVED, 1, 0, 4 + SERVED_MAX + 8 + 4 + 1 + 4 + 1, take_served },
	{ IPC_CHALLENGE, 1, 0, SASL_MAX + 16, take_challenge },
	{ IPC_REFUSED, 1, 0, 512, take_refused },
	{ IPC_SIGNED_IN, 1, 0, 8 + 4 + NAME_MAX_OCTETS, take_signed_in },
};

/* What has been asked is not answered any more. */
static void
auth_gone(void *arg, enum err why)
{
	struct sasl_process *p = arg;

	role_link_lost(&p->role, ROLE_AUTH, 0, why);
	ipc_close(p->auth);
	p->auth = NULL;
	for (unsigned i = 0; i < SIGN_INS_MAX; i++)
		if (p->slot[i].conn != NULL)
			mta_conn_refuse(
			    p, p->slot[i].sid, SIGN_IN_TEMPORARY, "");
}

static const struct ipc_rules auth_rules = { auth_rule,
	sizeof(auth_rule) / sizeof(auth_rule[0]), auth_gone };

/* ---- the process ---- */

static enum err
attach(void *arg, const struct role_peer *peer, int fd)
{
	struct sasl_process *p = arg;

	return role_attach_auth(
	    &p->role, &p->auth, &auth_rules, peer->role, fd);
}

static uint32_t
sign_ins(const void *arg)
{
	return SIGN_INS_MAX - ((const struct sasl_process *)arg)->n_free;
}

/* Another maloted is in our place: who is connected is still answered. */
static void
stop(void *arg, uint32_t ms)
{
	struct sasl_process *p = arg;

	stop_accepting(p);
	p->conf.role.held = true;
	for (unsigned i = 0; i < p->conf.n_services; i++) {
		close(p->conf.service[i].fd);
		p->conf.service[i].fd = -1;
	}
}

static enum err
take_accept(void *arg, struct ipc_in *in)
{
	struct sasl_process *p = arg;

	if (ipc_get_end(in) != E_OK)
		return E_FORMAT;
	p->conf.role.held = false;
	accept_if_room(p);
	return E_OK;
}

static const struct ipc_rule parent_rule[] = {
	{ IPC_ACCEPT, 1, 0, 0, take_accept },
};

static const struct role_hooks hooks = {
	.attach = attach,
	.stop = stop,
	.rule = parent_rule,
	.n_rules = sizeof(parent_rule) / sizeof(parent_rule[0]),
	.sessions = sign_ins,
};

static void
listen_at(struct sasl_process *p, uint8_t i)
{
	const struct sasl_service_conf *conf = &p->conf.service[i];
	struct service *s = &p->service[i];

	s->process = p;
	s->index = i;
	s->policy = (struct mta_policy){
		.mechanisms = conf->mechanisms,
		.plain_passwords = conf->plain_passwords,
		.login_ms = p->conf.login_timeout * 1000,
	};
	ev_io_init(&s->accept, on_accept, conf->fd, EV_READ);
	s->accept.data = s;
}

int
sasl_main(int ctl)
{
	static const char *const calls[] = { "accept4" };
	static struct sasl_process p;

	role_begin("sasl", ctl, &sasl_conf_fields, &p.conf);
	if ((p.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV)) == NULL)
		fatal("ev=start error=\"out of memory\"");
	LIST_INIT(&p.conns);
	mta_ask_init(&p);
	for (uint8_t i = 0; i < p.conf.n_services; i++)
		listen_at(&p, i);
	role_enter(&p.conf.role, NULL);
	role_limit(calls, sizeof(calls) / sizeof(*calls));
	ev_timer_init(&p.look, on_look, 1., 1.);
	p.look.data = &p;
	ev_timer_start(p.loop, &p.look);
	role_open(&p.role, &hooks, p.loop, ctl);
	role_serve(&p.role);
	return 0;
}
