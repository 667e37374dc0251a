/*
 * metrics_conf.h - the settings of the process that tells monitors what is counted,
 * as the parent sends them.
 */
#ifndef SERVER_CONF_METRICS_CONF_H
#define SERVER_CONF_METRICS_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "server/ipc/role.h"

struct metrics_conf {
	struct role_conf role;
	int fd;         /* listening, non-blocking */
	int tally_fd;   /* for reading */
	uint16_t pages; /* of it: tally.h */
	uint32_t since; /* when the server began, seconds since 1970 */
	char version[24];
};

/* How struct metrics_conf travels: every member must be in it. */
extern const struct ipc_fields metrics_conf_fields;

/* What the setting `metrics' says: "127.0.0.1:9110", "[::1]:9110", or "unix:/PATH",
 * whose path is borrowed from it. */
struct metrics_at {
	const char *path; /* NULL: an address */
	struct sockaddr_storage sa;
	socklen_t len;
};

/* False: it is none of these, or others than this machine could reach it. */
bool metrics_parse(struct metrics_at *at, const char *text);

#endif
