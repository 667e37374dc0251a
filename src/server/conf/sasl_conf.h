/*
 * sasl_conf.h - the settings of the process that answers programs which ask who
 * signs in to them, as the parent sends them.
 */
#ifndef SERVER_CONF_SASL_CONF_H
#define SERVER_CONF_SASL_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc/role.h"

/* One socket; its place is the number of the service in IPC_SERVICE. */
struct sasl_service_conf {
	int fd; /* listening, non-blocking */
	char name[SERVICE_MAX];
	bool plain_passwords; /* though the client is not inside TLS */
	char mechanisms[256]; /* names, separated by spaces */
};

struct sasl_conf {
	struct role_conf role;
	struct sasl_service_conf service[SERVICES_MAX];
	uint16_t n_services;
	uint32_t
	    login_timeout; /* seconds, for the client's part of an exchange */
};

/* How struct sasl_conf travels: every member must be in it. */
extern const struct ipc_fields sasl_conf_fields;

#endif
