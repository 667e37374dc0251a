/*
 * client_pending.h - the client's commands that await their replies, in their order.
 * Shared by the client's files.
 */
#ifndef POP3_CLIENT_PENDING_H
#define POP3_CLIENT_PENDING_H

#include "pop3/client.h"

struct pop3_outstanding {
	enum pop3_cmd cmd;
	uint32_t msgno;
	size_t octets; /* as it was sent */
};

/* Room for one more: the next push cannot fail. */
enum err pop3_pending_reserve(struct pop3_client *c) NODISCARD;
void pop3_pending_push(struct pop3_client *c, struct pop3_outstanding o);

/* The oldest; there must be one. */
const struct pop3_outstanding *pop3_pending_first(const struct pop3_client *c);
/* The one behind it; there must be two. */
const struct pop3_outstanding *pop3_pending_second(const struct pop3_client *c);
void pop3_pending_pop(struct pop3_client *c);

#endif
