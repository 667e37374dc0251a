/*
 * bar.h - the line that shows what an account is doing, and how far it is.
 */
#ifndef CLIENT_REPORT_BAR_H
#define CLIENT_REPORT_BAR_H

#include <stddef.h>

#include "client/report/pace.h"

enum { BAR_LINE = 4096 };

/* At most `columns` wide on a terminal (19 at least), whatever the name.
 * Returns out. */
char *bar_text(char out[BAR_LINE], const char *name, const struct pace *pace,
    uint64_t now, size_t columns);

#endif
