/*
 * A server that plays tricks, by the octets: nothing is lost, twice, or deleted
 * on doubt.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan_sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct octets {
	const uint8_t *p;
	size_t n;
};

static uint32_t
next_octet(void *arg)
{
	struct octets *o = arg;

	if (o->n == 0)
		return 0;
	o->n--;
	return *o->p++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct octets o = { data, n };
	char words[PLAN_SIM_WORDS];

	if (plan_sim((struct plan_sim_source){ next_octet, &o }, 6, words) !=
	    NULL) {
		fprintf(stderr, "%s\n", words);
		abort();
	}
	return 0;
}
