/*
 * uid_store.h - stores of users' own uids, one for each uid and gid: started when
 * auth asks, ended when they have been idle.
 */
#ifndef SERVER_PARENT_UID_STORE_H
#define SERVER_PARENT_UID_STORE_H

#include "server/parent/child.h"

/* auth asks for a store; it is told IPC_STORE_IS and IPC_ATTACH, IPC_NO_STORE,
 * or IPC_STORES_FULL. */
void uid_store_wanted(struct child *auth, struct owner owner);

/* The store says that it has been idle for long: auth is told so, and may
 * give it up; then it ends. */
void uid_store_idle(struct child *store);
void uid_store_given_up(struct parent *p, uint16_t index);

/* The same, and then the store of that owner is started in its place. */
void uid_store_replace(struct child *auth, uint16_t index, struct owner owner);

#endif
