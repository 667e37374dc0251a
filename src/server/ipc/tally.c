#include "server/ipc/tally.h"

#include <assert.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A page begins on one of the machine's, however large those are. */
enum { STRIDE = 65536 };

static_assert(sizeof(struct tally_page) <= STRIDE, "it is one");
static_assert(sizeof(struct tally_page) % sizeof(uint64_t) == 0,
    "it consists of numbers");

/* Atomic so that threads may count, and a reader sees whole numbers. */
typedef _Atomic uint64_t number;

static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

static struct tally_page nowhere;
static struct tally_page *own = &nowhere;

const uint32_t tally_bucket_ms[TALLY_BUCKETS] = { 1, 2, 5, 10, 25, 50, 100, 250,
	500, 1000, 2500, 10000 };

static const char *const mechanisms[TALLY_MECHANISMS - 1] = { "USER", "APOP",
	"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256",
	"SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "EXTERNAL", "ANONYMOUS",
	"GSSAPI", "KPOP", "OAUTHBEARER", "XOAUTH2" };

const char *
tally_mechanism(unsigned i)
{
	return i < TALLY_MECHANISMS - 1 ? mechanisms[i] : NULL;
}

/* ---- counting ---- */

static void
add(uint64_t *to, uint64_t n)
{
	atomic_fetch_add_explicit((number *)to, n, memory_order_relaxed);
}

void
tally_add(enum tally what, uint64_t n)
{
	add(&own->counter[what], n);
}

void
tally_less(enum tally what, uint64_t n)
{
	add(&own->counter[what], -n);
}

void
tally_sign_in(const char *mechanism, unsigned outcome)
{
	unsigned i = 0;

	while (i < TALLY_MECHANISMS - 1 &&
	       (mechanism == NULL || strcmp(mechanisms[i], mechanism) != 0))
		i++;
	if (outcome < TALLY_OUTCOMES)
		add(&own->sign_ins[i][outcome], 1);
}

void
tally_took(enum tally_time what, uint64_t ms)
{
	unsigned i = 0;

	while (i < TALLY_BUCKETS && ms > tally_bucket_ms[i])
		i++;
	add(&own->times[what][i], 1);
	add(&own->times[what][TALLY_BUCKETS + 1], ms);
}

void
tally_started(enum ipc_role role)
{
	add(&own->processes[role], 1);
}

void
tally_ended(enum ipc_role role, bool died)
{
	add(&own->processes[role], (uint64_t)-1);
	add(&own->deaths[role], died);
}

/* ---- the memory ---- */

/* The same memory, which cannot be made writable through this descriptor. */
static int
open_for_reading(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

enum err
tally_create(unsigned pages, int fd_r[2], struct errbuf *eb)
{
	int fd = memfd_create("tally", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(eb, E_IO, "memfd_create");
	if (ftruncate(fd, (off_t)pages * STRIDE) < 0 ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0 ||
	    (fd_r[1] = open_for_reading(fd)) < 0) {
		err_sys(eb, E_IO, "memory for counting");
		close(fd);
		return E_IO;
	}
	fd_r[0] = fd;
	return E_OK;
}

/* Without the seal it could shrink under us: SIGBUS. */
static bool
is_ours(int fd, off_t least)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size >= least &&
	       st.st_size % STRIDE == 0 &&
	       (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) != 0;
}

void
tally_use(int fd, unsigned page)
{
	off_t at = (off_t)page * STRIDE;
	void *p;

	if (!is_ours(fd, at + STRIDE))
		return;
	p = mmap(NULL, STRIDE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);
	if (p != MAP_FAILED)
		own = p;
}

const void *
tally_map(int fd, unsigned pages)
{
	size_t n = (size_t)pages * STRIDE;
	void *p;

	if (!is_ours(fd, (off_t)n))
		return NULL;
	p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
	return p != MAP_FAILED ? p : NULL;
}

enum err
tally_map_all(void **all_r, int fd, unsigned pages, struct errbuf *eb)
{
	*all_r = mmap(NULL, (size_t)pages * STRIDE, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	return *all_r != MAP_FAILED ? E_OK : err_sys(eb, E_NOMEM, "mmap");
}

void
tally_read(struct tally_page *sum, const void *all, unsigned pages)
{
	uint64_t *to = (uint64_t *)sum;

	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < pages; i++) {
		const number *from =
		    (const void *)((const char *)all + (size_t)i * STRIDE);

		for (size_t k = 0; k < sizeof(*sum) / sizeof(*to); k++)
			to[k] += atomic_load_explicit(
			    &from[k], memory_order_relaxed);
	}
}

static void
end_all(struct tally_page *p, enum tally begun, enum tally ended)
{
	number *b = (number *)&p->counter[begun];
	number *e = (number *)&p->counter[ended];

	atomic_store_explicit(e, atomic_load_explicit(b, memory_order_relaxed),
	    memory_order_relaxed);
}

void
tally_settle(void *all, unsigned page)
{
	struct tally_page *p = (void *)((char *)all + (size_t)page * STRIDE);

	end_all(p, TALLY_CONNECTIONS, TALLY_ENDED);
	end_all(p, TALLY_SIGNED_IN, TALLY_SIGNED_OUT);
	atomic_store_explicit(
	    (number *)&p->counter[TALLY_HASH_QUEUE], 0, memory_order_relaxed);
}
