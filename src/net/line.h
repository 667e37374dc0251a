/*
 * line.h - the line to a server: its name found, a socket, TLS, and how long
 * each may take.
 *
 * Knows octets and time, nothing of POP3.  What happens is told by hooks.
 */
#ifndef NET_LINE_H
#define NET_LINE_H

#include <ev.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/conn.h"
#include "net/dial.h"
#include "net/tls_client.h"

/* Called from the loop; each may close the line. */
struct line_hooks {
	/* line_dial() has ended.  E_OK: the line is open.  Else `words` say why
	 * not; E_NOENT: the server's name leads nowhere. */
	void (*dialed)(void *arg, enum err e, const char *words);
	/* The handshake has ended well. */
	void (*secured)(void *arg);
	/* Octets have come, behind those in `in`. */
	void (*came)(void *arg);
	/* line_flush() can send more. */
	void (*writable)(void *arg);
	/* E_CLOSED: the server has ended it in order; E_NOMEM; else it is
	 * broken, or TLS is.  The line is to be closed. */
	void (*lost)(void *arg, enum err e);
	/* Nothing has happened for the seconds of line_expect(). */
	void (*silent)(void *arg, double seconds);
	/* The seconds of line_limit() have passed. */
	void (*overdue)(void *arg);
	/* Nothing has been sent for a minute since line_rest(). */
	void (*idle)(void *arg);
};

struct line {
	/* To be used by the owner. */
	struct buf in, out;
	struct conn conn; /* to ask TLS what it is; fd -1: none */
	bool handshaking, secure;

	/* The rest is line.c's own. */
	struct ev_loop *loop;
	const struct line_hooks *hooks;
	void *arg;
	struct dial *dial;
	SSL_CTX *tls;
	ev_io reading, writing;
	ev_timer deadline, limit, idle, more;
};

void line_init(struct line *l, struct ev_loop *loop,
    const struct line_hooks *hooks, void *arg);
/* Stops whatever is under way; what is in `in` and `out` is gone. */
void line_close(struct line *l);

static inline bool
line_is_open(const struct line *l)
{
	return l->conn.fd >= 0;
}

/* E_CONFIG: server or proxy make no sense; `dialed` is not called then. */
enum err line_dial(struct line *l, struct dialer *dialer,
    const struct dial_conf *conf, struct errbuf *eb) NODISCARD;

/* Over an open line.  Hooks may be called within.  E_CONFIG: what `conf` names
 * cannot be read, or does not fit. */
enum err line_start_tls(struct line *l, const struct tls_client_conf *conf,
    const char *server, struct errbuf *eb) NODISCARD;

/* Sends what can be sent of `out` now. */
void line_flush(struct line *l);

/* From now on an answer is awaited, for so many seconds; 0: for as long as it
 * takes.  To be called again with everything that happens. */
void line_expect(struct line *l, double seconds);
/* None is: it is for us to go on, and the server should not think that we have
 * gone. */
void line_rest(struct line *l);
/* All that is left to be done must be over in so many seconds from now. */
void line_limit(struct line *l, double seconds);

#endif
