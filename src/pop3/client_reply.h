/*
 * client_reply.h - the lines of a server, taken apart.  Shared by the client's files.
 *
 * Lines come without their ends and may hold anything.
 */
#ifndef POP3_CLIENT_REPLY_H
#define POP3_CLIENT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum pop3_status {
	POP3_STATUS_NONE, /* not a reply */
	POP3_STATUS_OK,
	POP3_STATUS_ERR,
	POP3_STATUS_CHALLENGE, /* "+" or "+ ..." */
};

/* *text_r: what follows the indicator and one space. */
enum pop3_status pop3_reply_status(struct slice line, struct slice *text_r);

/* A greeting that is none of POP3's: what the peer speaks, or that it is not
 * known; translatable. */
const char *pop3_reply_stranger(struct slice line);

/* The text behind the +OK of STAT, exactly as RFC 1939 s5 has it. */
bool pop3_reply_stat(struct slice text, uint32_t *count_r, uint64_t *octets_r);

/* Takes a message number off the front of a line of LIST or UIDL; 0: there is
 * none. */
uint32_t pop3_reply_msgno(struct slice *line);

/* Copies the first valid timestamp of a greeting, with its brackets and a NUL:
 * an RFC 822 msg-id, as all else helps an attacker to find the password
 * (CVE-2007-1558).  An empty string if there is none. */
void pop3_reply_timestamp(struct slice greeting, char *out, size_t size);

#endif
