/*
 * test_json.h - what `malote test --json` says.
 */
#ifndef CLIENT_COMMAND_TEST_JSON_H
#define CLIENT_COMMAND_TEST_JSON_H

#include <jansson.h>

#include "client/setup/trial.h"

/* One step.  The caller's. */
json_t *test_json_step(const struct trial_report *r);
/* One account; takes `steps`.  The caller's. */
json_t *test_json_account(const struct account *a, enum outcome o,
    json_t *steps, const struct facts *f);

#endif
