/*
 * verify_reply.h - what the process of a question says to the one that has started
 * it, as one message: an octet, the result, and whether it may be asked again; then
 * texts, each with a NUL: why, and the names and values of a row.
 */
#ifndef SERVER_HELPER_VERIFY_REPLY_H
#define SERVER_HELPER_VERIFY_REPLY_H

#include "server/helper/verify_driver.h"

enum {
	VERIFY_REPLY_MAX = 12 * 1024,
	VERIFY_ASK_AGAIN = 0x80, /* in the first octet */
};

/* E_IO: it cannot be said. */
enum err verify_reply_send(int fd, const struct verify_answer *a) NODISCARD;

/* What is no such message is an answer that nobody can say. */
void verify_reply_take(struct verify_answer *a, const char *p, size_t n);

#endif
