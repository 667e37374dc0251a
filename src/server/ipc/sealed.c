#include "server/ipc/sealed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static const int seals =
    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

enum err
sealed_make(
    int *fd_r, const char *name, const void *p, size_t n, struct errbuf *eb)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(eb, E_IO, "memfd_create");
	if (write(fd, p, n) != (ssize_t)n ||
	    fcntl(fd, F_ADD_SEALS, seals) < 0) {
		err_sys(eb, E_IO, "sealing memory");
		close(fd);
		return E_IO;
	}
	*fd_r = fd;
	return E_OK;
}

enum err
sealed_map(int fd, size_t n, const char **p_r, struct errbuf *eb)
{
	int got = fcntl(fd, F_GET_SEALS);
	void *p;

	/* Without the seals it could shrink under us: SIGBUS. */
	if (got < 0 || (got & seals) != seals)
		return err_set(eb, E_FORMAT, "the memory is not sealed");
	*p_r = "";
	if (n == 0)
		return E_OK;
	p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(eb, E_NOMEM, "mmap");
	*p_r = p;
	return E_OK;
}
