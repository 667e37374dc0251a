#include "client/serve/serve_place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/slurp.h"
#include "base/str.h"
#include "client/state/state.h"

/* Out of the range from which the kernel takes clients' ports. */
enum { PORT_FIRST = 20000, PORT_LAST = 31999, PORT_TRIES = 64 };
/* Of a password that we make: 20 letters and digits that are not taken for each
 * other, 99 bits. */
enum { GROUPS = 4, GROUP = 5 };
static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";

/* ---- files ---- */

bool
serve_place_path(
    const struct serve_place *p, char out[PATH_MAX], const char *name)
{
	return snprintf(out, PATH_MAX, "%s/%s", p->dir, name) < PATH_MAX;
}

static bool
write_whole(int fd, const char *text, size_t n)
{
	ssize_t m;

	for (; n > 0; text += m, n -= (size_t)m)
		if ((m = write(fd, text, n)) < 0)
			return false;
	return fsync(fd) == 0;
}

enum err
serve_place_write(const struct serve_place *p, const char *name,
    const char *text, size_t n, struct errbuf *eb)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	enum err e = E_OK;
	int fd;

	if (!serve_place_path(p, path, name) ||
	    !serve_place_path(p, fresh, "new"))
		return err_set(eb, E_IO, "%s", _("that path is too long"));
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(eb, E_IO, "%s", fresh);
	if (!write_whole(fd, text, n))
		e = err_sys(eb, E_IO, "%s", fresh);
	if (close(fd) < 0 && e == E_OK)
		e = err_sys(eb, E_IO, "%s", fresh);
	if (e == E_OK && rename(fresh, path) < 0)
		e = err_sys(eb, E_IO, "%s", path);
	if (e != E_OK)
		unlink(fresh);
	return e;
}

/* The first line, without its end.  E_NOENT: there is no such file. */
static enum err
read_line(const struct serve_place *p, const char *name, char *out, size_t size,
    struct errbuf *eb)
{
	char path[PATH_MAX];
	struct slurp s;
	struct errbuf why;
	enum err e;
	size_t n;

	if (!serve_place_path(p, path, name))
		return err_set(eb, E_IO, "%s", _("that path is too long"));
	if ((e = slurp(path, 4096, &s, &why)) != E_OK)
		return err_set(eb, e, "%s: %s", path, why.text);
	n = strcspn(s.text, "\r\n");
	if ((s.st.st_mode & 077) != 0)
		e = err_set(eb, E_DENIED,
		    _("others may open %s (mode %04o); chmod 600 it"), path,
		    (unsigned)s.st.st_mode & 07777);
	else if (n >= size)
		e = err_set(eb, E_CONFIG,
		    _("the first line of %s is too long; write a shorter one, "
		      "or remove the file"),
		    path);
	else
		snprintf(out, size, "%.*s", (int)n, s.text);
	explicit_bzero(s.text, s.n);
	free(s.text);
	return e;
}

/* ---- the port ---- */

bool
serve_port_is_free(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	bool is_free;

	if (fd < 0)
		return false;
	/* What is left of connections that have ended is in nobody's way. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	is_free = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return is_free;
}

static unsigned
random_below(unsigned n)
{
	uint32_t r;

	do
		if (getrandom(&r, sizeof(r), 0) != sizeof(r))
			abort();
	while (r >= UINT32_MAX - UINT32_MAX % n);
	return r % n;
}

/* Chosen at random, as another person of this computer may do the same while this
 * one is not served. */
static uint16_t
choose_port(void)
{
	uint16_t port = PORT_FIRST;

	for (int i = 0; i < PORT_TRIES; i++) {
		port = (uint16_t)(PORT_FIRST +
				  random_below(PORT_LAST - PORT_FIRST + 1));
		if (serve_port_is_free(port))
			break;
	}
	return port;
}

enum err
serve_place_set_port(struct serve_place *p, uint16_t port, struct errbuf *eb)
{
	char line[16];
	int n = snprintf(line, sizeof(line), "%u\n", (unsigned)port);

	p->port = port;
	return serve_place_write(p, "port", line, (size_t)n, eb);
}

static enum err
take_port(struct serve_place *p, struct errbuf *eb)
{
	char line[16];
	uint32_t port;
	enum err e = read_line(p, "port", line, sizeof(line), eb);

	if (e == E_NOENT)
		return serve_place_set_port(p, choose_port(), eb);
	if (e != E_OK)
		return e;
	if (!str_to_u32((struct slice){ line, strlen(line) }, &port) ||
	    port == 0 || port > UINT16_MAX)
		return err_set(eb, E_CONFIG,
		    _("%s/port holds no port; malote serve --port NUMBER "
		      "writes one"),
		    p->dir);
	p->port = (uint16_t)port;
	return E_OK;
}

/* ---- the password ---- */

static enum err
make_password(struct serve_place *p, struct errbuf *eb)
{
	char *to = p->password;
	enum err e;

	for (int i = 0; i < GROUPS * GROUP; i++) {
		if (i > 0 && i % GROUP == 0)
			*to++ = '-';
		*to++ = letters[random_below(sizeof(letters) - 1)];
	}
	*to = '\n';
	e = serve_place_write(
	    p, "password", p->password, (size_t)(to + 1 - p->password), eb);
	*to = '\0';
	return e;
}

/* The person may have written one of their own. */
static enum err
take_password(struct serve_place *p, struct errbuf *eb)
{
	enum err e =
	    read_line(p, "password", p->password, sizeof(p->password), eb);
	bool good = e == E_OK && p->password[0] != '\0';

	if (e == E_NOENT)
		return make_password(p, eb);
	for (const char *c = p->password; good && *c != '\0'; c++)
		good = (unsigned char)*c >= ' ' && *c != 0x7f;
	if (e == E_OK && !good)
		e = err_set(eb, E_CONFIG,
		    _("the first line of %s/password is no password; write "
		      "one, or remove the file"),
		    p->dir);
	return e;
}

/* ---- all of it ---- */

enum err
serve_place_open(
    struct serve_place *p, const char *state_dir, struct errbuf *eb)
{
	enum err e;

	*p = (struct serve_place){ .lock = -1 };
	if (snprintf(p->dir, sizeof(p->dir), "%s/serve", state_dir) >=
	    (int)sizeof(p->dir))
		return err_set(eb, E_IO, "%s", _("that path is too long"));
	if ((e = state_make_folder(p->dir, eb)) != E_OK ||
	    (e = take_port(p, eb)) != E_OK)
		return e;
	return take_password(p, eb);
}

enum err
serve_place_lock(struct serve_place *p, struct errbuf *eb)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];

	if (!serve_place_path(p, path, "lock"))
		return err_set(eb, E_IO, "%s", _("that path is too long"));
	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p->lock < 0)
		return err_sys(eb, E_IO, "%s", path);
	if (fcntl(p->lock, F_OFD_SETLK, &l) == 0)
		return E_OK;
	return errno == EAGAIN || errno == EACCES
		   ? err_set(eb, E_BUSY,
			 _("malote serve is running already; what to type is "
			   "shown by malote serve --show"))
		   : err_sys(eb, E_IO, "%s", path);
}

void
serve_place_close(struct serve_place *p)
{
	if (p->lock >= 0)
		close(p->lock);
	p->lock = -1;
	explicit_bzero(p->password, sizeof(p->password));
}
