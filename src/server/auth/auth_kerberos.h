/*
 * auth_kerberos.h - the process that looks at tickets, as auth sees it: its
 * channel, what it has been asked, and which keys it has.
 */
#ifndef SERVER_AUTH_AUTH_KERBEROS_H
#define SERVER_AUTH_AUTH_KERBEROS_H

#include <ev.h>

#include "server/auth/process.h"

/* Borrowed while done() runs. */
struct ticket_answer {
	enum ticket_result result;
	struct slice authzid, reply;
	char principal[PRINCIPAL_MAX];
	char why[256];
};

/* An exchange with that process; zero before it is first asked. */
struct ticket_wait {
	/* Called once for each message, after kerberos_ask() has returned; that
	 * the process has died, or says nothing, is TICKET_FAILED. */
	void (*done)(struct ticket_wait *w, const struct ticket_answer *said);
	struct auth *auth;
	uint64_t id;   /* 0: there is none */
	bool is_asked; /* an answer is awaited */
	ev_timer deadline;
};

/* The process has come; takes fd.  When it has said which keys it has, and when
 * it is gone, a->realms changes. */
void kerberos_attach(struct auth *a, int fd);

/* A message of a client.  E_CLOSED: the process is not there, or not the one
 * that knows the exchange; E_FULL: there are too many. */
enum err kerberos_ask(struct auth *a, struct ticket_wait *w,
    enum ticket_kind kind, struct slice message) NODISCARD;

/* It does not go on; for one that was never asked, or has ended, nothing. */
void kerberos_drop(struct ticket_wait *w);

#endif
