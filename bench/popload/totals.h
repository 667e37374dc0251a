/*
 * totals.h - what all sessions of popload together came to.
 */
#ifndef TOTALS_H
#define TOTALS_H

#include <stdint.h>

struct totals {
	unsigned long started, finished, failed, resumed;
	uint64_t octets, messages;
	unsigned opening; /* connections that have no greeting yet */
	unsigned holding; /* sessions that wait for a line of standard input */
	uint32_t *took;   /* microseconds of each session */
};

extern struct totals sum;

/* Room for so many sessions. */
void totals_init(unsigned long sessions);

/* Prints the one line of figures; micros is how long all of it took. */
void totals_report(uint64_t micros);

/* Microseconds of a clock that never goes back. */
uint64_t now(void);

#endif
