/*
 * bar.h - the line that shows how far an account is.
 */
#ifndef CLIENT_REPORT_BAR_H
#define CLIENT_REPORT_BAR_H

#include <stddef.h>
#include <stdint.h>

struct bar {
	const char *name;
	uint32_t stored, to_collect; /* 0: not known yet */
	uint64_t seen, octets;
};

enum { BAR_LINE = 4096 };

/* At most `columns` wide on a terminal, whatever the name.  Returns out. */
char *bar_text(char out[BAR_LINE], const struct bar *b, size_t columns);

#endif
