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

int net_main(int ctl);

#endif
