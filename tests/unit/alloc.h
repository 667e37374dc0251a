/*
 * alloc.h - lets the n-th malloc() or calloc() from now on fail, once.
 */
#ifndef TESTS_ALLOC_H
#define TESTS_ALLOC_H

#include <stdbool.h>

void alloc_fail(unsigned n); /* 0: none */
bool alloc_failed(void);     /* it has happened */

#endif
