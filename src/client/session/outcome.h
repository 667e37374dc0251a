/*
 * outcome.h - how a run ended for one account.
 */
#ifndef CLIENT_SESSION_OUTCOME_H
#define CLIENT_SESSION_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/conf/account.h"

enum { OUTCOME_BRAKE_WORDS = 512 };

enum outcome {
	OUTCOME_OK,       /* also: nothing was new */
	OUTCOME_LOCKED,   /* another malote is at it; counts as well */
	OUTCOME_STOPPED,  /* by a signal */
	OUTCOME_CONFIG,   /* a person must mend the configuration */
	OUTCOME_NO_HOST,  /* the name leads nowhere */
	OUTCOME_CONNECT,  /* cannot be reached, or the line was lost */
	OUTCOME_TLS,      /* no connection that is safe */
	OUTCOME_PROTOCOL, /* what answers does not speak POP3 */
	OUTCOME_DENIED,   /* the sign-in was refused */
	OUTCOME_BUSY,     /* the server says: later */
	OUTCOME_SERVER,   /* the server says that it cannot */
	OUTCOME_DISK,     /* what came cannot be stored */
	OUTCOME_REFUSED,  /* the program that mail is handed to refuses some */
	OUTCOME_DESTINATION, /* where mail is delivered to takes none */
	OUTCOME_LEFT,        /* some messages could not be had: the next run */
	OUTCOME_SOME,        /* the same, run after run */
	OUTCOME_HELD,        /* the brake keeps what would be deleted */
	OUTCOME_INTERNAL,    /* memory and such */
};

const char *outcome_name(enum outcome o); /* "tls": for JSON, not translated */
int outcome_exit_code(enum outcome o);    /* sysexits */
/* Does that exit code stand for what passes by itself, as when there is no
 * network?  Else a person has to look at it. */
bool exit_code_passes(int code);
/* What it means that the destination fails by `e`. */
enum outcome outcome_of_destination(enum err e);

/* What a run did for one account. */
struct tally {
	uint32_t collected, deleted, skipped, failed;
	uint32_t
	    large; /* of those skipped: by max_size; else for lack of space */
	uint64_t collected_octets, freed_octets;
	uint32_t left; /* messages on the server at the end */
	uint64_t left_octets;
};

/* What the brake (plan.h) means, for the person, and what ends it. */
char *outcome_brake_words(
    char out[OUTCOME_BRAKE_WORDS], const struct account *a);

/* That n messages may be twice where they were delivered. */
void outcome_untold_words(char *out, size_t size, unsigned n);

/* Does a session end the run so, whatever becomes of the messages that broke
 * it? Else the session that is held for those says how the run has ended. */
bool outcome_stands(enum outcome o, const struct tally *t);

#endif
