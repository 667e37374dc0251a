#include "alloc.h"

#include <stddef.h>

/* Linked with --wrap=malloc and --wrap=calloc. */
void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static unsigned left;
static bool failed;

void
alloc_fail(unsigned n)
{
	left = n;
	failed = false;
}

bool
alloc_failed(void)
{
	return failed;
}

static bool
is_due(void)
{
	if (left == 0 || --left != 0)
		return false;
	failed = true;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return is_due() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return is_due() ? NULL : __real_calloc(n, size);
}
