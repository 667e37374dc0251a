/*
 * killer - runs a program and kills it at its n-th change to the disk.
 *
 *	killer N before|torn PROGRAM ARGUMENT...
 *
 * Counts, over all threads and children, the system calls that change or sync
 * files; the N-th is not made (before), or a write is made by half and
 * another call wholly (torn), and all of them get SIGKILL.  Exit code 99: they
 * were killed; else the program's own, with a line "changes N" on descriptor 2
 * if N is 0.  x86-64.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLED = 99, N_CALLS = 25 };

static const unsigned calls[N_CALLS] = { SYS_write, SYS_pwrite64, SYS_writev,
	SYS_pwritev, SYS_pwritev2, SYS_open, SYS_openat, SYS_creat,
	SYS_truncate, SYS_ftruncate, SYS_fsync, SYS_fdatasync,
	SYS_sync_file_range, SYS_syncfs, SYS_unlink, SYS_unlinkat, SYS_rename,
	SYS_renameat, SYS_renameat2, SYS_link, SYS_linkat, SYS_mkdir,
	SYS_mkdirat, SYS_rmdir, SYS_fallocate };

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

/* Only these calls stop: the rest runs at its own speed. */
static void
filter(void)
{
	struct sock_filter code[N_CALLS + 3];
	struct sock_fprog program = { N_CALLS + 3, code };
	unsigned i;

	code[0] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (i = 0; i < N_CALLS; i++)
		code[i + 1] = (struct sock_filter)BPF_JUMP(
		    BPF_JMP | BPF_JEQ | BPF_K, calls[i], N_CALLS - i, 0);
	code[N_CALLS + 1] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[N_CALLS + 2] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		die("seccomp");
}

static int
is_file(pid_t pid, unsigned long long fd)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%llu", (int)pid, fd);
	return fd > STDERR_FILENO && stat(path, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

static int
is_write(unsigned long long nr)
{
	return nr == SYS_write || nr == SYS_pwrite64 || nr == SYS_writev ||
	       nr == SYS_pwritev || nr == SYS_pwritev2;
}

static int
is_change(pid_t pid, const struct user_regs_struct *r)
{
	if (is_write(r->orig_rax))
		return is_file(pid, r->rdi);
	if (r->orig_rax == SYS_open)
		return (r->rsi & O_CREAT) != 0;
	if (r->orig_rax == SYS_openat)
		return (r->rdx & O_CREAT) != 0;
	return 1;
}

static int
start(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			die("TRACEME");
		raise(SIGSTOP);
		filter();
		execv(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE |
		    PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		    PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
		die("SETOPTIONS");
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	return pid;
}

/* A write is made by half: a pipe full of vectors stays whole. */
static void
tear(pid_t pid, struct user_regs_struct *r)
{
	int status;

	if (r->orig_rax == SYS_write || r->orig_rax == SYS_pwrite64) {
		r->rdx /= 2;
		ptrace(PTRACE_SETREGS, pid, NULL, r);
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	waitpid(pid, &status, __WALL);
}

/* Until the program is seen to be dead, with all its threads; what else it had
 * begun dies with the tracer (PTRACE_O_EXITKILL). */
static void
end_all(pid_t pid)
{
	int status;
	pid_t at;

	kill(pid, SIGKILL);
	for (;;) {
		at = waitpid(-1, &status, __WALL);
		if (at < 0 || (at == pid && WIFSIGNALED(status)))
			_exit(KILLED);
		if (WIFSTOPPED(status)) {
			kill(at, SIGKILL);
			ptrace(PTRACE_CONT, at, NULL, NULL);
		}
	}
}

/* What the stop hands on to the process. */
static int
signal_of(int status)
{
	int sig = WSTOPSIG(status);

	if (status >> 16 != 0 || sig == SIGTRAP || sig == SIGSTOP)
		return 0;
	return sig;
}

int
main(int argc, char **argv)
{
	struct user_regs_struct r;
	unsigned long n, seen = 0;
	int status, torn;
	pid_t pid, at;

	if (argc < 4)
		return 2;
	n = strtoul(argv[1], NULL, 10);
	torn = strcmp(argv[2], "torn") == 0;
	pid = start(argv + 3);
	for (;;) {
		at = waitpid(-1, &status, __WALL);
		if (at < 0 && errno == EINTR)
			continue;
		if (at < 0)
			die("waitpid");
		if (at == pid && (WIFEXITED(status) || WIFSIGNALED(status)))
			break;
		if (!WIFSTOPPED(status))
			continue;
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8) &&
		    ptrace(PTRACE_GETREGS, at, NULL, &r) == 0 &&
		    is_change(at, &r) && ++seen == n) {
			if (torn)
				tear(at, &r);
			end_all(pid);
		}
		ptrace(PTRACE_CONT, at, NULL, (long)signal_of(status));
	}
	if (n == 0)
		fprintf(stderr, "changes %lu\n", seen);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}
