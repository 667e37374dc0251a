/*
 * status.h - what is configured, and what has been collected so far.
 */
#ifndef CLIENT_REPORT_STATUS_H
#define CLIENT_REPORT_STATUS_H

#include <stdbool.h>

#include "client/conf/client_conf.h"

enum status_kind { STATUS_ACCOUNTS, STATUS_STATUS, STATUS_JSON };

/* Prints the chosen accounts (beside conf->v). */
enum err status_print(const struct client_conf *conf, const bool *chosen,
    const char *state_dir, enum status_kind kind, struct errbuf *eb) NODISCARD;

#endif
