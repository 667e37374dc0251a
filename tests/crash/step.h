/*
 * step.h - a child that is killed at its n-th change to the disk.
 */
#ifndef TESTS_STEP_H
#define TESTS_STEP_H

#include <stdbool.h>

enum step_how {
	STEP_BEFORE, /* the call is not made */
	STEP_TORN,   /* a write is made by half, another call wholly */
};

/* Runs fn(arg) in a child and kills it (SIGKILL) at its n-th system call that
 * changes or syncs files, from 1.  False: it made fewer, and ended well; what
 * else happens ends the test. */
bool step_kill(
    void (*fn)(void *arg), void *arg, unsigned nth, enum step_how how);

#endif
