#include "client/serve/serve_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/serve/serve_settings.h"

/* ---- where it is ---- */

static bool
is_program(char out[PATH_MAX], const char *dir, size_t n, const char *name)
{
	return n != 0 &&
	       snprintf(out, PATH_MAX, "%.*s/%s", (int)n, dir, name) <
		   PATH_MAX &&
	       access(out, X_OK) == 0;
}

static bool
is_in_path(char out[PATH_MAX], const char *path)
{
	size_t n;

	for (; path != NULL; path = path[n] == ':' ? path + n + 1 : NULL) {
		n = strcspn(path, ":");
		if (is_program(out, path, n, "maloted"))
			return true;
	}
	return false;
}

/* Beside malote, as it was built and is installed together; else where PATH says,
 * which often has no folders of administrators. */
static enum err
find_maloted(char out[PATH_MAX], struct errbuf *eb)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *last;

	self[n > 0 ? n : 0] = '\0';
	if ((last = strrchr(self, '/')) != NULL) {
		size_t dir = (size_t)(last - self);

		if (is_program(out, self, dir, "maloted") ||
		    is_program(out, self, dir, "../sbin/maloted"))
			return E_OK;
	}
	if (is_in_path(out, getenv("PATH")) ||
	    is_in_path(out, "/usr/local/sbin:/usr/sbin"))
		return E_OK;
	return err_set(eb, E_NOENT, "%s",
	    _("maloted is not installed, which serves the mail: install it "
	      "(it is part of malote), and then start this again"));
}

/* ---- the child ---- */

/* A name that the kernel chooses; it is for the child's NOTIFY_SOCKET. */
static enum err
open_told(int *fd_r, char name[sizeof(struct sockaddr_un)], struct errbuf *eb)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t n = sizeof(at);
	int one = 1;

	*fd_r = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd_r < 0 ||
	    bind(*fd_r, (struct sockaddr *)&at, sizeof(at.sun_family)) < 0 ||
	    getsockname(*fd_r, (struct sockaddr *)&at, &n) < 0 ||
	    setsockopt(*fd_r, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
		return err_sys(eb, E_IO, "socket");
	snprintf(name, sizeof(at), "@%.*s",
	    (int)(n - offsetof(struct sockaddr_un, sun_path)) - 1,
	    at.sun_path + 1);
	return E_OK;
}

static enum err
open_signals(int *fd_r, sigset_t *old, struct errbuf *eb)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, old);
	*fd_r = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd_r >= 0 ? E_OK : err_sys(eb, E_IO, "signalfd");
}

struct start {
	const char *program;
	char settings[PATH_MAX], log[PATH_MAX];
	const char *place;
	char told[sizeof(struct sockaddr_un)];
	bool log_here;
	sigset_t mask;
	pid_t parent;
};

static _Noreturn void
be_child(const struct start *s)
{
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != s->parent)
		_exit(EXIT_FAILURE);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigprocmask(SIG_SETMASK, &s->mask, NULL);
	setenv("NOTIFY_SOCKET", s->told, 1);
	setenv("STATE_DIRECTORY", s->place, 1);
	if (!s->log_here &&
	    (fd = open(
		 s->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600)) >= 0)
		dup2(fd, STDERR_FILENO);
	execl(s->program, s->program, "--config", s->settings, (char *)NULL);
	_exit(EXIT_FAILURE);
}

static enum err
start_child(struct serve_process *s, const char *program,
    const struct serve_place *p, bool log_here, struct errbuf *eb)
{
	struct start st = { .program = program,
		.place = p->dir,
		.log_here = log_here,
		.parent = getpid() };
	enum err e;

	if (!serve_place_path(p, st.settings, SERVE_SETTINGS_FILE) ||
	    !serve_place_path(p, st.log, "log"))
		return err_set(eb, E_IO, "%s", _("that path is too long"));
	if ((e = open_told(&s->told, st.told, eb)) != E_OK ||
	    (e = open_signals(&s->signals, &st.mask, eb)) != E_OK)
		return e;
	if ((s->pid = fork()) == 0)
		be_child(&st);
	return s->pid > 0 ? E_OK : err_sys(eb, E_IO, "fork");
}

/* ---- what it says ---- */

/* Our child, and nobody else. */
static bool
says_ready(const struct serve_process *s)
{
	char text[64] = "";
	union {
		char room[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec v = { text, sizeof(text) - 1 };
	struct msghdr m = { .msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct ucred who = { .pid = -1 };
	struct cmsghdr *c;

	if (recvmsg(s->told, &m, 0) < 0)
		return false;
	if ((c = CMSG_FIRSTHDR(&m)) != NULL && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(&who, CMSG_DATA(c), sizeof(who));
	return who.pid == s->pid && strstr(text, "READY=1") != NULL;
}

/* E_CLOSED: to be stopped; E_IO: the child has ended; E_AGAIN: neither. */
static enum err
read_signal(struct serve_process *s, struct errbuf *eb)
{
	struct signalfd_siginfo got;
	int status;

	if (read(s->signals, &got, sizeof(got)) != sizeof(got))
		return E_AGAIN;
	if (got.ssi_signo != SIGCHLD)
		return E_CLOSED;
	if (waitpid(s->pid, &status, WNOHANG) != s->pid)
		return E_AGAIN;
	s->pid = -1;
	return WIFEXITED(status)
		   ? err_set(eb, E_IO,
			 _("maloted has ended with exit status %d"),
			 WEXITSTATUS(status))
		   : err_set(eb, E_IO, _("maloted was ended by signal %d"),
			 WTERMSIG(status));
}

/* Until it is ready (ready), or over.  The same. */
static enum err
watch(struct serve_process *s, bool ready, struct errbuf *eb)
{
	struct pollfd p[] = { { .fd = s->signals, .events = POLLIN },
		{ .fd = s->told, .events = POLLIN } };
	enum err e = E_AGAIN;

	while (e == E_AGAIN) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(eb, E_IO, "poll");
		if (p[1].revents != 0 && says_ready(s) && ready)
			return E_OK;
		if (p[0].revents != 0)
			e = read_signal(s, eb);
	}
	return e;
}

/* Why it cannot start. */
static void
show_log(const struct serve_place *p)
{
	char path[PATH_MAX], text[4096];
	ssize_t n;
	int fd;

	if (!serve_place_path(p, path, "log") ||
	    (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	while ((n = read(fd, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stderr);
	close(fd);
}

enum err
serve_process_start(struct serve_process *s, const struct serve_place *p,
    bool log_here, struct errbuf *eb)
{
	char program[PATH_MAX];
	enum err e;

	if ((e = find_maloted(program, eb)) == E_OK &&
	    (e = start_child(s, program, p, log_here, eb)) == E_OK)
		e = watch(s, true, eb);
	if (e == E_IO && !log_here)
		show_log(p);
	return e;
}

enum err
serve_process_wait(struct serve_process *s, struct errbuf *eb)
{
	enum err e = watch(s, false, eb);

	return e == E_CLOSED ? E_OK : e;
}

void
serve_process_end(struct serve_process *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGTERM);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	s->pid = -1;
	if (s->told >= 0)
		close(s->told);
	if (s->signals >= 0)
		close(s->signals);
	s->told = s->signals = -1;
}
