#include "server/conf/sasl_conf.h"

static const struct ipc_field service[] = {
	FIELD_FD(struct sasl_service_conf, fd),
	FIELD_STR(struct sasl_service_conf, name),
	FIELD(struct sasl_service_conf, plain_passwords),
	FIELD_STR(struct sasl_service_conf, mechanisms),
};
static const struct ipc_fields service_fields = FIELDS(service);

static const struct ipc_field field[] = {
	ROLE_FIELDS(struct sasl_conf),
	FIELD_ROWS(struct sasl_conf, service, n_services, &service_fields),
	FIELD(struct sasl_conf, login_timeout),
};
const struct ipc_fields sasl_conf_fields = FIELDS(field);
