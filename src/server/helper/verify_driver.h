/*
 * verify_driver.h - a kind of database that gives no password away, as the process
 * has it that hands over what was typed: a file that defines a struct verify_driver
 * called verify_NAME, for the row of that name in USER_DRIVERS
 * (src/server/conf/user_driver.h).
 *
 * Each question is asked in a process of its own, which is ended when the time for
 * an answer is over: a driver may wait for whatever it likes.  Where the settings
 * want several questions of a process (max_questions_per_process) it has given back
 * what it took, and wiped what it knew, when it returns.
 */
#ifndef SERVER_HELPER_VERIFY_DRIVER_H
#define SERVER_HELPER_VERIFY_DRIVER_H

#include "server/conf/pam_conf.h"
#include "server/helper/db_driver.h"

struct verify_question {
	char name[NAME_MAX_OCTETS + 1]; /* by which it is asked */
	bool has_password;              /* else: is there such a user? */
	char password[PASSWORD_MAX + 1];
	char peer[PEER_MAX]; /* where it was typed, or "" */
};

struct verify_answer {
	enum lookup_result result;
	struct db_row row;
	struct errbuf why; /* for the log; "": nothing to say */
	bool ask_again;    /* who says this may be asked another question */
};

/* What the process of a question answers by. */
enum { VERIFY_FD = 4 };

struct verify_driver {
	/* Once, before any question; NULL: nothing to do.  What is wrong is
	 * said then, and again by verify(). */
	enum err (*prepare)(const struct pam_conf *c, struct errbuf *eb);

	/* In the process of the question; *a was LOOKUP_FAILED, without a row.
	 * One that executes a program does not return, unless that fails. */
	void (*verify)(const struct pam_conf *c,
	    const struct verify_question *q, struct verify_answer *a);

	/* Of one that executes a program, which has ended so and not answered;
	 * else NULL. */
	void (*ended)(int status, struct verify_answer *a);
};

#endif
