#include "server/parent/control_socket.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server/parent/control_auth.h"
#include "server/parent/control_client.h"
#include "server/parent/control_inquiry.h"
#include "server/parent/control_maildrop.h"
#include "server/parent/control_sessions.h"
#include "server/parent/control_status.h"
#include "server/parent/reload.h"
#include "server/parent/restart.h"
#include "server/parent/roots.h"
#include "server/parent/traces.h"
#include "server/parent/unix_socket.h"

enum {
	BACKLOG = 16,
	TURN_MAX = 16,    /* connections that are taken in one turn */
	GROUPS_MAX = 256, /* of a client; those beyond are not looked at */
};

/* ---- the commands ---- */

static enum err
take_status(void *arg, struct ipc_in *in)
{
	struct control_about none = { "" };
	enum err e = control_begin(arg, in, &control_about_fields, &none);

	if (e == E_OK)
		control_status(arg);
	return e;
}

static enum err
take_uidl_show(void *arg, struct ipc_in *in)
{
	struct control_about user = { "" };
	enum err e = control_begin(arg, in, &control_about_fields, &user);

	if (e == E_OK)
		control_inquire(arg, user.what, INQUIRY_UIDL);
	return e;
}

static enum err
take_uidl_forget(void *arg, struct ipc_in *in)
{
	struct control_about user = { "" };
	enum err e = control_begin(arg, in, &control_about_fields, &user);

	if (e != E_OK)
		return e;
	control_log(arg, "uidl forget", user.what);
	control_inquire(arg, user.what, INQUIRY_UIDL_FORGET);
	return E_OK;
}

static enum err
take_expire_show(void *arg, struct ipc_in *in)
{
	struct control_about user = { "" };
	enum err e = control_begin(arg, in, &control_about_fields, &user);

	if (e == E_OK)
		control_inquire(arg, user.what, INQUIRY_EXPIRY);
	return e;
}

static enum err
take_expire_accept(void *arg, struct ipc_in *in)
{
	struct control_about user = { "" };
	enum err e = control_begin(arg, in, &control_about_fields, &user);

	if (e != E_OK)
		return e;
	control_log(arg, "expire accept", user.what);
	control_inquire(arg, user.what, INQUIRY_EXPIRY_ACCEPT);
	return E_OK;
}

/* That the root is served again is found at the next look. */
static enum err
take_root_accept(void *arg, struct ipc_in *in)
{
	struct control_client *k = arg;
	struct parent *p = k->parent;
	struct control_about path = { "" };
	struct errbuf eb;
	enum err e;

	e = control_begin(k, in, &control_about_fields, &path);
	if (e != E_OK)
		return e;
	control_log(k, "root accept", path.what);
	e = roots_accept(p, path.what, sizeof(path.what), &eb);
	if (e == E_OK)
		ev_feed_event(p->loop, &p->look, EV_TIMER);
	control_done(k, e == E_OK ? CONTROL_GOOD : CONTROL_CANNOT,
	    e == E_OK ? path.what : eb.text);
	return E_OK;
}

static enum err
take_user_show(void *arg, struct ipc_in *in)
{
	struct control_about user = { "" };
	enum err e = control_begin(arg, in, &control_about_fields, &user);

	if (e == E_OK && control_is_root(arg))
		control_auth(arg, ASK_USER, user.what, "");
	return e;
}

/* Whoever is root can try passwords elsewhere too, but the log says who did it
 * here. */
static enum err
take_user_test(void *arg, struct ipc_in *in)
{
	struct control_credentials c = { .what = "" };
	enum err e = control_begin(arg, in, &control_credentials_fields, &c);

	if (e == E_OK && control_is_root(arg)) {
		control_log(arg, "user test", c.what);
		control_auth(arg, ASK_TRY, c.what, c.password);
	}
	explicit_bzero(&c, sizeof(c));
	return e;
}

static enum err
take_auth_failures(void *arg, struct ipc_in *in)
{
	struct control_about none = { "" };
	enum err e = control_begin(arg, in, &control_about_fields, &none);

	if (e == E_OK && control_is_root(arg))
		control_auth(arg, ASK_FAILURES, "", "");
	return e;
}

/* Who is there is what root is told, as where they are is in it. */
static enum err
take_who(void *arg, struct ipc_in *in)
{
	struct control_which which = { .sid = 0 };
	enum err e = control_begin(arg, in, &control_which_fields, &which);

	if (e == E_OK && control_is_root(arg))
		control_sessions(arg, &which, false);
	return e;
}

static enum err
take_kick(void *arg, struct ipc_in *in)
{
	struct control_which which = { .sid = 0 };
	enum err e = control_begin(arg, in, &control_which_fields, &which);
	char sid[32];

	if (e != E_OK || !control_is_root(arg))
		return e;
	if (which.sid == 0 && which.user[0] == '\0')
		return E_FORMAT; /* all of them is nothing that it can want */
	snprintf(sid, sizeof(sid), "%u.%llx", which.worker,
	    (unsigned long long)which.sid);
	control_log(arg, "kick", which.sid != 0 ? sid : which.user);
	control_sessions(arg, &which, true);
	return E_OK;
}

/* What is in somebody's mail is for root. */
static enum err
ask_mail(struct control_client *k, struct ipc_in *in, enum inquiry_kind what,
    const char *command)
{
	struct control_number n = { .number = 0 };
	enum err e = control_begin(k, in, &control_number_fields, &n);

	if (e != E_OK || !control_is_root(k))
		return e;
	control_log(k, command, n.user);
	control_maildrop(k, n.user, what, n.number);
	return E_OK;
}

static enum err
take_maildrop_list(void *arg, struct ipc_in *in)
{
	return ask_mail(arg, in, INQUIRY_LIST, "maildrop list");
}

static enum err
take_maildrop_show(void *arg, struct ipc_in *in)
{
	return ask_mail(arg, in, INQUIRY_MESSAGE, "maildrop show");
}

static enum err
take_maildrop_check(void *arg, struct ipc_in *in)
{
	return ask_mail(arg, in, INQUIRY_CHECK, "maildrop check");
}

static void
begin_trace(struct control_client *k, const struct control_trace *t)
{
	const struct trace_wish w = { t->user, t->octets, k->uid, k->pid };
	char path[PATH_MAX];
	struct errbuf eb;
	enum err e = traces_begin(k->parent, &w, path, &eb);

	if (e == E_BUSY) {
		err_set(&eb, e,
		    "the user is traced already; trace --off ends it: %s",
		    path);
		e = E_CONFIG;
	}
	control_done(k, e == E_OK ? CONTROL_GOOD : CONTROL_CANNOT,
	    e == E_OK ? path : eb.text);
}

static enum err
take_trace(void *arg, struct ipc_in *in)
{
	struct control_trace t = { .off = false };
	struct control_client *k = arg;
	enum err e = control_begin(k, in, &control_trace_fields, &t);

	if (e != E_OK || !control_is_root(k))
		return e;
	if (t.user[0] == '\0')
		return E_FORMAT;
	control_log(k,
	    t.off      ? "trace --off"
	    : t.octets ? "trace --octets"
		       : "trace",
	    t.user);
	if (!t.off)
		begin_trace(k, &t);
	else if (traces_end(k->parent, t.user))
		control_done(k, CONTROL_GOOD, "");
	else
		control_done(k, CONTROL_CANNOT, "the user is not traced");
	return E_OK;
}

static enum err
take_restart(void *arg, struct ipc_in *in)
{
	struct control_client *k = arg;
	struct control_about none = { "" };
	enum err e = control_begin(k, in, &control_about_fields, &none);

	if (e != E_OK || !control_is_root(k))
		return e;
	control_log(k, "restart", "");
	restart_begin(k->parent, k);
	return E_OK;
}

static enum err
take_reload(void *arg, struct ipc_in *in)
{
	struct control_client *k = arg;
	struct control_about none = { "" };
	enum err e = control_begin(k, in, &control_about_fields, &none);

	if (e == E_OK && control_is_root(k)) {
		control_log(k, "reload", "");
		reload_ask(k->parent, k);
	}
	return e;
}

static void
on_gone(void *arg, enum err why)
{
	control_client_free(arg);
}

static const struct ipc_rule commands[] = {
	{ CONTROL_STATUS, 1, 0, 0, take_status },
	{ CONTROL_UIDL_SHOW, 1, 0, CONTROL_REQUEST_MAX, take_uidl_show },
	{ CONTROL_UIDL_FORGET, 1, 0, CONTROL_REQUEST_MAX, take_uidl_forget },
	{ CONTROL_ROOT_ACCEPT, 1, 0, CONTROL_REQUEST_MAX, take_root_accept },
	{ CONTROL_EXPIRE_SHOW, 1, 0, CONTROL_REQUEST_MAX, take_expire_show },
	{ CONTROL_EXPIRE_ACCEPT, 1, 0, CONTROL_REQUEST_MAX,
	    take_expire_accept },
	{ CONTROL_USER_SHOW, 1, 0, CONTROL_REQUEST_MAX, take_user_show },
	{ CONTROL_USER_TEST, 1, 0, CONTROL_CREDENTIALS_MAX, take_user_test },
	{ CONTROL_AUTH_FAILURES, 1, 0, 0, take_auth_failures },
	{ CONTROL_RELOAD, 1, 0, 0, take_reload },
	{ CONTROL_WHO, 1, 0, CONTROL_WHICH_MAX, take_who },
	{ CONTROL_KICK, 1, 0, CONTROL_WHICH_MAX, take_kick },
	{ CONTROL_MAILDROP_LIST, 1, 0, CONTROL_WHICH_MAX, take_maildrop_list },
	{ CONTROL_MAILDROP_SHOW, 1, 0, CONTROL_WHICH_MAX, take_maildrop_show },
	{ CONTROL_MAILDROP_CHECK, 1, 0, CONTROL_WHICH_MAX,
	    take_maildrop_check },
	{ CONTROL_TRACE, 1, 0, CONTROL_WHICH_MAX, take_trace },
	{ CONTROL_RESTART, 1, 0, 0, take_restart },
};

static const struct ipc_rules rules = { commands,
	sizeof(commands) / sizeof(commands[0]), on_gone };

/* ---- who may ask ---- */

static bool
is_in_group(int fd, const struct ucred *who, gid_t gid)
{
	gid_t groups[GROUPS_MAX];
	socklen_t n = sizeof(groups);

	if (who->gid == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
		return false;
	for (size_t i = 0; i < n / sizeof(groups[0]); i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool
may_ask(const struct parent *p, int fd, struct ucred *who)
{
	socklen_t n = sizeof(*who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, who, &n) < 0)
		return false;
	if (who->uid == 0 || who->uid == p->env.uid)
		return true;
	return p->conf->control_gid != AUTH_NO_UID &&
	       is_in_group(fd, who, p->conf->control_gid);
}

static void
on_connection(struct ev_loop *loop, ev_io *w, int revents)
{
	struct parent *p = w->data;
	struct ucred who;

	for (unsigned i = 0; i < TURN_MAX; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (may_ask(p, fd, &who)) {
			control_client_new(
			    p, fd, p->commands, (uint32_t)who.pid, who.uid);
			continue;
		}
		log_line(LOG_WARNING, "ev=control refused=yes uid=%u pid=%ld",
		    who.uid, (long)who.pid);
		close(fd);
	}
}

/* ---- the socket ---- */

void
control_make_folder(const struct parent *p)
{
	char copy[PATH_MAX];
	mode_t before = umask(022);

	/* What fails is found out by bind(). */
	snprintf(copy, sizeof(copy), "%s", p->conf->control_socket);
	mkdir(dirname(copy), 0755);
	umask(before);
}

static void
log_no_socket(const struct parent *p, const char *why)
{
	log_line(p->env.uid == 0 ? LOG_WARNING : LOG_EVENT,
	    "ev=control socket=\"%s\" error=\"malotectl cannot reach us: %s\"",
	    p->conf->control_socket, why);
}

void
control_open(struct parent *p)
{
	const char *path = p->conf->control_socket;
	gid_t group = p->conf->control_gid;
	const struct unix_socket at = { path, SOCK_SEQPACKET,
		group != AUTH_NO_UID ? 0660 : 0600, group, BACKLOG };
	struct errbuf eb;
	int fd;

	TAILQ_INIT(&p->clients);
	LIST_INIT(&p->traces);
	p->commands = &rules;
	p->control.fd = -1;
	if (path[0] == '\0')
		return;
	fd = inherited_take_path(&p->inherited, at.type, path);
	if (fd >= 0) {
		unix_socket_look(path, &p->control_made);
	} else if (unix_socket_open(&at, &fd, &p->control_made, &eb) != E_OK) {
		log_no_socket(p, eb.text);
		return;
	}
	ev_io_init(&p->control, on_connection, fd, EV_READ);
	p->control.data = p;
	if (!p->succession.held)
		control_serve(p);
}

void
control_serve(struct parent *p)
{
	if (p->control.fd >= 0)
		ev_io_start(p->loop, &p->control);
}

void
control_close(struct parent *p)
{
	struct control_client *k;

	while ((k = TAILQ_FIRST(&p->clients)) != NULL)
		control_client_free(k);
	traces_close(p);
	control_leave(p);
}
