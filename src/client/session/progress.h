/*
 * progress.h - how far a session is, for whoever watches it.
 *
 * It is asked for: a session that nobody watches does nothing for it but count.
 */
#ifndef CLIENT_SESSION_PROGRESS_H
#define CLIENT_SESSION_PROGRESS_H

#include <stdint.h>

struct visit;

/* What is being done. */
enum phase {
	PHASE_START, /* the record is read, the password is got */
	PHASE_WAIT,  /* until the server may be asked again */
	PHASE_CONNECT,
	PHASE_SIGN_IN,
	PHASE_LIST,
	PHASE_CHECK, /* headers tell which messages are here */
	PHASE_COLLECT,
	PHASE_DELETE,
	PHASE_END, /* QUIT; the record is written */
};

struct visit_progress {
	enum phase phase;
	uint32_t done, total; /* messages, in this phase; total 0: not known */
	/* PHASE_COLLECT only. */
	uint64_t octets, octets_total;
};

struct visit_progress visit_progress(const struct visit *v);

#endif
