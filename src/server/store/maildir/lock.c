#include "server/store/maildir/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "server/store/maildir/dir.h"

enum {
	LINE = 96,
	DAY = 24 * 60 * 60,
	SHARED_PAUSE_MS = 20,
	SHARED_TRIES = 250,
};

/* "1732276980 203.0.113.7   ...\n" */
static void
line_write(int fd, off_t at, uint64_t when, const char *word)
{
	char line[LINE + 1];
	int n = snprintf(
	    line, sizeof(line), "%llu %.64s", (unsigned long long)when, word);

	memset(line + n, ' ', (size_t)(LINE - n));
	line[LINE - 1] = '\n';
	/* Only for people's eyes: the lock does not depend on it. */
	(void)!pwrite(fd, line, LINE, at);
}

/* The number at the head of a line, and the word behind it. */
static bool
line_read(int fd, off_t at, uint64_t *when_r, char word[LINE])
{
	char line[LINE];
	ssize_t n = pread(fd, line, LINE, at);
	size_t digits, end;

	if (n != LINE)
		return false;
	line[LINE - 1] = '\0';
	digits = strspn(line, "0123456789");
	if (line[digits] != ' ' ||
	    !str_to_u64((struct slice){ line, digits }, when_r))
		return false;
	end = strcspn(line + digits + 1, " ");
	memcpy(word, line + digits + 1, end);
	word[end] = '\0';
	return true;
}

enum err
maildir_lock(int root, const char *peer, int *fd_r, struct holder *holder,
    struct errbuf *eb)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char word[LINE];
	uint64_t since;
	bool now = peer == NULL;
	struct stat st;
	enum err e;
	int fd;

	e = maildir_file(root, LOCKFILE_NAME, O_RDWR | (now ? 0 : O_CREAT), now,
	    &fd, &st, eb);
	if (e != E_OK)
		return maildir_about(e, LOCKFILE_NAME, eb);
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
		if (!now)
			line_write(fd, 0, clock_unix_ms() / 1000, peer);
		*fd_r = fd;
		return E_OK;
	}
	if (errno != EAGAIN && errno != EACCES) {
		e = err_sys(eb, E_IO, "locking malote.lock");
	} else {
		e = err_set(eb, E_BUSY, "locked by another process");
		if (!line_read(fd, 0, &since, word)) {
			since = clock_unix_ms() / 1000;
			snprintf(word, sizeof(word), "elsewhere");
		}
		holder_set(holder, since, word);
	}
	close(fd);
	return e;
}

void
maildir_note(struct hold *hold, const char *peer)
{
	struct maildir *m = (struct maildir *)hold;

	if (m->lock_fd >= 0)
		line_write(m->lock_fd, 0, clock_unix_ms() / 1000, peer);
}

enum err
maildir_by_hand(const char *path, struct holder *holder,
    enum err (*act)(int root, struct errbuf *eb), struct errbuf *eb)
{
	enum err e;
	int root, lock;

	if ((e = maildir_open_dir(AT_FDCWD, path, false, &root, eb)) != E_OK)
		return maildir_about(e, "the Maildir", eb);
	e = maildir_lock(root, "malotectl", &lock, holder, eb);
	if (e == E_OK) {
		e = act(root, eb);
		close(lock);
	}
	close(root);
	return e;
}

bool
maildir_sweep_due(int lock_fd)
{
	uint64_t now = clock_unix_ms() / 1000, last;
	char word[LINE];

	if (line_read(lock_fd, LINE, &last, word) && last <= now &&
	    now - last < DAY)
		return false;
	line_write(lock_fd, LINE, now, "tmp");
	return true;
}

enum err
maildir_lock_shared(struct maildir *m, int root, struct errbuf *eb)
{
	static const struct timespec pause = { 0, SHARED_PAUSE_MS * 1000000 };
	struct holder holder;
	enum err e = E_BUSY;
	/* Who only reads holds up nobody who waits for the same thread. */
	const unsigned tries = m->hold.read_only ? 1 : SHARED_TRIES;

	if (!m->hold.shared)
		return E_OK;
	for (unsigned i = 0; i < tries && e == E_BUSY; i++) {
		if (i != 0)
			nanosleep(&pause, NULL);
		e = maildir_lock(root, "shared", &m->lock_fd, &holder, eb);
	}
	/* Where nobody can make a lock file nobody writes an index either. */
	return e == E_DENIED ? E_OK
	       : e == E_BUSY ? err_set(eb, E_IO, "locked for long")
			     : e;
}

void
maildir_unlock_shared(struct maildir *m)
{
	if (!m->hold.shared || m->lock_fd < 0)
		return;
	close(m->lock_fd);
	m->lock_fd = -1;
}
