/*
 * lmtp_conn.h - a connection to an LMTP server, from a thread that may wait.
 *
 * RFC 2033, RFC 5321.  Every wait has a deadline; replies are bounded, and
 * one that was not asked for is an error.
 */
#ifndef CLIENT_DELIVER_LMTP_CONN_H
#define CLIENT_DELIVER_LMTP_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	LMTP_LINE = 1024, /* octets of a reply's line; 512 are legal */
	LMTP_LINES = 100, /* of a reply */
	LMTP_SHOWN = 120,
};

struct lmtp_conn {
	int fd;           /* -1: not connected */
	unsigned timeout; /* seconds for each reply, and for the server to take
	                   * some octets */
	bool eightbit;    /* 8BITMIME is offered */
	size_t n;         /* octets read but not used */
	char in[LMTP_LINE];
};

struct lmtp_reply {
	unsigned code;
	char text[LMTP_SHOWN]; /* its last line, safe to be seen */
};

void lmtp_conn_init(struct lmtp_conn *c, unsigned timeout);

/* path: a socket; or else host and port.  Until the greeting was read and LHLO
 * is answered.  Not connected on any error. */
enum err lmtp_connect(struct lmtp_conn *c, const char *path, const char *host,
    uint16_t port, const char *self, struct errbuf *eb) NODISCARD;

/* On any error the connection is of no use any more. */
enum err lmtp_send(
    struct lmtp_conn *c, const char *p, size_t n, struct errbuf *eb) NODISCARD;
enum err lmtp_reply(
    struct lmtp_conn *c, struct lmtp_reply *r_r, struct errbuf *eb) NODISCARD;
/* E_FORMAT: the server said something that would be taken for the answer to
 * what comes next. */
enum err lmtp_check_silent(
    const struct lmtp_conn *c, struct errbuf *eb) NODISCARD;
enum err lmtp_ask(struct lmtp_conn *c, struct lmtp_reply *r_r,
    struct errbuf *eb, const char *fmt, ...) PRINTF(4, 5) NODISCARD;

void lmtp_close(struct lmtp_conn *c);

#endif
