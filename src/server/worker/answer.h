/*
 * answer.h - what the answers of other processes, and their death, mean to a
 * session.
 */
#ifndef SERVER_WORKER_ANSWER_H
#define SERVER_WORKER_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "server/ipc/proto.h"

struct pop3_arg;
struct session;
struct store_link;

/* Of auth: an answer to the response, or the end of the sign-in.  user: who
 * was claimed, or "".  arg: as of pop3_text_write(), for SIGN_IN_IN_USE.
 * krb_error: for the client of KPOP whose ticket it was, or empty.
 * Ignored if the session does not sign in. */
void session_challenged(struct session *s, struct slice data);
void session_refused(struct session *s, const char *user,
    enum sign_in_code code, const struct pop3_arg *arg, struct slice krb_error);

/* Of a store: the maildrop is open.  left_out: messages in it that cannot be
 * read now. */
void session_opened(struct session *s, struct store_link *store,
    const char *user, uint32_t count, uint64_t octets, uint32_t left_out);

/* Of a store: the maildrop is updated and released. */
void session_committed(struct session *s, uint32_t removed, uint32_t failed);

/* A process that this session may depend on has died. */
void session_lost_auth(struct session *s);
void session_lost_store(struct session *s, const struct store_link *store);

/* Somebody else signs in to the maildrop.  True if the session has ended for
 * their sake: its client has said nothing and taken nothing for so long. */
bool session_yield(struct session *s, uint32_t seconds);

#endif
