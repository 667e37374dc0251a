#include "server/auth/auth.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/auth/asked.h"
#include "server/auth/auth_db.h"
#include "server/auth/auth_kerberos.h"
#include "server/auth/auth_messages.h"
#include "server/auth/auth_net.h"
#include "server/auth/failures.h"
#include "server/auth/hashpool.h"
#include "server/auth/login_delay.h"
#include "server/auth/penalty.h"
#include "server/auth/process.h"
#include "server/auth/recent.h"
#include "server/auth/rehash.h"
#include "server/auth/round.h"
#include "server/auth/served.h"
#include "server/auth/stores.h"
#include "server/auth/timestamps.h"
#include "server/auth/turn.h"
#include "server/auth/vcache.h"
#include "server/auth/vouch.h"
#include "server/auth/where.h"
#include "server/ipc/control.h"
#include "server/ipc/trust.h"
#include "server/users/scheme.h"

/* ---- the parent's messages ---- */

static enum err
attach(void *arg, const struct role_peer *peer, int fd)
{
	struct auth *a = arg;

	switch (peer->role) {
	case ROLE_STORE: return store_attach(a, peer->index, fd);
	case ROLE_DB:
	case ROLE_PAM: return auth_db_attach(a, peer->role, peer->index, fd);
	case ROLE_KERBEROS: kerberos_attach(a, fd); return E_OK;
	case ROLE_NET: net_attach(a, fd); return E_OK;
	case ROLE_SASL: auth_sasl_attach(a, fd); return E_OK;
	case ROLE_WORKER:
		if (peer->index >= SASL_INDEX)
			break;
		auth_worker_attach(a, peer, fd);
		return E_OK;
	default: break;
	}
	close(fd);
	return E_FORMAT;
}

static struct userfile_news
get_news(struct ipc_in *in)
{
	struct userfile_news n = { ipc_get_u8_to(in, USERS_NONE), -1 };

	if (n.news == USERS_NEW)
		n.fd = ipc_get_fd(in);
	return n;
}

static enum err
take_users(void *arg, struct ipc_in *in)
{
	struct auth *a = arg;
	struct userfile_news users = get_news(in), apps = get_news(in);
	enum err e = ipc_get_end(in);

	if (e == E_OK) {
		userfile_told(&a->userfile, users, apps);
		served_tell_all(a);
		return E_OK;
	}
	if (users.fd >= 0)
		close(users.fd);
	if (apps.fd >= 0)
		close(apps.fd);
	return e;
}

static enum err
take_forget(void *arg, struct ipc_in *in)
{
	struct auth *a = arg;
	enum err e = ipc_get_end(in);

	if (e == E_OK)
		vcache_clear(a->verified);
	return e;
}

static enum err
take_successor(void *arg, struct ipc_in *in)
{
	enum ipc_role role = (enum ipc_role)ipc_get_u8(in);
	uint16_t index = ipc_get_u16(in);
	enum err e = ipc_get_end(in);

	if (e == E_OK && (role == ROLE_DB || role == ROLE_PAM))
		auth_db_await(arg, role, index);
	return e;
}

static enum err
take_client_ca(void *arg, struct ipc_in *in)
{
	struct auth *a = arg;
	enum err e = trust_take(&a->client_ca, in);

	if (e == E_OK && a->userfile.users != NULL)
		served_tell_all(a);
	return e;
}

static enum err
take_store_is(void *arg, struct ipc_in *in)
{
	uint16_t index = ipc_get_u16(in);
	struct owner owner = ipc_get_owner(in);
	enum err e = ipc_get_end(in);

	return e == E_OK ? store_named(arg, index, owner) : e;
}

static enum err
take_no_store(void *arg, struct ipc_in *in)
{
	struct owner owner = ipc_get_owner(in);
	struct slice why = ipc_get_slice(in);
	enum err e = ipc_get_end(in);

	if (e != E_OK)
		return e;
	log_line(LOG_FAULT, "ev=no-store uid=%u gid=%u error=\"%.*s\"",
	    owner.uid, owner.gid, (int)why.n, why.p);
	store_denied(arg, owner);
	return E_OK;
}

static enum err
take_stores_full(void *arg, struct ipc_in *in)
{
	struct owner owner = ipc_get_owner(in);
	enum err e = ipc_get_end(in);

	if (e == E_OK)
		stores_full(arg, owner);
	return e;
}

static enum err
take_idle(void *arg, struct ipc_in *in)
{
	uint16_t index = ipc_get_u16(in);
	enum err e = ipc_get_end(in);

	return e == E_OK ? store_idle(arg, index) : e;
}

static enum err
take_no_upgrade(void *arg, struct ipc_in *in)
{
	enum err e = ipc_get_end(in);

	if (e == E_OK)
		rehash_rest(arg);
	return e;
}

static enum err
take_where(void *arg, struct ipc_in *in)
{
	uint64_t token = ipc_get_u64(in);
	struct slice user = ipc_get_slice(in);
	enum err e = ipc_get_end(in);

	if (e == E_OK)
		where_find(arg, token, user);
	return e;
}

static enum err
take_ask(void *arg, struct ipc_in *in)
{
	uint64_t token = ipc_get_u64(in);
	uint8_t what = ipc_get_u8_to(in, ASK_KINDS - 1);
	struct slice user = ipc_get_slice(in), password = ipc_get_slice(in);
	enum err e = ipc_get_end(in);

	if (e == E_OK)
		asked(arg, token, (enum ask_kind)what, user, password);
	return e;
}

static enum err
take_round(void *arg, struct ipc_in *in)
{
	enum err e = ipc_get_end(in);

	if (e == E_OK)
		round_begin(arg);
	return e;
}

/* ---- settings that come anew ---- */

static enum err
prepare(void *arg, void *conf, struct errbuf *eb)
{
	struct auth *a = arg;

	free(a->next);
	a->next = conf;
	role_tally_close(&a->next->tally);
	return E_OK;
}

static bool
knows_the_same(const struct auth_conf *a, const struct auth_conf *b)
{
	return a->n_known == b->n_known &&
	       memcmp(a->known, b->known, sizeof(a->known)) == 0;
}

/* Each block by its number, with its mail in the same place: who is known by one of
 * before may be somebody else's namesake in the place that its block has now. */
static bool
has_same_places(const struct auth_conf *a, const struct auth_conf *b)
{
	bool same = a->n_known == b->n_known && a->n_places == b->n_places;

	for (unsigned i = 0; i < a->n_known && same; i++)
		same = strcmp(a->known[i].name, b->known[i].name) == 0;
	for (unsigned i = 0; i < a->n_places && same; i++)
		same = strcmp(a->place[i].mail, b->place[i].mail) == 0 &&
		       strcmp(a->place[i].root, b->place[i].root) == 0 &&
		       a->place[i].number == b->place[i].number;
	return same;
}

/* The parent tells of the users file anew after this.  Timestamps are made from
 * now on, or not any more; those that were given are good as long as they
 * were. */
static void
take_over(struct auth *a)
{
	struct errbuf eb;

	if (vouch_learn(a, a->next, &eb) != E_OK)
		log_line(
		    LOG_FAULT, "ev=settings error=\"proxy_from: %s\"", eb.text);
	if (!has_same_places(&a->conf, a->next))
		a->place_changes++;
	if (!knows_the_same(&a->conf, a->next)) {
		a->known_changes++;
		auth_db_rearrange(a, a->next);
	}
	a->conf = *a->next;
	a->rule = name_rule_of(&a->conf);
	if (a->conf.apop && !ev_is_active(&a->turn))
		ev_timer_again(a->loop, &a->turn);
	else if (!a->conf.apop)
		ev_timer_stop(a->loop, &a->turn);
	a->terms.changes++; /* what follows from them is made anew */
	if (a->userfile.users != NULL)
		served_tell_all(a);
}

static void
decide(void *arg, bool use)
{
	struct auth *a = arg;

	if (use && a->next != NULL)
		take_over(a);
	free(a->next);
	a->next = NULL;
}

static uint32_t
auth_signins(const void *arg)
{
	return ((const struct auth *)arg)->n_signins;
}

static const struct ipc_rule parent_rule[] = {
	{ IPC_CLIENT_CA, 1, 2, 0, take_client_ca },
	{ IPC_USERS, 1, 2, 2, take_users },
	{ IPC_FORGET, 1, 0, 0, take_forget },
	{ IPC_SUCCESSOR, 1, 0, 3, take_successor },
	{ IPC_STORE_IS, 1, 0, 2 + OWNER_OCTETS, take_store_is },
	{ IPC_NO_STORE, 1, 0, 1024, take_no_store },
	{ IPC_STORES_FULL, 1, 0, OWNER_OCTETS, take_stores_full },
	{ IPC_IDLE, 1, 0, 2, take_idle },
	{ IPC_WHERE, 1, 0, 8 + CONTROL_REQUEST_MAX, take_where },
	{ IPC_NO_UPGRADE, 1, 0, 0, take_no_upgrade },
	{ IPC_ROUND, 1, 0, 0, take_round },
	{ IPC_ASK, 1, 0, 8 + 1 + CONTROL_CREDENTIALS_MAX, take_ask },
};

/* Sign-ins are short: there is nothing to finish when it ends. */
static const struct role_hooks hooks = {
	.settings = &auth_conf_fields,
	.settings_size = sizeof(struct auth_conf),
	.prepare = prepare,
	.decide = decide,
	.attach = attach,
	.sessions = auth_signins,
	.rule = parent_rule,
	.n_rules = sizeof(parent_rule) / sizeof(parent_rule[0]),
};

/* ---- the process ---- */

static void
on_turn(struct ev_loop *loop, ev_timer *t, int revents)
{
	served_turn(t->data);
}

/* All that takes memory, threads and descriptors for the process's life. */
static void
set_up(struct auth *a)
{
	struct errbuf eb = { "out of memory" };

	a->rule = name_rule_of(&a->conf);
	if (vouch_learn(a, &a->conf, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	a->crowd.words = "ev=login-crowd refused";
	LIST_INIT(&a->workers);
	LIST_INIT(&a->stores);
	TAILQ_INIT(&a->store_waits);
	if (scheme_init() != E_OK)
		fatal("ev=start error=\"no random numbers\"");
	if (app_database_init() != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	a->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	role_enter(&a->conf.role, NULL);
	a->verified = vcache_new();
	a->penalty = penalty_new();
	a->recent = recent_new();
	a->turns = turns_new();
	a->timestamps = timestamps_new(clock_ms());
	a->failures = failures_new();
	a->delays = login_delays_new();
	a->terms.delays.least = UINT32_MAX;
	if (a->loop == NULL || a->verified == NULL || a->penalty == NULL ||
	    a->recent == NULL || a->turns == NULL || a->timestamps == NULL ||
	    a->failures == NULL || a->delays == NULL ||
	    hashpool_new(&a->hashes, a->loop, a->conf.hash_threads,
		a->conf.hash_queue, &eb) != E_OK)
		fatal("ev=start error=\"%s\"", eb.text);
	ev_timer_init(&a->turn, on_turn, TIMESTAMPS_LIFE, TIMESTAMPS_LIFE);
	a->turn.data = a;
	if (a->conf.apop)
		ev_timer_start(a->loop, &a->turn);
}

int
auth_main(int ctl)
{
	static const char *const calls[] = { "fstat", "getpeername", "mremap",
		"newfstatat", "pread64" };
	static struct auth a;

	role_begin("auth", ctl, &auth_conf_fields, &a.conf);
	role_tally(&a.conf.tally);
	tzset(); /* OpenSSL compares times, and there is no file later */
	set_up(&a);
	role_limit(calls, sizeof(calls) / sizeof(*calls));

	role_open(&a.role, &hooks, a.loop, ctl);
	userfile_init(&a.userfile, &a.rule, a.loop, a.role.parent);
	role_serve(&a.role);
	_exit(0); /* threads still run: no exit handlers */
}
