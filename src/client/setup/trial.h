/*
 * trial.h - tries the settings of one account, step by step, up to the first one
 * that fails.
 *
 * Nothing is deleted or stored, here or on the server, and nothing is put on
 * record: the session ends by QUIT before any message is asked for.  Of the
 * server it tries what a run would use; of the destination whether it would take
 * mail, without making it where it is not there yet.
 *
 * Each step is reported once, when it has passed or failed.  The owner prints,
 * asks and decides; this only finds out.
 */
#ifndef CLIENT_SETUP_TRIAL_H
#define CLIENT_SETUP_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "client/conf/account.h"
#include "client/session/facts.h"
#include "client/session/outcome.h"

struct dialer;
struct ev_loop;
struct trial;

/* In the order in which they are tried; with security = "starttls" TLS comes
 * behind CAPA.  Steps that do not apply are not reported. */
enum trial_step {
	TRIAL_CONFIGURATION, /* what the settings say, without asking anybody */
	TRIAL_SECRET,        /* the password or token is there */
	TRIAL_NAMES,         /* the server's name leads to addresses */
	TRIAL_CONNECT,
	TRIAL_TLS,
	TRIAL_GREETING,
	TRIAL_CAPA,
	TRIAL_SIGN_IN,
	TRIAL_STAT,
	TRIAL_UIDL,
	TRIAL_TOP,
	TRIAL_DESTINATION,
	TRIAL_SPACE,
	TRIAL_STEPS
};

/* "sign-in": for JSON, not translated; and for people, translated. */
const char *trial_step_name(enum trial_step step);
const char *trial_step_title(enum trial_step step);

enum trial_verdict {
	TRIAL_PASSED,
	TRIAL_NOTED, /* it will do, but the words say what is not as it should
	              * be */
	TRIAL_FAILED,
};

/* All of it is borrowed for the call.  Words are one line, for people,
 * translated; whatever a server had a part in is escaped. */
struct trial_report {
	enum trial_step step;
	enum trial_verdict verdict;
	const char *words;  /* what was found, or what is wrong */
	const char *advice; /* FAILED, NOTED: what to write or do; or empty */
	const char *said;   /* FAILED: the server's own words; or empty */
	enum cause cause;   /* FAILED: for programs; CAUSE_OTHER: any */
	const struct facts *facts; /* of all steps so far */
};

struct trial_hooks {
	void (*step)(void *arg, const struct trial_report *r);
	/* A line of the dialogue, secrets masked; or NULL. */
	void (*trace)(void *arg, bool received, const char *line);
	/* It is over, by which outcome (outcome_exit_code()); OUTCOME_OK: all
	 * steps have passed or were noted.  trial_free() is permitted within. */
	void (*over)(void *arg, enum outcome o);
};

struct trial_conf {
	struct ev_loop *loop; /* the default one */
	struct dialer *dialer;
	const struct account *account;
	/* For tokens and the spool; NULL: TRIAL_DESTINATION and what follows are
	 * not tried. */
	const char *state_dir;
	bool terminal; /* a person can be asked for a password */
	/* The last step that is tried.  Before TRIAL_SIGN_IN no secret is asked
	 * for, and none is sent. */
	enum trial_step until;
	const struct trial_hooks *hooks;
	void *arg; /* of the hooks */
};

/* Borrows all of it until it is freed.  Hooks are called from the loop only, never
 * from within this.  NULL: memory. */
struct trial *trial_start(const struct trial_conf *conf) NODISCARD;
/* Also ends one that goes on, but not within hooks->step(): without QUIT, as if the
 * line were lost.  NULL is a no-op. */
void trial_free(struct trial *t);
const struct facts *trial_facts(const struct trial *t);

#endif
