/*
 * upgrade_conf.h - what the process that upgrades stored passwords is told: it
 * does that, and ends.
 */
#ifndef SERVER_CONF_UPGRADE_CONF_H
#define SERVER_CONF_UPGRADE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "server/ipc/fields.h"
#include "server/ipc/proto.h"

/* At a time; more wait for their user's next sign-in. */
enum { UPGRADES_MAX = 16, SCHEME_NAME_MAX = 32 };

/* By the name that the rule makes of it. */
struct upgrade_row {
	char user[NAME_MAX_OCTETS + 1];
	char was[SCHEME_STORED_MAX], hash[SCHEME_STORED_MAX];
};

struct upgrade_conf {
	char users[MAIL_PATH_MAX]; /* the file */
	char scheme[SCHEME_NAME_MAX];
	char default_domain[256]; /* the rule for names, as auth has it */
	bool login_lower;
	char login_characters[64], login_separators[64];
	uint16_t n_rows;
	struct upgrade_row row[UPGRADES_MAX];
};

extern const struct ipc_fields upgrade_row_fields, upgrade_conf_fields;

#endif
