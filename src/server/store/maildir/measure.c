#include "server/store/maildir/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "pop3/wire.h"
#include "server/store/maildir/dir.h"
#include "server/store/maildir/names.h"

enum { PIECE = 64 * 1024 };

/* The number behind ",X=" in the base name. */
static bool
name_field(const char *file, char key, uint64_t *v_r)
{
	size_t len = names_base_len(file), digits;

	for (size_t i = 0; i + 3 < len; i++) {
		if (file[i] != ',' || file[i + 1] != key || file[i + 2] != '=')
			continue;
		digits = strspn(file + i + 3, "0123456789");
		return str_to_u64((struct slice){ file + i + 3, digits }, v_r);
	}
	return false;
}

bool
maildir_named_octets(const char *file, uint64_t *octets_r)
{
	return name_field(file, 'S', octets_r);
}

/* LF makes at most two octets of one; a name that says otherwise lies. */
static bool
named_size(const char *file, struct measure *m_r)
{
	uint64_t s, w;

	if (!name_field(file, 'S', &s) || !name_field(file, 'W', &w) || w < s ||
	    w - s > s + 2)
		return false;
	*m_r = (struct measure){ .wire = w, .stored = s };
	return true;
}

enum err
maildir_count(int fd, uint64_t stored, uint64_t *wire_r, struct errbuf *eb)
{
	struct pop3_wire w;
	char buf[PIECE];
	uint64_t at = 0;
	ssize_t n;

	pop3_wire_init(&w, POP3_ALL_LINES);
	while (at < stored) {
		uint64_t left = stored - at;

		n = pread(
		    fd, buf, left < PIECE ? (size_t)left : PIECE, (off_t)at);
		if (n < 0)
			return err_sys(eb, E_IO, "reading the message");
		if (n == 0)
			break; /* it has become shorter */
		pop3_wire_count(&w, buf, (size_t)n);
		at += (uint64_t)n;
	}
	*wire_r = pop3_wire_size(&w);
	return E_OK;
}

enum err
maildir_measure(int dir, const char *file, bool trust_name, struct measure *m_r,
    struct errbuf *eb)
{
	struct stat st;
	enum err e;
	int fd;

	/* Without opening, where that is enough. */
	if (trust_name && named_size(file, m_r)) {
		if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(
			    eb, errno == ENOENT ? E_NOENT : E_IO, "message");
		if (S_ISREG(st.st_mode) && st.st_uid == sandbox_uid() &&
		    (st.st_mode & S_IRUSR) != 0 &&
		    m_r->stored == (uint64_t)st.st_size)
			return E_OK;
	}
	if ((e = maildir_file(dir, file, O_RDONLY, false, &fd, &st, eb)) !=
	    E_OK)
		return e;
	m_r->stored = (uint64_t)st.st_size;
	e = maildir_count(fd, m_r->stored, &m_r->wire, eb);
	close(fd);
	return e;
}
