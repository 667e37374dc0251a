#include "server/helper/verify_process.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "server/helper/verify_reply.h"
#include "server/helper/verify_traces.h"

static char path[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* Whatever was there. */
static void
reset_environment(void)
{
	static char *variables[2];

	variables[0] = path;
	variables[1] = NULL;
	environ = variables;
}

static bool
take_off(int fd)
{
	sigset_t none;
	int null;

	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, VERIFY_FD) < 0 || close_range(VERIFY_FD + 1, ~0u, 0) < 0 ||
	    (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
		return false;
	for (int i = 0; i < VERIFY_FD; i++)
		if (dup2(null, i) < 0)
			return false;
	close(null);
	reset_environment();
	return true;
}

/* What functions that have returned have left below. */
static void __attribute__((noinline)) wipe_stack(void)
{
	char below[64 * 1024];

	explicit_bzero(below, sizeof(below));
}

/* Who is started here, and leaves its parent, is seen as a child; and no program that
 * is executed could answer in our place. */
static enum err
keep_together(struct verify_traces *traces)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
	    fcntl(VERIFY_FD, F_SETFD, FD_CLOEXEC) < 0)
		return E_IO;
	return verify_traces_note(traces);
}

static bool
answer(const struct verify_driver *driver, const struct pam_conf *c,
    const struct verify_question *q, struct verify_traces *before)
{
	struct verify_answer a = { .result = LOOKUP_FAILED };
	enum err e;

	driver->verify(c, q, &a);
	a.ask_again = before != NULL && verify_traces_none(before);
	e = verify_reply_send(VERIFY_FD, &a);
	db_row_clear(&a.row);
	return e == E_OK;
}

void
verify_process_run(const struct verify_driver *driver, const struct pam_conf *c,
    struct verify_question *q, int fd)
{
	struct verify_traces traces, *before = NULL;

	/* A group that can be ended.  Linux gives each session its turn (autogroup):
	 * in that of all others a new process waited three times as long. */
	setsid();
	if (!take_off(fd))
		_exit(EX_TEMPFAIL);
	if (c->questions > 1 && keep_together(&traces) == E_OK)
		before = &traces;
	do {
		if (!answer(driver, c, q, before))
			_exit(EX_TEMPFAIL);
		explicit_bzero(q, sizeof(*q));
		wipe_stack();
		reset_environment();
	} while (before != NULL &&
		 recv(VERIFY_FD, q, sizeof(*q), 0) == (ssize_t)sizeof(*q));
	_exit(0);
}
