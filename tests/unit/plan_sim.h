/*
 * plan_sim.h - a server that plays all tricks, and a client that does what the
 * plan says, round after round.
 */
#ifndef TESTS_PLAN_SIM_H
#define TESTS_PLAN_SIM_H

#include <stdint.h>

enum { PLAN_SIM_WORDS = 160 };

struct plan_sim_source {
	uint32_t (*next)(void *arg); /* a random number */
	void *arg;
};

/* NULL, or what has gone wrong. */
const char *plan_sim(
    struct plan_sim_source source, unsigned rounds, char words[PLAN_SIM_WORDS]);

#endif
