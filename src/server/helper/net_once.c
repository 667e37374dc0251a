#include "server/helper/net_once.h"

#include <ev.h>
#include <unistd.h>

#include "base/log.h"
#include "server/helper/net.h"

enum { SEND_MS = 10 * 1000, SLACK = 10 };

static void
gone(void *arg, enum err why)
{
	_exit(0);
}

static const struct ipc_rules no_rules = { NULL, 0, gone };

static enum db_outcome
outcome(enum err e)
{
	return e == E_OK ? DB_DID : e == E_AGAIN ? DB_NOT_NOW : DB_WRONG;
}

static void
tell(struct ipc_chan *asker, enum err e, const char *why)
{
	ipc_begin(asker, IPC_TRIED);
	ipc_put_u8(asker, (uint8_t)outcome(e));
	ipc_put_str(asker, e == E_OK ? "" : why);
	if (ipc_end(asker) == E_OK)
		ipc_flush_wait(asker, SEND_MS);
}

int
net_once_main(int ctl)
{
	static struct net_conf conf;
	struct db_reach reach = { .n = 0 };
	const struct token_judge *judge;
	struct ev_loop *loop;
	struct ipc_chan *asker;
	struct errbuf eb;
	enum err e;

	role_begin("net", ctl, &net_conf_fields, &conf);
	/* Who asks ends this process earlier, unless they have died. */
	alarm(SLACK + 3u * conf.issuer[0].timeout);
	loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	asker =
	    loop != NULL ? ipc_open(loop, ctl, &no_rules, NULL, true) : NULL;
	if (asker == NULL)
		fatal("ev=start error=\"out of memory\"");
	if ((judge = net_judge()) == NULL)
		e = err_set(&eb, E_CONFIG,
		    "malote-oauth.so, or a library that it needs, is not "
		    "installed");
	else
		e = judge->prepare(&conf, &reach, &eb);
	net_confine(&conf.role, &reach);
	net_limit();
	if (e == E_OK)
		e = judge->try(0, &eb);
	tell(asker, e, eb.text);
	return 0;
}
