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
 * not printable masked.  Printable is ASCII, and UTF-8 if the session has
 * chosen another language than English.  arg: as of pop3_text_write(). */
void pop3_server_say(struct pop3_server *s, struct buf *out, enum pop3_text t,
    const struct pop3_arg *arg);

/* The same for a line without words. */
void pop3_server_reply(
    struct pop3_server *s, struct buf *out, const char *fmt, ...) PRINTF(3, 4);

/* The same for one of the list of languages, which is UTF-8 (RFC 6856 s3). */
void pop3_server_reply_language(
    struct pop3_server *s, struct buf *out, const struct pop3_language *l);

/* Octets of the messages that are not marked; 0 if the maildrop said less of
 * all messages than of those that are marked. */
static inline uint64_t
pop3_server_octets(const struct pop3_server *s)
{
	return s->octets > s->marked_octets ? s->octets - s->marked_octets : 0;
}

void pop3_server_forget_name(struct pop3_server *s);

/* POP3_WANT_CLOSE comes next.  why: for s->why, unless there is a reason
 * already. */
void pop3_server_finish(struct pop3_server *s, const char *why);

#endif
