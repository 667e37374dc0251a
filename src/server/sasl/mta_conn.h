/*
 * mta_conn.h - the connections of the programs that ask us.
 */
#ifndef SERVER_SASL_MTA_CONN_H
#define SERVER_SASL_MTA_CONN_H

#include "server/sasl/sasl_process.h"

/* Takes fd, which has just been accepted. */
void mta_conn_new(struct service *service, int fd);

/* What auth says of the sign-in, if anybody still waits for it. */
void mta_conn_challenge(
    struct sasl_process *p, uint64_t sid, struct slice challenge);
void mta_conn_accept(struct sasl_process *p, uint64_t sid, const char *user);
void mta_conn_refuse(struct sasl_process *p, uint64_t sid,
    enum sign_in_code code, const char *user);

/* Looks for who takes too long, or does not read. */
void mta_conns_look(struct sasl_process *p);

#endif
