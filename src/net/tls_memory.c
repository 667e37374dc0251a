#include "net/tls_memory.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	BLOCK_MIN = 12 * 1024,
	BLOCK = 24 * 1024, /* whole pages */
	BLOCKS = 2048,     /* what is needed beyond them comes from malloc */
	WARM = 32,         /* free ones that keep their memory */
};

/* Free blocks are taken from the end; the last n_warm of them have memory. */
static struct {
	pthread_mutex_t lock;
	char *mem;
	uint16_t free[BLOCKS];
	unsigned n_free, n_warm;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool
is_ours(const void *p)
{
	return (uintptr_t)p - (uintptr_t)pool.mem < (size_t)BLOCK * BLOCKS;
}

static void *
block_take(void)
{
	void *p = NULL;

	pthread_mutex_lock(&pool.lock);
	if (pool.n_free != 0) {
		p = pool.mem + (size_t)pool.free[--pool.n_free] * BLOCK;
		if (pool.n_warm != 0)
			pool.n_warm--;
	}
	pthread_mutex_unlock(&pool.lock);
	return p;
}

static void
block_give(void *p)
{
	size_t i = (size_t)((char *)p - pool.mem) / BLOCK;

	pthread_mutex_lock(&pool.lock);
	if (pool.n_warm == WARM) {
		/* The oldest of those with memory gives it back. */
		size_t at = pool.n_free - pool.n_warm;

		(void)!madvise(pool.mem + (size_t)pool.free[at] * BLOCK, BLOCK,
		    MADV_DONTNEED);
		pool.n_warm--;
	}
	pool.free[pool.n_free++] = (uint16_t)i;
	pool.n_warm++;
	pthread_mutex_unlock(&pool.lock);
}

/* ---- what OpenSSL calls ---- */

static void *
mem_new(size_t n, const char *file, int line)
{
	void *p = NULL;

	if (n == 0)
		return NULL;
	if (n >= BLOCK_MIN && n <= BLOCK)
		p = block_take();
	return p != NULL ? p : malloc(n);
}

static void
mem_free(void *p, const char *file, int line)
{
	if (p != NULL && is_ours(p))
		block_give(p);
	else
		free(p);
}

static void *
mem_resize(void *p, size_t n, const char *file, int line)
{
	void *q;

	if (p == NULL)
		return mem_new(n, file, line);
	if (n == 0) {
		mem_free(p, file, line);
		return NULL;
	}
	if (!is_ours(p))
		return realloc(p, n);
	if (n <= BLOCK)
		return p;
	if ((q = malloc(n)) != NULL) {
		memcpy(q, p, BLOCK);
		block_give(p);
	}
	return q;
}

bool
tls_memory_pool(void)
{
	size_t size = (size_t)BLOCK * BLOCKS;
	void *mem;

	if (pool.mem != NULL)
		return true;
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		return false;
	pool.mem = mem;
	if (CRYPTO_set_mem_functions(mem_new, mem_resize, mem_free) != 1) {
		munmap(mem, size);
		pool.mem = NULL;
		return false;
	}
	/* A huge page could not be given back block by block. */
	(void)!madvise(mem, size, MADV_NOHUGEPAGE);
	while (pool.n_free < BLOCKS) {
		pool.free[pool.n_free] = (uint16_t)pool.n_free;
		pool.n_free++;
	}
	return true;
}
