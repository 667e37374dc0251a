/*
 * postman.h - sends what waits in the outbox while a daemon runs: it looks each
 * minute.
 */
#ifndef CLIENT_POSTMAN_H
#define CLIENT_POSTMAN_H

#include "client/conf/client_conf.h"
#include "client/send/outgoing.h"

struct dialer;
struct ev_loop;
struct postman;

struct postman_conf {
	struct ev_loop *loop;
	struct dialer *dialer;
	const struct client_conf *conf;
	const char *state_dir;
	/* What has become of a message. */
	void (*told)(void *arg, const struct outgoing *o);
	void *arg;
};

/* Borrows all until it is freed.  NULL: memory. */
struct postman *postman_new(const struct postman_conf *conf) NODISCARD;
/* No other run begins; one that is under way has some seconds left. */
void postman_stop(struct postman *p);
/* Does a run go on? */
bool postman_is_busy(const struct postman *p);
void postman_free(struct postman *p);

#endif
