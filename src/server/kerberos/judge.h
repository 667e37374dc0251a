/*
 * judge.h - what a client has shown, and what it comes to.
 */
#ifndef SERVER_KERBEROS_JUDGE_H
#define SERVER_KERBEROS_JUDGE_H

#include "base/buf.h"
#include "server/kerberos/keys.h"

struct verdict {
	enum ticket_result result;
	char principal[PRINCIPAL_MAX];
	char why[256];
	struct buf authzid, reply; /* the caller has set them up */
};

/* An exchange of GSSAPI: zero before its first message. */
struct exchange {
	gss_ctx_id_t context;
	enum { TOKENS, LAYERS_NEXT, LAYERS } step;
	unsigned rounds;
	char principal[PRINCIPAL_MAX];
};

/* A message of it. */
void judge_gssapi(struct keys *k, struct exchange *x, struct slice message,
    struct verdict *v);
void judge_end(struct exchange *x);

/* KPOP's AP-REQ. */
void judge_ap_req(struct keys *k, struct slice message, struct verdict *v);

#endif
