/*
 * adding.h - what the steps of add.h share.
 *
 * A step returns true to go on; else a->result has the code and the words.
 */
#ifndef CLIENT_SETUP_ADDING_H
#define CLIENT_SETUP_ADDING_H

#include "client/setup/add.h"
#include "client/setup/find.h"

struct adding {
	const struct add_request *r;
	struct add_result *result;
	struct ev_loop *loop;
	struct dialer *dialer;
	struct client_conf conf; /* what is configured already */
	char *text;              /* as text; or NULL */
	char domain[HOST_MAX];
	struct found found;
	struct draft draft;
	bool other_address; /* the person is to be asked for another one */
};

/* Ends it; returns false. */
bool adding_fail(struct adding *a, int code, const char *fmt, ...) PRINTF(3, 4);
/* What the draft is, as an account: draft_account(); false: it has failed. */
bool adding_account(const struct adding *a, struct client_conf *c,
    const struct account **a_r, struct errbuf *eb);
/* The person wants to leave, at a question. */
bool adding_leave(struct adding *a);

#endif
