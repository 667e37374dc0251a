/*
 * owner.h - whose mail a store keeps: the user and the group that it runs as, and
 * the mail root that it is confined to, by its number (struct conf_root).
 *
 * Users of one uid and different groups have a store each, so neither reads by
 * the other's group.
 */
#ifndef SERVER_IPC_OWNER_H
#define SERVER_IPC_OWNER_H

#include "server/ipc/ipc.h"

enum { OWNER_OCTETS = 12 };

struct owner {
	uint32_t uid, gid, root;
};

static inline bool
owner_same(struct owner a, struct owner b)
{
	return a.uid == b.uid && a.gid == b.gid && a.root == b.root;
}

static inline void
ipc_put_owner(struct ipc_chan *c, struct owner o)
{
	ipc_put_u32(c, o.uid);
	ipc_put_u32(c, o.gid);
	ipc_put_u32(c, o.root);
}

static inline struct owner
ipc_get_owner(struct ipc_in *in)
{
	uint32_t uid = ipc_get_u32(in), gid = ipc_get_u32(in);

	return (struct owner){ uid, gid, ipc_get_u32(in) };
}

#endif
