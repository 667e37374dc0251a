/*
 * size.h - a number of octets as people read it.
 */
#ifndef CLIENT_MESSAGE_SIZE_H
#define CLIENT_MESSAGE_SIZE_H

#include <stdint.h>

enum { REPORT_SIZE = 32 };

/* "1.5 MB": three digits and a unit of a power of 1000.  Returns out. */
char *report_size(char out[REPORT_SIZE], uint64_t octets);

#endif
