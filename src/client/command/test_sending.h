/*
 * test_sending.h - tries the server that sends an account's mail: up to the
 * sign-in, and nothing is sent.
 */
#ifndef CLIENT_COMMAND_TEST_SENDING_H
#define CLIENT_COMMAND_TEST_SENDING_H

#include <jansson.h>

#include "client/send/submission.h"

struct test_sending {
	struct ev_loop *loop;
	struct dialer *dialer;
	const char *state_dir;
	bool terminal;
	void (*trace)(void *arg, bool received, const char *line); /* or NULL */
	void *arg;
};

/* The account has smtp.server. */
void test_sending_run(const struct test_sending *t, const struct account *a,
    struct submission_result *result);

/* For --json; the caller's. */
json_t *test_sending_json(
    const struct account *a, const struct submission_result *r);

#endif
