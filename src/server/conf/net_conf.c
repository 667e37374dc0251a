#include "server/conf/net_conf.h"

#include <string.h>

#define F(m)   FIELD(struct issuer_conf, m)
#define STR(m) FIELD_STR(struct issuer_conf, m)

static const struct ipc_field issuer[] = {
	STR(name),
	STR(issuer),
	STR(audience),
	STR(algorithms),
	STR(scope),
	STR(user_claim),
	STR(keys),
	STR(introspection),
	STR(client_id),
	STR(client_secret_file),
	STR(ca_file),
	F(refresh),
	F(keep),
	F(leeway),
	F(timeout),
};
const struct ipc_fields issuer_conf_fields = FIELDS(issuer);

static const struct ipc_field field[] = {
	ROLE_FIELDS(struct net_conf),
	FIELD_ROWS(struct net_conf, issuer, n_issuers, &issuer_conf_fields),
};
const struct ipc_fields net_conf_fields = FIELDS(field);

bool
issuer_fetches_keys(const struct issuer_conf *c)
{
	return strncmp(c->keys, "https://", strlen("https://")) == 0;
}
