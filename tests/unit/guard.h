/*
 * guard.h - octets that end where memory ends: reading or writing one behind
 * them is a crash.
 */
#ifndef TESTS_GUARD_H
#define TESTS_GUARD_H

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARD_ROOM = 1 << 20 };

/* Room for n octets in front of the page that cannot be touched, the same for
 * each `which` (0-3) every time. */
static inline char *
guard_room(unsigned which, size_t n)
{
	static char *mem[4];

	assert(n <= GUARD_ROOM);
	if (mem[which] == NULL) {
		mem[which] = mmap(NULL, GUARD_ROOM + 4096,
		    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert(mem[which] != MAP_FAILED);
		mprotect(mem[which] + GUARD_ROOM, 4096, PROT_NONE);
	}
	return mem[which] + GUARD_ROOM - n;
}

static inline char *
guard_copy(unsigned which, const void *p, size_t n)
{
	char *room = guard_room(which, n);

	if (n != 0)
		memcpy(room, p, n);
	return room;
}

#endif
