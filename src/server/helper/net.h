/*
 * net.h - the process that looks at tokens of OAuth: the blocks `oauth` of the
 * configuration.
 *
 * Auth hands it what clients bring instead of a password, and gets a name, or why it
 * is none.  It sees no password, knows no users and no mail, and is the one process
 * that connects to issuers.  What it says is a name only: that there is such a user,
 * and that they may sign in, auth decides as for anybody.  Each token is a job for
 * one of a number of threads; those for which somebody must be asked never have all
 * of them, so an issuer that hangs keeps nobody waiting but its own users.
 */
#ifndef SERVER_HELPER_NET_H
#define SERVER_HELPER_NET_H

#include "server/helper/token_judge.h"

int net_main(int ctl);

/* ---- for whoever else asks an issuer ---- */

/* NULL: it is not installed. */
const struct token_judge *net_judge(void);

/* Becomes the role's user, who reaches that only, and can make the system calls of
 * whoever asks; between the two threads can be started. */
void net_confine(const struct role_conf *r, struct db_reach *reach);
void net_limit(void);

#endif
