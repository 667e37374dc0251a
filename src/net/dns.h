/*
 * dns.h - a resolver of c-ares, in the loop, for one question.
 *
 * Each question has a resolver of its own, so it can be dropped at any time, and
 * a computer that came into another network asks its new name servers.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <ares.h>
#include <ev.h>
#include <stdbool.h>

#include "base/err.h"

struct dns {
	struct ev_loop *loop;
	ares_channel channel;
	ev_io io[ARES_GETSOCK_MAXNUM];
	ev_timer timer;
	bool over;
	void (*answered)(void *arg);
	void *arg;
};

/* Makes the resolver.  servers: "127.0.0.1:53,..." in place of the system's;
 * NULL.  `answered` is called once, from the loop, when dns_over() has been;
 * dns_clear() may be called in it. */
enum err dns_init(struct dns *d, struct ev_loop *loop, const char *servers,
    void (*answered)(void *arg), void *arg, struct errbuf *eb) NODISCARD;

/* After the question was given to d->channel. */
void dns_wait(struct dns *d);

/* For the function that c-ares calls with the answer. */
static inline void
dns_over(struct dns *d)
{
	d->over = true;
}

/* Calls that function with ARES_EDESTRUCTION if it has not been called. */
void dns_clear(struct dns *d);

#endif
