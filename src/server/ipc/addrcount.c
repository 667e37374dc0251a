#include "server/ipc/addrcount.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { COUNTERS = 65536 };

/* Atomic only so that a reader sees whole numbers: each row has one writer. */
typedef _Atomic uint16_t counter;

struct addrcount_shm {
	uint64_t seed;
	counter row[][COUNTERS];
};

static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

static size_t
shm_size(unsigned rows)
{
	return sizeof(struct addrcount_shm) + rows * COUNTERS * sizeof(counter);
}

enum err
addrcount_create(unsigned rows, int *fd_r, struct errbuf *eb)
{
	uint64_t seed;
	int fd = memfd_create("addrcount", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(eb, E_IO, "memfd_create");
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) ||
	    pwrite(fd, &seed, sizeof(seed), 0) != sizeof(seed) ||
	    ftruncate(fd, (off_t)shm_size(rows)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0) {
		err_sys(eb, E_IO, "memory for counting connections");
		close(fd);
		return E_IO;
	}
	*fd_r = fd;
	return E_OK;
}

enum err
addrcount_map(struct addrcount *c, int fd, unsigned rows, struct errbuf *eb)
{
	struct stat st;
	void *p;

	/* Without the seal it could shrink under us: SIGBUS. */
	if (fstat(fd, &st) < 0 || st.st_size != (off_t)shm_size(rows) ||
	    (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
		return err_set(eb, E_FORMAT, "not the connections' counters");
	p = mmap(
	    NULL, shm_size(rows), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(eb, E_NOMEM, "mmap");
	*c = (struct addrcount){ p, rows };
	return E_OK;
}

void
addrcount_unmap(struct addrcount *c)
{
	if (c->shm != NULL)
		munmap(c->shm, shm_size(c->rows));
	c->shm = NULL;
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

uint32_t
addrcount_enter(struct addrcount *c, unsigned row, uint16_t i)
{
	uint32_t total = 0;

	if (get(&c->shm->row[row][i]) < UINT16_MAX)
		set(&c->shm->row[row][i], get(&c->shm->row[row][i]) + 1u);
	for (unsigned r = 0; r < c->rows; r++)
		total += get(&c->shm->row[r][i]);
	return total;
}

void
addrcount_leave(struct addrcount *c, unsigned row, uint16_t i)
{
	if (get(&c->shm->row[row][i]) > 0)
		set(&c->shm->row[row][i], get(&c->shm->row[row][i]) - 1u);
}

void
addrcount_clear_row(struct addrcount *c, unsigned row)
{
	for (size_t i = 0; i < COUNTERS; i++)
		set(&c->shm->row[row][i], 0);
}
