#include "server/ipc/addrcount.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* A row begins on a page, however large those are. */
enum { COUNTERS = 65536, HEADER = 65536 };

/* Atomic only so that a reader sees whole numbers: each row has one writer. */
typedef _Atomic uint16_t counter;

struct addrcount_shm {
	uint64_t seed;
	char page[HEADER - sizeof(uint64_t)];
	counter row[][COUNTERS];
};

enum { ROW = COUNTERS * sizeof(counter) };

static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

static size_t
shm_size(unsigned rows)
{
	return sizeof(struct addrcount_shm) + rows * ROW;
}

/* The same memory, which cannot be made writable through this descriptor. */
static int
open_for_reading(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

enum err
addrcount_create(unsigned rows, int fd_r[2], struct errbuf *eb)
{
	uint64_t seed;
	int fd = memfd_create("addrcount", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(eb, E_IO, "memfd_create");
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
	    pwrite(fd, &seed, sizeof(seed), 0) != sizeof(seed) ||
	    ftruncate(fd, (off_t)shm_size(rows)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0 ||
	    (fd_r[1] = open_for_reading(fd)) < 0) {
		err_sys(eb, E_IO, "memory for counting connections");
		close(fd);
		return E_IO;
	}
	fd_r[0] = fd;
	return E_OK;
}

/* Without the seal it could shrink under us: SIGBUS. */
static bool
is_ours(int fd, unsigned rows)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size == (off_t)shm_size(rows) &&
	       (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) != 0;
}

static enum err
map(void **p_r, int fd, int prot, size_t n, size_t at, struct errbuf *eb)
{
	void *p = mmap(NULL, n, prot, MAP_SHARED, fd, (off_t)at);

	if (p == MAP_FAILED)
		return err_sys(eb, E_NOMEM, "mmap");
	*p_r = p;
	return E_OK;
}

enum err
addrcount_map(struct addrcount *c, int fd, unsigned rows, struct errbuf *eb)
{
	void *p = NULL;
	enum err e;

	if (!is_ours(fd, rows))
		return err_set(eb, E_FORMAT, "not the connections' counters");
	e = map(&p, fd, PROT_READ | PROT_WRITE, shm_size(rows), 0, eb);
	if (e == E_OK)
		*c = (struct addrcount){ p, rows, NULL };
	return e;
}

enum err
addrcount_map_row(struct addrcount *c, const int fd[2], unsigned rows,
    unsigned row, struct errbuf *eb)
{
	void *all = NULL, *own = NULL;
	enum err e;

	if (!is_ours(fd[0], rows) || !is_ours(fd[1], rows) || row >= rows)
		return err_set(eb, E_FORMAT, "not the connections' counters");
	e = map(&all, fd[1], PROT_READ, shm_size(rows), 0, eb);
	if (e != E_OK)
		return e;
	e = map(
	    &own, fd[0], PROT_READ | PROT_WRITE, ROW, HEADER + row * ROW, eb);
	if (e == E_OK)
		*c = (struct addrcount){ all, rows, own };
	else
		munmap(all, shm_size(rows));
	return e;
}

void
addrcount_unmap(struct addrcount *c)
{
	if (c->shm != NULL)
		munmap(c->shm, shm_size(c->rows));
	if (c->own != NULL)
		munmap(c->own, ROW);
	c->shm = NULL;
	c->own = NULL;
}

uint16_t
addrcount_of(const struct addrcount *c, const struct sockaddr *addr)
{
	const struct sockaddr_in *in4 = (const void *)addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;
	uint8_t key[8] = { 0 };

	if (addr->sa_family == AF_INET)
		memcpy(key, &in4->sin_addr, 4);
	else if (addr->sa_family == AF_INET6 &&
		 IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		memcpy(key, in6->sin6_addr.s6_addr + 12, 4);
	else if (addr->sa_family == AF_INET6)
		memcpy(key, in6->sin6_addr.s6_addr, 8);
	return (uint16_t)(XXH3_64bits_withSeed(key, sizeof(key), c->shm->seed) %
			  COUNTERS);
}

static uint16_t
get(const counter *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void
set(counter *n, unsigned value)
{
	atomic_store_explicit(n, (uint16_t)value, memory_order_relaxed);
}

static counter *
at(struct addrcount *c, unsigned row, uint16_t i)
{
	return c->own != NULL ? (counter *)c->own + i : &c->shm->row[row][i];
}

uint32_t
addrcount_enter(struct addrcount *c, unsigned row, uint16_t i)
{
	counter *n = at(c, row, i);
	uint32_t total = 0;

	if (get(n) < UINT16_MAX)
		set(n, get(n) + 1u);
	for (unsigned r = 0; r < c->rows; r++)
		total += get(&c->shm->row[r][i]);
	return total;
}

void
addrcount_leave(struct addrcount *c, unsigned row, uint16_t i)
{
	counter *n = at(c, row, i);

	if (get(n) > 0)
		set(n, get(n) - 1u);
}

void
addrcount_clear_row(struct addrcount *c, unsigned row)
{
	for (size_t i = 0; i < COUNTERS; i++)
		set(&c->shm->row[row][i], 0);
}
