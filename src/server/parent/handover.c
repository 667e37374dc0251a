#include "server/parent/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHANNEL_VARIABLE "MALOTED_HANDOVER"

enum { FIRST_FD = 3 }; /* of sd_listen_fds(3) */

/* How we were started. */
static struct {
	char **argv;
	char file[PATH_MAX];
	int directory;
} self = { .directory = -1 };

/* ---- starting another ---- */

/* By the name that we were called by, which may be a link to what is current;
 * without a path in it, by the file that we are. */
void
handover_remember(char **argv)
{
	ssize_t n = -1;

	self.argv = argv;
	self.directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (strchr(argv[0], '/') != NULL)
		n = snprintf(self.file, sizeof(self.file), "%s", argv[0]);
	else
		n = readlink(
		    "/proc/self/exe", self.file, sizeof(self.file) - 1);
	if (n < 0 || (size_t)n >= sizeof(self.file))
		n = 0;
	self.file[n] = '\0';
}

static void
set_number(const char *variable, long number)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", number);
	setenv(variable, text, 1);
}

/* Makes the descriptors FIRST_FD and those behind it.  All are moved out of the
 * way first, as some may be where others are to be. */
static bool
arrange(int *fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, FIRST_FD + (int)n)) <
		    0)
			return false;
	for (size_t i = 0; i < n; i++)
		if (dup2(fd[i], FIRST_FD + (int)i) < 0)
			return false;
	return true;
}

/* In the new process, of which there is one thread. */
static void
become(int *fd, size_t n)
{
	char words[PATH_MAX + 64];
	sigset_t none;

	if (fchdir(self.directory) < 0 || !arrange(fd, n))
		_exit(71);
	set_number("LISTEN_PID", (long)getpid());
	set_number("LISTEN_FDS", (long)n - 1);
	set_number(CHANNEL_VARIABLE, FIRST_FD + (long)n - 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(self.file, self.argv);
	snprintf(words, sizeof(words), "%s cannot be executed: %s", self.file,
	    strerror(errno));
	handover_fail(fd[n - 1], words);
	_exit(71);
}

enum err
handover_start(int *fd, size_t n, pid_t *pid_r, struct errbuf *eb)
{
	sigset_t all, before;
	long pid;

	if (getpid() == 1)
		return err_set(eb, E_IO,
		    "maloted is process 1 here, with which everything ends; "
		    "restart the container");
	if (self.file[0] == '\0' || self.directory < 0)
		return err_set(eb, E_IO,
		    "it is not known which file maloted was started from");
	/* Our handlers must not run there. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if ((pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)) == 0)
		become(fd, n);
	if (pid < 0)
		err_sys(eb, E_IO, "a process for %s", self.file);
	sigprocmask(SIG_SETMASK, &before, NULL);
	*pid_r = (pid_t)pid;
	return pid < 0 ? E_IO : E_OK;
}

/* ---- the channel ---- */

int
handover_channel(void)
{
	const char *text = getenv(CHANNEL_VARIABLE);
	struct stat st;
	int fd;

	if (text == NULL)
		return -1;
	fd = atoi(text);
	unsetenv(CHANNEL_VARIABLE);
	if (fd < FIRST_FD || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return fd;
}

union control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

bool
handover_pass(int channel, const struct handover_message *m, int fd)
{
	struct handover_message out = *m;
	union control ctl = { .buf = "" };
	struct iovec iov = { &out, sizeof(out) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	bool said;

	out.form = HANDOVER_FORM;
	if (fd >= 0) {
		h.msg_control = ctl.buf;
		h.msg_controllen = sizeof(ctl.buf);
		CMSG_FIRSTHDR(&h)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&h)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&h)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&h)), &fd, sizeof(fd));
	}
	said = channel >= 0 &&
	       sendmsg(channel, &h, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
	explicit_bzero(&out, sizeof(out));
	return said;
}

void
handover_say(int channel, const struct handover_message *m)
{
	(void)handover_pass(channel, m, -1);
}

void
handover_fail(int channel, const char *words)
{
	struct handover_message m = { .kind = HANDOVER_FAILED };

	snprintf(m.words, sizeof(m.words), "%s", words);
	handover_say(channel, &m);
}

static int
came_with(struct msghdr *h)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(h);
	int fd = -1;

	if (cm != NULL && cm->cmsg_level == SOL_SOCKET &&
	    cm->cmsg_type == SCM_RIGHTS && cm->cmsg_len >= CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(cm), sizeof(fd));
	return fd;
}

enum err
handover_hear(int channel, struct handover_message *m, int *fd_r)
{
	union control ctl;
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ctl.buf,
		/* Its padding would hold another one. */
		.msg_controllen = CMSG_LEN(sizeof(int)) };
	ssize_t n =
	    recvmsg(channel, &h, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);

	*fd_r = -1;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? E_AGAIN : E_CLOSED;
	if (n == 0)
		return E_CLOSED;
	*fd_r = came_with(&h);
	if (n != sizeof(*m) || m->form != HANDOVER_FORM ||
	    m->size > sizeof(m->octets)) {
		if (*fd_r >= 0)
			close(*fd_r);
		return E_FORMAT;
	}
	m->version[sizeof(m->version) - 1] = '\0';
	/* As long as it is words, they end. */
	if (m->kind == HANDOVER_FAILED)
		m->words[sizeof(m->words) - 1] = '\0';
	return E_OK;
}
