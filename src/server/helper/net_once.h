/*
 * net_once.h - a process like net.h's that asks one issuer once, whether it can be
 * asked, and ends: for maloted --check, in which nothing that a stranger sends is
 * read.
 */
#ifndef SERVER_HELPER_NET_ONCE_H
#define SERVER_HELPER_NET_ONCE_H

int net_once_main(int ctl);

#endif
