/*
 * imap_conn.h - a connection to an IMAP server, up to being signed in, by a thread
 * that may wait.
 *
 *	imap_conn.c     the line, and waiting for answers
 *	imap_sign_in.c  signing in
 *	imap_open.c     all that comes before a command
 *	imap_find.c     whether a message is there
 *	imap_append.c   messages that are sent, and the answers
 *	imap.c          the kind of delivery
 *
 * The protocol itself is src/imap/, the octets go over src/net/line.h in a loop of
 * the connection's own.
 */
#ifndef CLIENT_DELIVER_IMAP_CONN_H
#define CLIENT_DELIVER_IMAP_CONN_H

#include <ev.h>
#include <stdatomic.h>

#include "client/conf/dest_login.h"
#include "client/deliver/remote.h"
#include "imap/imap_client.h"
#include "net/line.h"

struct imap_conn_conf {
	double timeout; /* seconds of silence */
	/* See struct delivery_env. */
	enum err (*ask)(void *arg, const struct account *login, bool anew,
	    char *secret, size_t size, struct errbuf *eb);
	void (*judged)(
	    void *arg, const struct account *login, const char *refused);
	void *ask_arg;
	const atomic_bool *stopping;
};

struct imap_conn {
	const struct destination *at;
	struct imap_client client;
	struct line line;
	bool open;    /* signed in */
	bool anew;    /* the token is to be another one */
	bool settled; /* since it was opened: see imap_find() */
	bool gave_up; /* we did not wait any longer: it may still be at it */
	/* Not NULL, and above 0: what is not there yet is not waited for. */
	const atomic_uint *hurry;

	/* The rest is for imap_conn.c and imap_sign_in.c. */
	struct imap_conn_conf conf;
	struct ev_loop *loop;
	struct dialer *dialer;
	ev_timer tick;
	ev_async nudge;
	bool dialed, hurried;
	enum err failed; /* E_OK: the line is good */
	struct errbuf why;
	char *secret; /* room for IMAP_SECRET; NULL: not asked for yet */
};

enum { IMAP_SECRET = 64 * 1024 };

/* Nothing is connected.  Once *stopping is set, what is awaited has some seconds,
 * so that a thread that delivers ends soon. */
enum err imap_conn_init(struct imap_conn *c, const struct destination *at,
    const struct imap_conn_conf *conf, struct errbuf *eb) NODISCARD;
void imap_conn_free(struct imap_conn *c);

void imap_conn_close(struct imap_conn *c);
/* Has the server not ended it meanwhile? */
bool imap_conn_is_alive(struct imap_conn *c);

/* What comes next; sends what is in line.out.  After an error the connection is to
 * be closed.  IMAP_EV_MORE: nothing has come, and there is a hurry. */
enum err imap_conn_next(
    struct imap_conn *c, struct imap_event *ev, struct errbuf *eb) NODISCARD;
/* The same, if it is there by now: else ev is IMAP_EV_MORE. */
enum err imap_conn_poll(
    struct imap_conn *c, struct imap_event *ev, struct errbuf *eb) NODISCARD;
/* Is so much waiting to be sent that nothing should be put behind it now, although
 * what can be sent has been? */
bool imap_conn_is_full(struct imap_conn *c);
/* From any thread, while it is not freed: whoever waits there looks whether there
 * is a hurry by now. */
void imap_conn_nudge(struct imap_conn *c);
/* Sends, and waits for something to happen: octets to come or to leave. */
enum err imap_conn_turn(struct imap_conn *c, struct errbuf *eb) NODISCARD;

/* After a command was put into line.out as e says: waits for its end, and hands
 * data that comes before to `data` (or NULL).  ev is what it ended by. */
enum err imap_conn_ask(struct imap_conn *c, enum err e, struct imap_event *ev,
    void (*data)(void *arg, const struct imap_response *r), void *arg,
    struct errbuf *eb) NODISCARD;

/* What the server has refused, with its words; returns e. */
enum err imap_conn_refused(const struct imap_conn *c, enum err e,
    const struct imap_response *r, struct errbuf *eb);

/* A new line; then TLS over it. */
enum err imap_conn_dial(struct imap_conn *c, struct errbuf *eb) NODISCARD;
enum err imap_conn_tls(struct imap_conn *c, struct errbuf *eb) NODISCARD;
/* From now on something has to happen within the timeout. */
void imap_conn_expect(struct imap_conn *c);

/* ---- imap_sign_in.c ---- */

/* Over a connection that TLS protects. */
enum err imap_sign_in(struct imap_conn *c, struct errbuf *eb) NODISCARD;

/* ---- imap_open.c ---- */

/* Connects and signs in, if that has not been done.  E_AGAIN, E_CLOSED, E_IO,
 * E_NOENT: it may do so later; E_CONFIG, E_DENIED, E_FORMAT: a person should look
 * at it.  All words say which server. */
enum err imap_open(struct imap_conn *c, struct errbuf *eb) NODISCARD;

/* ---- imap_find.c ---- */

/* Messages there of which it is known which one of ours they are: another one with
 * the same octets is another message. */
struct imap_claims {
	uint32_t *v;
	size_t n, room;
};
/* False: memory; then one of two that are the same may be taken for both. */
bool imap_claim(struct imap_claims *c, uint32_t uid);

/* See remote_find.  Opens the mailbox for reading; what is found is claimed. */
enum err imap_find(struct imap_conn *c, struct imap_claims *claims,
    const char *mailbox, const struct parcel *p, const char *message_id,
    enum remote_answer *answer_r, struct errbuf *eb) NODISCARD;

#endif
