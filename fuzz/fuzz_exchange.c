/*
 * What auth does with the messages of a mechanism that sends no password, by
 * users of each kind.  The first octet chooses the mechanism and what is known
 * of the connection; then messages, each behind an octet that is its length.
 * Whatever is said, nothing of a sign-in is left when it is over or its worker
 * has gone.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "sasl/mechanism.h"
#include "server/auth/auth_messages.h"
#include "server/auth/auth_worker.h"
#include "server/auth/failures.h"
#include "server/auth/penalty.h"
#include "server/auth/recent.h"
#include "server/auth/refuse.h"
#include "server/auth/signin.h"
#include "server/auth/timestamps.h"
#include "server/auth/turn.h"

enum {
	MECHANISM = 15, /* by its place in sasl_mechanisms[] */
	OFFERED = 64,   /* -PLUS is */
	BOUND = 128,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Nobody has a password that keys would have to be made of: that is a thread's
 * work, and slow. */
static const char users[] =
    "user:{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7Bke"
    "ZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n"
    "old:{SCRAM-SHA-1}4096,cLw0khQiDwtNiHwmBIhUbQ==,/V3LBjS1JZOoWI4WETC+7gSDuis"
    "=,ZPDKlN11Z5t0XhiWpwvf4+r4epQ=\n"
    "tim:{CRAM-MD5}"
    "38b57fd1a0c4b46c814aa05f20318edd71c455380655f2c0ac35c5b359528"
    "d29\n"
    "other:{SSHA}mAdraI+LwCPz5ty/q42IRRJz7w2xmEk/\n"
    "boss:{CRAM-MD5}"
    "38b57fd1a0c4b46c814aa05f20318edd71c455380655f2c0ac35c5b359528"
    "d29::::::malote_master=yes\n"
    "locked:*\n";

static struct auth a;

static void
complain(void *arg, enum users_fault fault, unsigned line, const char *what)
{
	abort(); /* the file above is right */
}

static void
gone(void *arg, enum err why)
{
}

static const struct ipc_rules no_rules = { NULL, 0, gone };

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	log_open(null, "auth");
	LIST_INIT(&a.workers);
	LIST_INIT(&a.stores);
	TAILQ_INIT(&a.store_waits);
	a.rule = (struct name_rule){ true, "", "", "" };
	strcpy(a.conf.anonymous, "other");
	strcpy(a.conf.master_separator, "*");
	strcpy(a.conf.name_key, "00");
	strcpy(a.conf.place[0].mail, "maildir:/m/%u");
	strcpy(a.conf.place[0].root, "/m");
	a.loop = ev_loop_new(EVFLAG_AUTO);
	a.penalty = penalty_new();
	a.recent = recent_new();
	a.timestamps = timestamps_new(0);
	a.turns = turns_new();
	a.failures = failures_new();
	userfile_init(&a.userfile, &a.rule, a.loop, NULL);
	a.userfile.generation = 1;
	if (scheme_init() != E_OK ||
	    users_parse(&a.userfile.users,
		(struct slice){ users, sizeof(users) - 1 }, &a.rule, complain,
		NULL) != E_OK)
		abort();
	return 0;
}

static struct slice
next(const uint8_t **data, size_t *size)
{
	size_t n = (*data)[0] < *size - 1 ? (*data)[0] : *size - 1;
	struct slice in = { (const char *)*data + 1, n };

	*data += 1 + n;
	*size -= 1 + n;
	return in;
}

/* The users are said to be as they were: whoever waits for that goes on. */
static void
settle(void)
{
	userfile_told(&a.userfile, (struct userfile_news){ USERS_SAME, -1 },
	    (struct userfile_news){ USERS_SAME, -1 });
}

static const struct sasl_mechanism *
chosen(uint8_t what)
{
	size_t n = 0;

	while (sasl_mechanisms[n] != NULL)
		n++;
	return sasl_mechanisms[(what & MECHANISM) % n];
}

/* As long as one is expected. */
static void
exchange(struct auth_worker *w, const uint8_t *data, size_t size)
{
	const struct sasl_mechanism *m = chosen(data[0]);
	struct auth_slot *slot = auth_slot_for(w, 1);
	struct connection c = { .plus_offered = (data[0] & OFFERED) != 0 };
	struct slice in;

	if (m->asks == SASL_PASSWORD ||
	    (slot->signin = signin_begin(w, 1, "::1", "SASL")) == NULL)
		return;
	slot->sid = 1;
	if (data[0] & BOUND) {
		c.n_bindings = 1;
		strcpy(c.binding[0].name, "tls-exporter");
		c.binding[0].data = (struct slice){ "bind", 4 };
	}
	signin_sasl(
	    slot->signin, (struct slice){ m->name, strlen(m->name) }, &c, NULL);
	if (slot->signin != NULL) /* so that a whole exchange can be a seed */
		slot->signin->sasl->nonce = "ours";
	for (data++, size--; size > 0 && slot->signin != NULL; settle()) {
		in = next(&data, &size);
		if (slot->signin->state != SASL ||
		    signin_step(slot->signin, in) != E_OK)
			break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct role_peer peer = { ROLE_WORKER, 0, 0 };
	int up[2], worker[2];

	if (size == 0)
		return 0;
	if (ipc_pair(up, NULL) != E_OK || ipc_pair(worker, NULL) != E_OK)
		abort();
	a.role.parent = a.userfile.ctl =
	    ipc_open(a.loop, up[0], &no_rules, NULL, false);
	auth_worker_attach(&a, &peer, worker[0]);
	exchange(LIST_FIRST(&a.workers), data, size);
	/* Another in its place: that one has gone. */
	auth_worker_attach(&a, &peer, worker[1]);
	settle();
	if (a.n_signins != 0)
		abort();
	ipc_close(a.userfile.ctl);
	close(up[1]);
	return 0;
}
