/*
 * mailer.h - sends what waits in the outbox, account by account.
 *
 * A message that could not be sent waits for longer each time, and goes on where
 * it was: recipients that have it are not asked for again.  What was refused for
 * good, and what is perhaps sent, stays in the outbox until the person has decided.
 */
#ifndef CLIENT_SEND_MAILER_H
#define CLIENT_SEND_MAILER_H

#include "client/conf/client_conf.h"
#include "client/send/outbox.h"
#include "client/send/submission.h"

struct mailer;

struct mailer_hooks {
	/* What has become of a message by now. */
	void (*message)(void *arg, const struct outgoing *o);
	/* Nothing else is due, or can be sent; mailer_free() is permitted. */
	void (*over)(void *arg);
	void (*trace)(void *arg, bool received, const char *line); /* or NULL */
};

struct mailer_conf {
	struct ev_loop *loop;
	struct dialer *dialer;
	const struct client_conf *conf;
	const char *state_dir;
	bool terminal; /* a person can be asked for passwords */
	bool insist;   /* a sign-in that was refused is tried again */
	const struct mailer_hooks *hooks;
	void *arg;
};

/* Borrows all but outbox and item, which it takes over (as they are empty then).
 * item: this message only, due or not; nothing in it: all that are due.  E_NOMEM,
 * E_IO, ...: nothing was begun, and what was to be taken over is still the
 * caller's. */
enum err mailer_start(struct mailer **m_r, const struct mailer_conf *conf,
    struct outbox *outbox, struct outbox_item *item,
    struct errbuf *eb) NODISCARD;
/* Messages that are under way may be "perhaps sent" then.  NULL is a no-op. */
void mailer_free(struct mailer *m);

/* Is there something to be done now? */
bool mailer_is_needed(struct outbox *b);

/* Is something still to be done with it by itself: a recipient waits, or the copy? */
bool outgoing_is_open(const struct outgoing *o);

/* Is there something to be sent at that time? */
bool outgoing_is_due(const struct outgoing *o, int64_t now);

#endif
