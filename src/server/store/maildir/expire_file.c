#include "server/store/maildir/expire_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "server/store/maildir/dir.h"
#include "server/store/maildir/lines.h"

#define TEMP_NAME EXPIREFILE_NAME ".tmp"
#define HEADER    "malote-expire 1\n"

enum { CHECK = 8, NUMBERS = 10 };

/* Far beyond any clock, and with room for all days that may be added. */
static const uint64_t TIME_MOST = 1ULL << 40;

static void
check_of(char out[CHECK + 1], const char *p, size_t n)
{
	snprintf(out, CHECK + 1, "%08x", (unsigned)XXH3_64bits(p, n));
}

/* Which file it is: its number, which another may get when it has gone, and when
 * it was made, as far as the file system knows. */
static enum err
self_of(int fd, uint64_t *self_r, struct errbuf *eb)
{
	uint64_t self[3];
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
		return err_sys(eb, E_IO, EXPIREFILE_NAME);
	self[0] = st.stx_ino;
	self[1] = (st.stx_mask & STATX_BTIME) != 0
		      ? (uint64_t)st.stx_btime.tv_sec
		      : 0;
	self[2] = (st.stx_mask & STATX_BTIME) != 0 ? st.stx_btime.tv_nsec : 0;
	*self_r = XXH3_64bits(self, sizeof(self));
	return E_OK;
}

/* ---- reading ---- */

/* The line behind its check, without LF. */
static enum err
take_line(struct expire_state *s, struct slice line, uint64_t self)
{
	uint64_t v[NUMBERS];
	struct slice word;

	for (unsigned i = 0; i < NUMBERS; i++)
		if (!lines_word(&line, ' ', &word) ||
		    !str_to_u64(word, &v[i]) || (i != 0 && v[i] > TIME_MOST))
			return E_NOENT;
	if (v[0] != self || v[1] == 0 || v[1] > RETENTION_DAYS_MAX ||
	    v[7] >= EXPIRE_HELDS || v[8] > UINT32_MAX || v[9] > UINT32_MAX ||
	    line.n == 0 || line.n > NAME_MAX_OCTETS)
		return E_NOENT;
	*s = (struct expire_state){
		.days = (uint32_t)v[1],
		.since = v[2],
		.looked = v[3],
		.boot = v[4],
		.next = v[5],
		.accepted = v[6],
		.held = (enum expire_held)v[7],
		.due = (uint32_t)v[8],
		.of = (uint32_t)v[9],
	};
	memcpy(s->user, line.p, line.n);
	return E_OK;
}

enum err
expire_parse(struct expire_state *s, struct slice text, uint64_t self)
{
	size_t head = sizeof(HEADER) - 1;
	char check[CHECK + 1];

	*s = (struct expire_state){ .days = 0 };
	if (text.n < head + CHECK + 2 || memcmp(text.p, HEADER, head) != 0 ||
	    text.p[text.n - 1] != '\n')
		return E_NOENT;
	text.p += head;
	text.n -= head + 1;
	if (text.p[CHECK] != ' ')
		return E_NOENT;
	check_of(check, text.p + CHECK + 1, text.n - CHECK - 1);
	if (memcmp(check, text.p, CHECK) != 0)
		return E_NOENT;
	return take_line(
	    s, (struct slice){ text.p + CHECK + 1, text.n - CHECK - 1 }, self);
}

enum err
expire_load(struct expire_state *s, int root, struct errbuf *eb)
{
	char text[EXPIREFILE_MAX];
	struct stat st;
	uint64_t self;
	ssize_t n;
	enum err e;
	int fd;

	*s = (struct expire_state){ .days = 0 };
	e = maildir_file(root, EXPIREFILE_NAME, O_RDONLY, false, &fd, &st, eb);
	if (e != E_OK)
		return e;
	e = self_of(fd, &self, eb);
	n = pread(fd, text, sizeof(text), 0);
	close(fd);
	if (e == E_OK && n < 0)
		e = err_sys(eb, E_IO, "reading " EXPIREFILE_NAME);
	return e == E_OK
		   ? expire_parse(s, (struct slice){ text, (size_t)n }, self)
		   : e;
}

/* ---- writing ---- */

static int
print(char out[EXPIREFILE_MAX], const struct expire_state *s, uint64_t self)
{
	char line[EXPIREFILE_MAX - 64], check[CHECK + 1];
	int n = snprintf(line, sizeof(line),
	    "%llu %u %llu %llu %llu %llu %llu %u %u %u %s",
	    (unsigned long long)self, s->days, (unsigned long long)s->since,
	    (unsigned long long)s->looked, (unsigned long long)s->boot,
	    (unsigned long long)s->next, (unsigned long long)s->accepted,
	    s->held, s->due, s->of, s->user);

	check_of(check, line, (size_t)n);
	return snprintf(out, EXPIREFILE_MAX, HEADER "%s %s\n", check, line);
}

static enum err
write_temp(const struct expire_state *s, int fd, struct errbuf *eb)
{
	char text[EXPIREFILE_MAX];
	uint64_t self;
	enum err e;
	int n;

	if ((e = self_of(fd, &self, eb)) != E_OK)
		return e;
	n = print(text, s, self);
	if (write(fd, text, (size_t)n) != n || fsync(fd) < 0)
		return err_sys(eb, E_IO, "writing " EXPIREFILE_NAME);
	return E_OK;
}

enum err
expire_save(const struct expire_state *s, int root, struct errbuf *eb)
{
	enum err e;
	int fd;

	unlinkat(root, TEMP_NAME, 0);
	fd = openat(root, TEMP_NAME,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(eb, E_IO, "opening the new " EXPIREFILE_NAME);
	e = write_temp(s, fd, eb);
	close(fd);
	if (e == E_OK &&
	    (renameat(root, TEMP_NAME, root, EXPIREFILE_NAME) < 0 ||
		fsync(root) < 0))
		e = err_sys(eb, E_IO, "replacing " EXPIREFILE_NAME);
	if (e != E_OK)
		unlinkat(root, TEMP_NAME, 0);
	return e;
}

enum err
expire_forget(int root, struct errbuf *eb)
{
	if (unlinkat(root, EXPIREFILE_NAME, 0) < 0)
		return errno == ENOENT
			   ? E_OK
			   : err_sys(eb, E_IO, "removing " EXPIREFILE_NAME);
	return fsync(root) == 0
		   ? E_OK
		   : err_sys(eb, E_IO, "removing " EXPIREFILE_NAME);
}

bool
expire_is_kept(int root)
{
	struct stat st;

	return fstatat(root, EXPIREFILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
