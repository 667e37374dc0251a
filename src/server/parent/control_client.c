#include "server/parent/control_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/log.h"
#include "server/parent/child.h"
#include "server/parent/unix_socket.h"

enum {
	CLIENTS_MAX = 16,
	SILENT_MAX = 5,  /* seconds without a command */
	ANSWER_MAX = 60, /* seconds until all of the answer is made and read */
};

/* Nothing is permitted in the second: there is one command. */
enum { PHASE_COMMAND = 1, PHASE_ANSWER = 2 };

void
control_client_free(struct control_client *k)
{
	struct parent *p = k->parent;

	ev_timer_stop(p->loop, &k->deadline);
	ev_timer_stop(p->loop, &k->wait);
	ev_timer_stop(p->loop, &k->sessions.room);
	ev_timer_stop(p->loop, &k->mail.room);
	ipc_close(k->chan);
	TAILQ_REMOVE(&p->clients, k, link);
	p->n_clients--;
	free(k);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	control_client_free(w->data);
}

static void
set_deadline(struct control_client *k, double seconds)
{
	ev_timer_stop(k->parent->loop, &k->deadline);
	ev_timer_init(&k->deadline, on_deadline, seconds, 0.);
	ev_timer_start(k->parent->loop, &k->deadline);
}

/* Root, or who has started us. */
static bool
is_root(const struct parent *p, uint32_t uid)
{
	return uid == 0 || uid == p->env.uid;
}

static unsigned
places_of(const struct parent *p, uint32_t uid)
{
	const struct control_client *k;
	unsigned n = 0;

	TAILQ_FOREACH (k, &p->clients, link)
		n += k->uid == uid;
	return n;
}

/* Of the users other than root, the one with most clients; *n_r of them. */
static uint32_t
busiest(const struct parent *p, unsigned *n_r)
{
	const struct control_client *k;
	uint32_t uid = 0;

	*n_r = 0;
	TAILQ_FOREACH (k, &p->clients, link) {
		unsigned n = is_root(p, k->uid) ? 0 : places_of(p, k->uid);

		if (n > *n_r) {
			*n_r = n;
			uid = k->uid;
		}
	}
	return uid;
}

/* The oldest, of those that have said nothing if there is one; NULL: `silent`
 * says that only those count, and there is none. */
static struct control_client *
oldest_of(const struct parent *p, uint32_t uid, bool silent)
{
	struct control_client *k, *first = NULL;

	TAILQ_FOREACH (k, &p->clients, link) {
		if (k->uid == uid && !k->asked)
			return k;
		if (k->uid == uid && first == NULL && !silent)
			first = k;
	}
	return first;
}

/* Who goes for a newcomer of that user; NULL: nobody does.  Root takes a place
 * of the user who has most, and another one only what makes their shares more
 * equal, so nobody holds all places against others. */
static struct control_client *
who_goes(const struct parent *p, uint32_t uid)
{
	unsigned most, own = places_of(p, uid);
	uint32_t other = busiest(p, &most);
	struct control_client *k = NULL;

	if (is_root(p, uid) && most != 0)
		return oldest_of(p, other, false);
	if (!is_root(p, uid) && most > own)
		k = oldest_of(p, other, most == own + 1);
	return k != NULL ? k : oldest_of(p, uid, true);
}

/* False: all have said a command, and are being answered. */
static bool
make_room(struct parent *p, uint32_t uid)
{
	struct control_client *k;

	if (p->n_clients < CLIENTS_MAX)
		return true;
	if ((k = who_goes(p, uid)) == NULL)
		return false;
	control_client_free(k);
	return true;
}

void
control_client_new(struct parent *p, int fd, const struct ipc_rules *rules,
    uint32_t pid, uint32_t uid)
{
	struct control_client *k = NULL;

	if (!make_room(p, uid) || (k = calloc(1, sizeof(*k))) == NULL) {
		close(fd);
		return;
	}
	if ((k->chan = ipc_open(p->loop, fd, rules, k, true)) == NULL) {
		free(k);
		return;
	}
	k->parent = p;
	k->pid = pid;
	k->uid = uid;
	k->deadline.data = k->wait.data = k;
	ev_init(&k->wait, NULL);
	ev_init(&k->sessions.room, NULL);
	ev_init(&k->mail.room, NULL);
	TAILQ_INSERT_TAIL(&p->clients, k, link);
	p->n_clients++;
	set_deadline(k, SILENT_MAX);
}

enum err
control_begin(struct control_client *k, struct ipc_in *in,
    const struct ipc_fields *fields, void *to)
{
	enum err e;

	if (in->left != 0)
		ipc_get_fields(in, fields, to);
	if ((e = ipc_get_end(in)) != E_OK)
		return e;
	k->asked = true;
	ipc_set_phase(k->chan, PHASE_ANSWER);
	set_deadline(k, ANSWER_MAX);
	return E_OK;
}

bool
control_is_root(struct control_client *k)
{
	if (is_root(k->parent, k->uid))
		return true;
	control_done(k, CONTROL_DENIED, "only root may ask that");
	return false;
}

struct child *
control_ask(struct control_client *k)
{
	struct child *auth = child_find(k->parent, ROLE_AUTH, 0);

	if (auth != NULL && auth->state == CHILD_SERVING &&
	    auth->chan != NULL &&
	    getrandom(&k->token, sizeof(k->token), 0) == sizeof(k->token))
		return auth;
	control_done(k, CONTROL_LATER, "auth is not running");
	return NULL;
}

struct control_client *
control_find(const struct parent *p, uint64_t token)
{
	struct control_client *k;

	TAILQ_FOREACH (k, &p->clients, link)
		if (k->token != 0 && k->token == token)
			return k;
	return NULL;
}

void
control_log(
    const struct control_client *k, const char *command, const char *about)
{
	char shown[256];

	log_line(LOG_EVENT, "ev=control command=\"%s\" about=%s uid=%u pid=%u",
	    command, str_escape(shown, sizeof(shown), about, strlen(about)),
	    k->uid, k->pid);
}

void
control_tell(struct control_client *k, enum control_type type,
    const struct ipc_fields *fields, const void *from)
{
	ipc_begin(k->chan, (uint16_t)type);
	ipc_put_fields(k->chan, fields, from);
	if (ipc_end(k->chan) != E_OK)
		log_line(
		    LOG_WARNING, "ev=control pid=%u error=unanswered", k->pid);
}

void
control_done(
    struct control_client *k, enum control_outcome outcome, const char *words)
{
	struct control_done done = { .outcome = outcome };

	snprintf(done.words, sizeof(done.words), "%s", words);
	k->token = 0;
	control_tell(k, CONTROL_DONE, &control_done_fields, &done);
}

void
control_leave(struct parent *p)
{
	if (p->control.fd < 0)
		return;
	ev_io_stop(p->loop, &p->control);
	if (!p->succession.shared)
		unix_socket_remove(p->conf->control_socket, &p->control_made);
	close(p->control.fd);
	ev_io_set(&p->control, -1, EV_READ);
}
