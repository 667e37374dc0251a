/*
 * Which mutant this process is: mutants.py includes it into the files that it
 * changes.  The folder that a program was started from says so, as
 * .../as/NAME/src/maloted, as our processes have neither arguments nor an
 * environment of their own and execute themselves by /proc/self/exe.
 */
#ifndef MALOTE_MUTANT_H
#define MALOTE_MUTANT_H

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

__attribute__((weak)) char mutant_path[4096];

/* Before main(), and so before any process has given up /proc. */
__attribute__((weak, constructor)) void
mutant_begin(void)
{
	(void)!readlink("/proc/self/exe", mutant_path, sizeof(mutant_path) - 1);
}

__attribute__((weak)) bool
mutant_is(const char *name)
{
	const char *as = strstr(mutant_path, "/as/");
	size_t n = strlen(name);

	return as != NULL && strncmp(as + 4, name, n) == 0 && as[4 + n] == '/';
}

#endif
