/*
 * auth_net.h - the process that looks at tokens of OAuth, as auth sees it: its
 * channel, and what it has been asked.
 */
#ifndef SERVER_AUTH_AUTH_NET_H
#define SERVER_AUTH_AUTH_NET_H

#include <ev.h>

#include "server/auth/process.h"

struct token_answer {
	enum token_result result;
	const struct known_issuer *issuer; /* until done() has returned; NULL:
	                                    * it is of none */
	char user[NAME_MAX_OCTETS + 1];    /* as the issuer has it */
	char why[256];
};

struct net;

/* A question; zero before it is asked. */
struct token_wait {
	/* Called once, after net_ask() has returned; that the process has died, or
	 * says nothing, is TOKEN_FAILED. */
	void (*done)(struct token_wait *w, const struct token_answer *said);
	struct auth *auth;
	struct net *net; /* that was asked */
	uint64_t id;     /* 0: nothing is asked */
	ev_timer deadline;
};

/* The process has come; takes fd. */
void net_attach(struct auth *a, int fd);

/* E_CLOSED: the process is not there; E_FULL: it has been asked too much. */
enum err net_ask(
    struct auth *a, struct token_wait *w, struct slice token) NODISCARD;

/* Nobody wants to know any more; for one that was never asked, or has its answer,
 * nothing. */
void net_drop(struct token_wait *w);

#endif
