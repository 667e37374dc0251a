#include "server/ipc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "server/ipc/ipc.h"
#include "server/ipc/role.h"

static char *const environment[] = { NULL };

/* In the child, between fork and exec: system calls only. */
static void
become(const char *role, char *title, int ctl, int log, pid_t parent)
{
	char *const argv[] = { title, (char *)"-x", (char *)role, NULL };
	sigset_t none;
	int null;

	/* Above those that are replaced now. */
	ctl = fcntl(ctl, F_DUPFD, 10);
	log = fcntl(log, F_DUPFD, 10);
	null = open("/dev/null", O_RDWR);
	if (ctl < 0 || log < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 ||
	    dup2(ctl, ROLE_FD) < 0 || close_range(ROLE_FD + 1, ~0u, 0) < 0)
		_exit(71);
	setsid();
	/* The end of the channel tells of the parent's death; this is for a
	 * process that does not listen.  A change of user undoes it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(71);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve("/proc/self/exe", argv, environment);
	_exit(71);
}

enum err
spawn(const char *role, unsigned index, struct spawned *out, struct errbuf *eb)
{
	int ctl[2], log[2];
	char title[64];
	sigset_t all, before;
	pid_t self = getpid();
	enum err e;

	snprintf(title, sizeof(title), "maloted: %s %u", role, index);
	if ((e = ipc_pair(ctl, eb)) != E_OK)
		return e;
	if (pipe2(log, O_CLOEXEC | O_NONBLOCK) < 0) {
		e = err_sys(eb, E_IO, "pipe");
		close(ctl[0]);
		close(ctl[1]);
		return e;
	}
	/* Our handlers must not run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	if ((out->pid = fork()) == 0)
		become(role, title, ctl[1], log[1], self);
	if (out->pid < 0)
		e = err_sys(eb, E_IO, "fork");
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(ctl[1]);
	close(log[1]);
	if (e != E_OK) {
		close(ctl[0]);
		close(log[0]);
		return e;
	}
	out->ctl = ctl[0];
	out->log = log[0];
	return E_OK;
}
