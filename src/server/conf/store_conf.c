#include "server/conf/store_conf.h"

#define F(m)   FIELD(struct store_conf, m)
#define STR(m) FIELD_STR(struct store_conf, m)

static const struct ipc_field field[] = {
	ROLE_FIELDS(struct store_conf),
	ROLE_TALLY_FIELDS(struct store_conf),
	STR(root),
	STR(mounts),
	STR(uidl_format),
	FIELD_ENUM(struct store_conf, uidl, UIDL_COURIER),
	FIELD_ENUM(struct store_conf, utf8_messages, UTF8_REFUSE),
	F(absent),
	F(shared),
	F(mark_seen),
	F(trash),
	F(create),
	F(follow_maildrop),
	F(log_removed),
	F(expire_share),
	F(expire_floor),
	F(takeover),
	F(per_user_max),
	F(threads),
	F(idle_end_ms),
};
const struct ipc_fields store_conf_fields = FIELDS(field);
