/*
 * verify_child.h - the process of a question (verify_driver.h): it is started,
 * answers, or is ended by the clock with all that it has started.
 *
 * Where the settings want several questions of a process, one that has answered,
 * and says that nothing was left in it, waits a moment for another one.
 */
#ifndef SERVER_HELPER_VERIFY_CHILD_H
#define SERVER_HELPER_VERIFY_CHILD_H

#include <ev.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "server/helper/verify_driver.h"

LIST_HEAD(verify_children, verify_child);

/* What they have in common. */
struct verify_parent {
	const struct verify_driver *driver;
	const struct pam_conf *conf;
	struct ev_loop *loop;            /* the default one, which reaps */
	struct verify_children children; /* who waits, the latest first */
	unsigned n;                      /* that have not answered */
	ev_timer strays;
};

struct verify_child {
	struct verify_parent *parent;
	LIST_ENTRY(verify_child) entry;
	uint64_t id; /* of the caller */
	/* Once; the answer is borrowed. */
	void (*done)(struct verify_child *c, struct verify_answer *a);
	pid_t pid;
	int fd;
	unsigned asked;   /* so often */
	bool is_answered; /* or given up; it has yet to end */
	bool is_waiting;  /* for another question */
	bool is_dead;     /* its number may be somebody else's */
	ev_io said;
	ev_child died;
	ev_timer deadline; /* of the answer, or of the next question */
};

/* Once, before the first child; driver, conf and loop are set. */
void verify_parent_init(struct verify_parent *p);

/* q: wiped when this returns.  c->done() is called later, or before that where
 * there can be no process. */
void verify_child_start(struct verify_parent *p, struct verify_question *q,
    uint64_t id, void (*done)(struct verify_child *c, struct verify_answer *a));

/* Ends all that are there, with what they have started; done() is not called. */
void verify_parent_end(struct verify_parent *p);

#endif
