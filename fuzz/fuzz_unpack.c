/*
 * A compressed file: the first octet chooses the format, of which the magic is
 * put in front of the rest.  Whatever it is, what comes out has an end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/store/unpack/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MAGIC(text) \
	{ \
		text, sizeof(text) - 1 \
	}

static const struct {
	const char *p;
	size_t n;
} magic[] = {
	MAGIC("\x1f\x8b"),
	MAGIC("BZh91AY&SY"),
	MAGIC("\xfd\x37zXZ\0"),
	MAGIC("\x28\xb5\x2f\xfd"),
	MAGIC("Dovecot-LZ4\x0d\x2a\x9b\xc5"),
};

static enum err
put(void *arg, const void *p, size_t n, struct errbuf *eb)
{
	uint64_t *total = arg;

	*total += n;
	if (*total > UNPACK_MAX)
		abort();
	return E_OK;
}

static void
write_file(int fd, const void *p, size_t n, off_t at)
{
	if (pwrite(fd, p, n, at) != (ssize_t)n)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct unpack_format *f;
	static int fd = -1;
	struct errbuf eb;
	uint64_t total = 0;
	unsigned which;

	if (n == 0)
		return 0;
	which = data[0] % (sizeof(magic) / sizeof(magic[0]));
	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0)
		abort();
	write_file(fd, magic[which].p, magic[which].n, 0);
	write_file(fd, data + 1, n - 1, (off_t)magic[which].n);
	if ((f = unpack_find(magic[which].p, magic[which].n)) == NULL)
		abort();
	(void)(unpack(f, fd, magic[which].n + n - 1, put, &total, &eb) == E_OK);
	return 0;
}
