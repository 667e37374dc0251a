/*
 * mta_ask.h - the sign-ins of all connections, and what auth is asked about them.
 */
#ifndef SERVER_SASL_MTA_ASK_H
#define SERVER_SASL_MTA_ASK_H

#include "server/sasl/sasl_process.h"

void mta_ask_init(struct sasl_process *p);

/* Its number; 0: auth cannot be asked now. */
uint64_t mta_ask_begin(struct sasl_process *p, struct mta_conn *conn,
    uint8_t service, const struct mta_sign_in *s);
/* E_CLOSED, E_FULL, E_NOMEM: auth cannot be asked now. */
enum err mta_ask_step(
    struct sasl_process *p, uint64_t sid, struct slice response) NODISCARD;
void mta_ask_end(struct sasl_process *p, uint64_t sid);

/* Auth has said the last word about it. */
void mta_ask_over(struct sasl_process *p, uint64_t sid);

/* Whose it is; NULL: nobody's any more. */
struct mta_conn *mta_ask_whose(const struct sasl_process *p, uint64_t sid);

#endif
