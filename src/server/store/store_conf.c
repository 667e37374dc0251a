#include "server/store/store.h"

void
store_conf_put(struct ipc_chan *c, const struct store_conf *conf)
{
	role_put(c, &conf->role);
	ipc_put_str(c, conf->root);
	ipc_put_str(c, conf->uidl_format);
	ipc_put_u8(c, (uint8_t)conf->uidl);
	ipc_put_u8(c, conf->shared);
	ipc_put_u8(c, conf->mark_seen);
	ipc_put_u8(c, conf->create);
	ipc_put_u8(c, conf->log_removed);
	ipc_put_u32(c, conf->takeover);
	ipc_put_u16(c, conf->threads);
	ipc_put_u32(c, conf->idle_end_ms);
}

void
store_conf_get(struct ipc_in *in, struct store_conf *conf)
{
	uint8_t uidl;

	role_get(in, &conf->role);
	ipc_get_str(in, conf->root, sizeof(conf->root));
	ipc_get_str(in, conf->uidl_format, sizeof(conf->uidl_format));
	uidl = ipc_get_u8(in);
	in->bad = in->bad || uidl > UIDL_COURIER;
	conf->uidl = (enum store_uidl)uidl;
	conf->shared = ipc_get_u8(in) != 0;
	conf->mark_seen = ipc_get_u8(in) != 0;
	conf->create = ipc_get_u8(in) != 0;
	conf->log_removed = ipc_get_u8(in) != 0;
	conf->takeover = ipc_get_u32(in);
	conf->threads = ipc_get_u16(in);
	conf->idle_end_ms = ipc_get_u32(in);
}
