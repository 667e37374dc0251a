#include "client/deliver/execute.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"

enum {
	FD_STATUS = 3, /* in the children */
	FD_SAFE = 16,  /* above those that they are to be put at */
};

struct told {
	int how, value;
};

struct run {
	char *const *argv, *const *environment;
	int input, null, errors[2], status[2];
	sigset_t mask; /* of the thread */
	pid_t child;
	uint64_t end;
	bool told;
};

/* ---- in the children: only what a signal handler may do, as other threads'
 * locks are held there for ever ---- */

static void
tell(int how, int value)
{
	struct told t = { how, value };

	(void)!write(FD_STATUS, &t, sizeof(t));
}

static void
reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
place_input(int fd, int at)
{
	if (dup2(fd, at) < 0)
		_exit(127);
}

static void
exec_command(const struct run *r)
{
	fcntl(FD_STATUS, F_SETFD, FD_CLOEXEC);
	execvpe(r->argv[0], r->argv, r->environment);
	tell(RUN_NO_EXEC, errno);
	_exit(127);
}

static void
be_child(const struct run *r)
{
	int status = 0;
	pid_t pid;

	setpgid(0, 0);
	reset_signals();
	place_input(r->input, STDIN_FILENO);
	place_input(r->null, STDOUT_FILENO);
	place_input(r->errors[1], STDERR_FILENO);
	place_input(r->status[1], FD_STATUS);
	if (close_range(FD_STATUS + 1, ~0U, 0) != 0)
		_exit(127);
	if ((pid = _Fork()) == 0)
		exec_command(r);
	/* The end of what the command writes is to be seen. */
	close(STDERR_FILENO);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		tell(RUN_NO_EXEC, errno);
	else if (WIFEXITED(status))
		tell(RUN_EXITED, WEXITSTATUS(status));
	else
		tell(RUN_SIGNALED, WTERMSIG(status));
	_exit(0);
}

/* ---- here ---- */

static void
close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Moved out of the way of 0 to 3, should those be free here. */
static bool
raise_fd(int *fd)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, FD_SAFE);

	close_one(fd);
	*fd = high;
	return high >= 0;
}

static bool
open_fds(struct run *r, int input)
{
	r->input = fcntl(input, F_DUPFD_CLOEXEC, FD_SAFE);
	r->null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return r->input >= 0 && r->null >= 0 &&
	       pipe2(r->errors, O_CLOEXEC) == 0 &&
	       pipe2(r->status, O_CLOEXEC) == 0 && raise_fd(&r->null) &&
	       raise_fd(&r->errors[1]) && raise_fd(&r->status[1]) &&
	       fcntl(r->errors[0], F_SETFL, O_NONBLOCK) == 0;
}

static void
close_fds(struct run *r)
{
	close_one(&r->input);
	close_one(&r->null);
	close_one(&r->errors[0]);
	close_one(&r->errors[1]);
	close_one(&r->status[0]);
	close_one(&r->status[1]);
}

static enum err
start(struct run *r, struct errbuf *eb)
{
	sigset_t all;

	/* A handler of ours must not run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &r->mask);
	if ((r->child = fork()) == 0)
		be_child(r);
	pthread_sigmask(SIG_SETMASK, &r->mask, NULL);
	if (r->child < 0)
		return err_sys(eb, E_NOMEM, _("cannot start the command"));
	setpgid(r->child, r->child);
	close_one(&r->input);
	close_one(&r->null);
	close_one(&r->errors[1]);
	close_one(&r->status[1]);
	return E_OK;
}

/* Keeps the head and drops the rest; closed at its end. */
static void
read_errors(struct run *r, struct run_result *res)
{
	char rest[4096];
	ssize_t n;
	size_t room;

	if (r->errors[0] < 0)
		return;
	n = read(r->errors[0], rest, sizeof(rest));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_one(&r->errors[0]);
		return;
	}
	room = sizeof(res->words) - res->n;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(res->words + res->n, rest, room);
	res->n += (unsigned)room;
}

/* The first word counts: that it could not be executed. */
static void
read_status(struct run *r, struct run_result *res)
{
	struct told t;
	ssize_t n = read(r->status[0], &t, sizeof(t));

	if (n < 0 && errno == EINTR)
		return;
	if (n == (ssize_t)sizeof(t)) {
		res->how = t.how;
		res->value = t.value;
	} else {
		res->how =
		    RUN_SIGNALED; /* somebody has killed the one between */
		res->value = SIGKILL;
	}
	r->told = true;
}

static void
wait_for_it(struct run *r, struct run_result *res)
{
	while (!r->told) {
		struct pollfd p[2] = { { r->status[0], POLLIN, 0 },
			{ r->errors[0], POLLIN, 0 } };
		uint64_t now = clock_ms();

		if (now >= r->end)
			break;
		if (poll(p, 2, (int)(r->end - now)) <= 0)
			continue;
		if (p[1].revents != 0)
			read_errors(r, res);
		if (p[0].revents != 0)
			read_status(r, res);
	}
	if (r->told) {
		read_errors(r, res);
		return;
	}
	kill(-r->child, SIGKILL);
	res->how = RUN_TIMEOUT;
}

enum err
run_command(char *const argv[], char *const environment[], int input,
    unsigned timeout, struct run_result *res, struct errbuf *eb)
{
	struct run r = { .argv = argv,
		.environment = environment,
		.input = -1,
		.null = -1,
		.errors = { -1, -1 },
		.status = { -1, -1 },
		.end = clock_ms() + (uint64_t)timeout * 1000 };
	enum err e;

	*res = (struct run_result){ .n = 0 };
	if (!open_fds(&r, input))
		e = err_sys(eb, E_NOMEM, _("cannot start the command"));
	else
		e = start(&r, eb);
	if (e == E_OK) {
		wait_for_it(&r, res);
		/* Or the loop of another thread has. */
		while (waitpid(r.child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_fds(&r);
	return e;
}
