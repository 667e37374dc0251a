/*
 * store.h - the store process: maildrops, as the user that owns them.
 *
 * Knows: Maildirs, locks, the index, unique-ids.  Does not know: passwords,
 * POP3, the network.
 */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include "server/conf/store_conf.h"

int store_main(int ctl);

#endif
