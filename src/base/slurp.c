#include "base/slurp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"

static enum err
errno_err(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR: return E_NOENT;
	case EACCES:
	case EPERM: return E_DENIED;
	default: return E_IO;
	}
}

enum err
slurp_open(const char *path, int *fd_r, struct stat *st, struct errbuf *eb)
{
	/* O_NONBLOCK: somebody may have put a pipe there. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return err_set(eb, errno_err(), "%s", strerror(errno));
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
		close(fd);
		return err_set(eb, E_FORMAT, _("not a regular file"));
	}
	*fd_r = fd;
	return E_OK;
}

static enum err
read_all(int fd, size_t max, struct slurp *out, struct errbuf *eb)
{
	size_t cap = (size_t)out->st.st_size + 1;
	ssize_t n;

	if (out->st.st_size > (off_t)max)
		return err_set(eb, E_FULL, _("larger than %zu octets"), max);
	if ((out->text = malloc(cap)) == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	/* What somebody appends meanwhile is left to the next reading. */
	while (out->n < cap - 1 &&
	       (n = read(fd, out->text + out->n, cap - 1 - out->n)) > 0)
		out->n += (size_t)n;
	out->text[out->n] = '\0';
	if (out->n < cap - 1)
		return err_set(eb, E_IO, _("it could not be read to its end"));
	if (memchr(out->text, '\0', out->n) != NULL)
		return err_set(eb, E_FORMAT, _("not a text file"));
	return E_OK;
}

enum err
slurp(const char *path, size_t max, struct slurp *out, struct errbuf *eb)
{
	enum err e;
	int fd;

	memset(out, 0, sizeof(*out));
	if ((e = slurp_open(path, &fd, &out->st, eb)) != E_OK)
		return e;
	if ((e = read_all(fd, max, out, eb)) != E_OK) {
		if (out->text != NULL)
			explicit_bzero(out->text, out->n);
		free(out->text);
		out->text = NULL;
	}
	close(fd);
	return e;
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool
slurp_is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && same_time(a->st_mtim, b->st_mtim) &&
	       same_time(a->st_ctim, b->st_ctim);
}
