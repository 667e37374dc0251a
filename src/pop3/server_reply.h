/*
 * server_reply.h - what a command does to its session, whichever it is: writes
 * a reply, forgets the name of USER, ends the session.  The commands
 * (server_command.c) and what carries them out (server.c) stand on it.
 */
#ifndef POP3_SERVER_REPLY_H
#define POP3_SERVER_REPLY_H

#include "pop3/server.h"
#include "pop3/server_text.h"

/* One line: ended with CRLF, cut to the 512 octets of RFC 1939 s3, what is
 * not printable ASCII masked.  arg: as of pop3_text_write(). */
void pop3_server_say(struct pop3_server *s, struct buf *out, enum pop3_text t,
    const struct pop3_arg *arg);

/* The same for a line without words. */
void pop3_server_reply(
    struct pop3_server *s, struct buf *out, const char *fmt, ...) PRINTF(3, 4);

void pop3_server_forget_name(struct pop3_server *s);

/* POP3_WANT_CLOSE comes next.  why: for s->why, unless there is a reason
 * already. */
void pop3_server_finish(struct pop3_server *s, const char *why);

#endif
