/*
 * auth.h - the auth process: decides every sign-in.
 *
 * Knows: the users file, password schemes, who failed how often.  Opens
 * nothing (the parent hands it the users file), connects to nothing.
 */
#ifndef SERVER_AUTH_AUTH_H
#define SERVER_AUTH_AUTH_H

#include "server/conf/auth_conf.h"

/* The life of the process.  ctl: its channel to the parent. */
int auth_main(int ctl);

#endif
