/*
 * submission.h - a session with the server that sends an account's mail.
 *
 * It signs in and hands in one message after the other.  That the end of a message
 * may be on its way is on the disk before that leaves.
 */
#ifndef CLIENT_SEND_SUBMISSION_H
#define CLIENT_SEND_SUBMISSION_H

#include "client/conf/account.h"
#include "client/send/outbox_thread.h"
#include "client/session/facts.h"
#include "client/session/outcome.h"

struct dialer;
struct ev_loop;
struct submission;

enum { SUBMISSION_WORDS = 1024 };

struct submission_result {
	enum outcome outcome; /* OUTCOME_OK: nothing is wrong with the server */
	enum cause cause;
	bool refused_token; /* another one may do */
	bool denied; /* what was refused is not offered again by itself */
	char words[SUBMISSION_WORDS]; /* why it has failed */
	char tls[64], sign_in[32];    /* empty: it did not come to that */
};

/* Called from the loop, and not at all after submission_free(), which is permitted
 * within `over`. */
struct submission_hooks {
	/* The next message, which the session may send now; NULL: there is no
	 * other. */
	struct outbox_item *(*next)(void *arg);
	/* The session has done with the message, for now or for good, as its fates
	 * say; they are to be put on record.  It goes on after submission_next(). */
	void (*done)(void *arg, struct outbox_item *item);
	/* Once: it has ended.  A message that is under way was told of before. */
	void (*over)(void *arg, const struct submission_result *result);
	void (*trace)(void *arg, bool received, const char *line); /* or NULL */
};

struct submission_conf {
	struct ev_loop *loop;
	struct dialer *dialer;
	const struct account *account; /* has smtp.server */
	const char *state_dir;
	struct outbox_thread *thread; /* NULL: nothing is sent, only tried */
	bool terminal; /* a person can be asked for the password */
	bool anew;     /* the token that is kept was refused */
	bool insist;   /* what was refused is offered again */
	const struct submission_hooks *hooks;
	void *arg;
};

/* Borrows all until it is freed.  E_NOMEM. */
enum err submission_start(struct submission **s_r,
    const struct submission_conf *conf, struct errbuf *eb) NODISCARD;
/* After `done`: on with the next one.  May end the session. */
void submission_next(struct submission *s);
/* At any time: what is under way may be "perhaps sent" then.  NULL is a no-op. */
void submission_free(struct submission *s);

/* The account as it is where it sends: its server, port, user and so on are those
 * for that.  Borrows all of it; nothing is to be freed. */
struct account submission_account(const struct account *a);

#endif
