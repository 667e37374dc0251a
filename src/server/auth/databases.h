/*
 * databases.h - who a user is, where users are known in several places: the users
 * file and databases, in the order of the configuration.
 *
 * The first that knows the name decides; the same name in a later one is nobody
 * then, whatever its password.  One that must be asked and does not answer
 * leaves it open who the user is, so nobody is refused for good.
 */
#ifndef SERVER_AUTH_DATABASES_H
#define SERVER_AUTH_DATABASES_H

#include "server/auth/auth_db.h"

/* A name that is looked up; all zeroes before. */
struct lookup {
	/* Perhaps before the function returns that it was given to. */
	void (*done)(struct lookup *l);
	void *owner;

	/* What has come out. */
	bool failed;     /* nobody can say, and why */
	bool is_late;    /* no answer to this one, though others had theirs */
	bool is_crowd;   /* there was no room to ask */
	bool is_known;   /* by auth->conf.known[by] */
	bool is_right;   /* so that database says of the password */
	bool was_told;   /* the password, to one that verifies it at least */
	bool is_in_file; /* it is, and that is the users file */
	size_t by;
	char database[DB_NAME_MAX]; /* or what the database is called */
	char why[256];
	uint64_t began, took; /* clock_ms(), and how many */
	/* Of each that was asked, the last of which is `by` if it is known or
	 * failed. */
	uint32_t took_by[KNOWN_USERS_MAX];
	uint64_t generation; /* of the users file, when it began */
	uint32_t known;      /* auth->known_changes then */
	uint32_t places;     /* auth->place_changes then */

	/* The rest is the module's own. */
	struct auth *auth;
	char name[NAME_MAX_OCTETS + 1];
	const char *password; /* of the proof, or NULL */
	struct user *user;    /* of a database */
	size_t next;          /* of auth->conf.known */
	uint64_t asked;       /* clock_ms() */
	bool is_idle;         /* of those that are asked now nothing matters */
	/* Milliseconds that a refusal would have taken in those that verify
	 * passwords, and has not. */
	uint32_t owed;
	ev_timer pause;
	struct db_wait wait;
};

/* What was typed, for databases that verify it.  Borrowed until l->done(). */
struct proof {
	const char *password, *peer;
	struct fair_entry whose;
};

/* Is anybody known elsewhere than in the users file? */
bool databases_any(const struct auth *a);

/* Is any of them asked whether passwords are right? */
bool databases_any_verifies(const struct auth *a);

/* Is each user of the users file the one who signs in by that name? */
bool databases_file_is_first(const struct auth *a);

/* name: by the rule.  l->done is set.  proof: NULL: nothing is verified. */
void databases_find(struct auth *a, struct lookup *l, const char *name,
    const struct proof *proof);

/* True if a password was still waiting to be verified: l->done() is not called,
 * and nothing has come out. */
bool databases_cancel(struct lookup *l);

/* Those that were not asked, as an earlier one knew the name, are asked for
 * nothing: so that a wrong password takes as long as a name that nobody has.
 * Who verifies passwords is not asked, but waited for as long as it takes to refuse
 * one: nobody's failures are to be counted there. */
void databases_rest(struct lookup *l);

/* What was found, as the users file is now; NULL: there is no such user.
 * Borrowed until the users file changes or l is cleared. */
const struct user *lookup_user(const struct lookup *l);

/* Of its name; NULL: that of the users file. */
const char *lookup_database(const struct lookup *l);

void lookup_clear(struct lookup *l); /* it is not at work */

/* ---- what is said of all users together ---- */

/* As users_costly(); never NULL where databases are asked. */
const char *databases_costly(const struct auth *a);
/* What stored passwords can serve for, as far as drivers go; and what those that
 * were seen do serve for: enum scheme_use, or-ed. */
unsigned databases_can(const struct auth *a);
unsigned databases_uses(const struct auth *a);
uint32_t databases_iterations(
    const struct auth *a, const struct sasl_mechanism *m);

#endif
