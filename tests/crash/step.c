#include "step.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include <cmocka.h>

static bool
is_write(uint64_t nr)
{
	return nr == SYS_write || nr == SYS_pwrite64;
}

/* Lines for the log are no change to the disk. */
static bool
is_change(const struct ptrace_syscall_info *info)
{
	switch (info->entry.nr) {
	case SYS_write: return info->entry.args[0] > STDERR_FILENO;
	case SYS_openat: return (info->entry.args[2] & O_CREAT) != 0;
	case SYS_pwrite64:
	case SYS_ftruncate:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_unlinkat:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_linkat:
	case SYS_mkdirat: return true;
	default: return false;
	}
}

static void
halve_write(pid_t pid, uint64_t nr)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (!is_write(nr))
		return;
	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
	regs.rdx /= 2;
	assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
#else
	(void)pid;
	(void)nr;
#endif
}

static int
next_stop(pid_t pid)
{
	int status;

	assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
end_child(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static bool
is_syscall_stop(int status)
{
	return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
}

bool
step_kill(void (*fn)(void *arg), void *arg, unsigned nth, enum step_how how)
{
	struct ptrace_syscall_info info;
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		fn(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL,
			     PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL),
	    0);
	for (;;) {
		status = next_stop(pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(is_syscall_stop(status));
		assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info),
				&info) > 0);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY && is_change(&info) &&
		    --nth == 0)
			break;
	}
	if (how == STEP_TORN) {
		halve_write(pid, info.entry.nr);
		assert_true(is_syscall_stop(next_stop(pid)));
	}
	end_child(pid);
	return true;
}
