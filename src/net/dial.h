/*
 * dial.h - connections to servers by name, without waiting.
 *
 * Names are resolved by c-ares in the loop.  Addresses of both families are
 * tried in turn, a quarter of a second apart until one answers (RFC 8305).  A
 * SOCKS5 proxy (RFC 1928, 1929) is given the name as it is: nothing is
 * resolved here then.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ev_loop;
struct sockaddr_storage;
struct dialer;
struct dial;

/* The resolver; one a loop. */
enum err dialer_new(
    struct dialer **d_r, struct ev_loop *loop, struct errbuf *eb) NODISCARD;
void dialer_free(struct dialer *d); /* all its dials must be over */

/* For tests: "127.0.0.1:5353" in place of the system's name servers; borrowed
 * for as long as the dialer lives. */
void dialer_set_servers(struct dialer *d, const char *servers);

struct dial_conf {
	const char *host; /* name or address literal */
	uint16_t port;
	const char *proxy; /* "[socks5://][USER:PASSWORD@]HOST[:PORT]"; NULL */
	double timeout;    /* seconds, for all of it */
	/* Told of the addresses (the proxy's, if there is one) before any is
	 * tried; borrowed during the call.  NULL: nobody is. */
	void (*found)(
	    void *found_arg, const struct sockaddr_storage *v, size_t n);
	void *found_arg;
};

/* Called once, never from within dial_start(), not at all after dial_cancel();
 * the dial is over and gone by then.  E_OK: fd is a connected non-blocking
 * socket, now the callee's, with TCP_NODELAY and keepalive; `words` is the
 * address in print, the proxy's if there is one.  Else fd is -1 and `words` say
 * what failed, for people, translated, with host and port: E_NOENT: the name or
 * its address does not exist; E_DENIED: the proxy refuses us; E_FORMAT: what
 * answers is no proxy; E_CLOSED: nobody listens at that port; E_AGAIN: the time is
 * over; E_IO: anything else. */
typedef void dial_done(void *arg, enum err e, int fd, const char *words);

/* Borrows conf only for the call.  E_CONFIG: host or proxy make no sense. */
enum err dial_start(struct dial **dial_r, struct dialer *d,
    const struct dial_conf *conf, dial_done *done, void *arg,
    struct errbuf *eb) NODISCARD;
void dial_cancel(struct dial *dial); /* NULL is a no-op */

/* Is `proxy` well formed?  For the configuration. */
enum err dial_check_proxy(const char *proxy, struct errbuf *eb) NODISCARD;

#endif
