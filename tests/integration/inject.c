/*
 * inject - makes a running process do system calls, and says what it got.
 *
 *	inject TID NAME...
 *
 * NAME is a system call of the list below, or "say:FD:HEX": those octets are
 * written to that descriptor, which is how a process that was broken into
 * would speak to others; or "fill", which duplicates descriptor 2 until there
 * is no room for more, or "close:FD", that one and all above it; or "read:PATH",
 * which opens it, or "tcp:PORT" and "unix:PATH", which connect there on this
 * machine.
 *
 * Stops the thread, puts each call in front of where it stands, steps over
 * it, prints "NAME errno" (0: it was permitted), and lets the thread go on as
 * if nothing had been.  x86-64; needs root or the right to trace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* An argument that stands for the address of a path in the thread's stack. */
#define PATH  0x7061746870617468ULL
#define OTHER 0x6f746865726f7468ULL
/* One for the address of zeroes there. */
#define ZEROES 0x7a65726f7a65726fULL
/* And one for the process itself. */
#define SELF 0x73656c6673656c66ULL

static const struct call {
	const char *name;
	unsigned long nr;
	unsigned long long arg[6];
} calls[] = {
	{ "open", SYS_open, { PATH, O_RDONLY } },
	{ "openat", SYS_openat, { AT_FDCWD, PATH, O_RDONLY } },
	{ "openat2", SYS_openat2, { AT_FDCWD, PATH, ZEROES, 24 } },
	{ "creat", SYS_creat, { OTHER, 0600 } },
	{ "mknod", SYS_mknod, { OTHER, S_IFIFO | 0600 } },
	{ "mknodat", SYS_mknodat, { AT_FDCWD, OTHER, S_IFIFO | 0600 } },
	{ "mkdir", SYS_mkdir, { OTHER, 0700 } },
	{ "mkdirat", SYS_mkdirat, { AT_FDCWD, OTHER, 0700 } },
	{ "rmdir", SYS_rmdir, { OTHER } },
	{ "unlink", SYS_unlink, { OTHER } },
	{ "unlinkat", SYS_unlinkat, { AT_FDCWD, OTHER } },
	{ "rename", SYS_rename, { OTHER, PATH } },
	{ "renameat", SYS_renameat, { AT_FDCWD, OTHER, AT_FDCWD, PATH } },
	{ "renameat2", SYS_renameat2, { AT_FDCWD, OTHER, AT_FDCWD, PATH } },
	{ "link", SYS_link, { OTHER, OTHER } },
	{ "linkat", SYS_linkat, { AT_FDCWD, PATH, AT_FDCWD, OTHER } },
	{ "symlink", SYS_symlink, { OTHER, OTHER } },
	{ "symlinkat", SYS_symlinkat, { OTHER, AT_FDCWD, OTHER } },
	{ "truncate", SYS_truncate, { OTHER, 0 } },
	{ "chmod", SYS_chmod, { OTHER, 0700 } },
	{ "chown", SYS_chown, { OTHER, 0, 0 } },
	{ "chroot", SYS_chroot, { PATH } },
	{ "chdir", SYS_chdir, { PATH } },
	{ "mount", SYS_mount, { PATH, PATH, ZEROES } },
	{ "socket", SYS_socket, { AF_INET, SOCK_STREAM } },
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, ZEROES } },
	{ "connect", SYS_connect, { 0, ZEROES, 16 } },
	{ "bind", SYS_bind, { 0, ZEROES, 16 } },
	{ "listen", SYS_listen, { 0, 1 } },
	{ "execve", SYS_execve, { PATH, ZEROES, ZEROES } },
	{ "execveat", SYS_execveat, { AT_FDCWD, PATH, ZEROES, ZEROES } },
	{ "fork", SYS_fork, { 0 } },
	{ "clone", SYS_clone, { SIGCHLD } },
	{ "clone3", SYS_clone3, { ZEROES, 64 } },
	{ "ptrace", SYS_ptrace, { PTRACE_ATTACH, 1 } },
	{ "process_vm_readv", SYS_process_vm_readv, { 1 } },
	{ "pidfd_open", SYS_pidfd_open, { SELF } },
	{ "pidfd_getfd", SYS_pidfd_getfd, { 0, 0 } },
	{ "kill", SYS_kill, { SELF, 0 } },
	{ "setuid", SYS_setuid, { 0 } },
	{ "setresuid", SYS_setresuid, { 0, 0, 0 } },
	{ "unshare", SYS_unshare, { CLONE_NEWUSER } },
	{ "setns", SYS_setns, { 0, 0 } },
	{ "memfd_create", SYS_memfd_create, { OTHER, 0 } },
	{ "io_uring_setup", SYS_io_uring_setup, { 1, ZEROES } },
	{ "bpf", SYS_bpf, { 0, ZEROES, 8 } },
	{ "perf_event_open", SYS_perf_event_open, { ZEROES, 0, -1, -1 } },
	{ "userfaultfd", SYS_userfaultfd, { 0 } },
	{ "keyctl", SYS_keyctl, { 0, 0 } },
	{ "accept", SYS_accept, { 0, 0, 0 } },
	{ "setown", SYS_fcntl, { 2, F_SETOWN, SELF } },
	{ "setsig", SYS_fcntl, { 2, F_SETSIG, SIGKILL } },
	{ "mmap-exec", SYS_mmap,
	    { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS } },
	{ "mprotect-exec", SYS_mprotect, { 0, 4096, PROT_READ | PROT_EXEC } },
	{ "shmget", SYS_shmget, { 0, 4096, 0600 | 01000 } },
	{ "reboot", SYS_reboot, { 0 } },
	/* Permitted to all: shows that the rest is refused, not merely lost. */
	{ "getpid", SYS_getpid, { 0 } },
};

enum {
	RED_ZONE = 128,
	PATH_AT = 0,
	OTHER_AT = 32,
	OTHER_SIZE = 32,
	ZEROES_AT = 64,
	SCRATCH = 1024,
	STOPS = 500, /* tries to find it in a call */
	PAUSE_US = 10000
};

/* What a call may make: a name of ours alone, and gone when we have seen it, so
 * that what a broken filter lets through is in nobody's way later. */
static char made[OTHER_SIZE];

static void
name_made(void)
{
	snprintf(made, sizeof(made), "/tmp/malote-injected.%d", (int)getpid());
}

static void
remove_made(void)
{
	if (unlink(made) < 0)
		rmdir(made);
}

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

/* A signal that came meanwhile, which it gets when we let it go; or 0. */
static int kept;

static void
go_on(pid_t tid, enum __ptrace_request how)
{
	if (ptrace(how, tid, NULL, NULL) < 0)
		die("to go on");
}

/* Until it stops for something else than a signal of somebody else's: returns
 * SIGTRAP, or the SIGSYS of the filter.  how: it goes on from such a one. */
static int
await(pid_t tid, enum __ptrace_request how)
{
	int status;

	for (;;) {
		if (waitpid(tid, &status, __WALL) != tid)
			die("waitpid");
		if (!WIFSTOPPED(status)) {
			fprintf(
			    stderr, "the thread ended: status %x\n", status);
			exit(3);
		}
		if (WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSYS)
			return WSTOPSIG(status);
		kept = WSTOPSIG(status);
		go_on(tid, how);
	}
}

static void
poke(pid_t tid, unsigned long long at, const void *data, size_t n)
{
	const struct iovec from = { (void *)data, n }, to = { (void *)at, n };

	if (process_vm_writev(tid, &from, 1, &to, 1, 0) != (ssize_t)n)
		die("process_vm_writev");
}

static unsigned long long
resolve(pid_t tid, unsigned long long arg, unsigned long long scratch)
{
	switch (arg) {
	case PATH: return scratch + PATH_AT;
	case OTHER: return scratch + OTHER_AT;
	case ZEROES: return scratch + ZEROES_AT;
	case SELF: return (unsigned long long)tid;
	default: return arg;
	}
}

static int last; /* what the call returned */

/* Returns the errno of the call, 0 if it was permitted. */
static int
run(pid_t tid, const struct user_regs_struct *saved, const struct call *c,
    const char memory[SCRATCH])
{
	struct user_regs_struct r = *saved;
	unsigned long long scratch = (saved->rsp - RED_ZONE - SCRATCH) & ~15ULL;

	poke(tid, scratch, memory, SCRATCH);
	r.rsp = scratch;
	r.rip = saved->rip - 2; /* it stands behind a system call */
	r.orig_rax = (unsigned long long)-1;
	r.rax = c->nr;
	r.rdi = resolve(tid, c->arg[0], scratch);
	r.rsi = resolve(tid, c->arg[1], scratch);
	r.rdx = resolve(tid, c->arg[2], scratch);
	r.r10 = resolve(tid, c->arg[3], scratch);
	r.r8 = resolve(tid, c->arg[4], scratch);
	r.r9 = resolve(tid, c->arg[5], scratch);
	if (ptrace(PTRACE_SETREGS, tid, NULL, &r) < 0)
		die("SETREGS");
	go_on(tid, PTRACE_SINGLESTEP);
	if (await(tid, PTRACE_SINGLESTEP) == SIGSYS) {
		/* The filter's signal, which its handler never sees; the one
		 * for the step is still to come. */
		go_on(tid, PTRACE_SINGLESTEP);
		await(tid, PTRACE_SINGLESTEP);
		return EPERM;
	}
	if (ptrace(PTRACE_GETREGS, tid, NULL, &r) < 0)
		die("GETREGS");
	if ((long long)r.rax < 0 && (long long)r.rax > -4096)
		return (int)-(long long)r.rax;
	last = (int)r.rax;
	return 0;
}

static int
inject(pid_t tid, const struct user_regs_struct *saved, const struct call *c)
{
	char memory[SCRATCH] = { 0 };
	int result;

	memcpy(memory + PATH_AT, "/", 2);
	memcpy(memory + OTHER_AT, made, OTHER_SIZE);
	result = run(tid, saved, c, memory);
	remove_made();
	return result;
}

/* what: FD:HEX */
static int
say(pid_t tid, const struct user_regs_struct *saved, const char *what)
{
	struct call c = { "say", SYS_write, { 0, PATH } };
	char memory[SCRATCH] = { 0 }, *at;
	unsigned n = 0;

	c.arg[0] = strtoull(what, &at, 10);
	for (at++; n < SCRATCH && sscanf(at, "%2hhx", &memory[n]) == 1; at += 2)
		n++;
	c.arg[2] = n;
	return run(tid, saved, &c, memory);
}

static int
close_last(pid_t tid, const struct user_regs_struct *saved)
{
	const struct call c = { "close", SYS_close,
		{ (unsigned long long)last } };

	return inject(tid, saved, &c);
}

static int
read_path(pid_t tid, const struct user_regs_struct *saved, const char *path)
{
	static const struct call c = { "read", SYS_openat,
		{ (unsigned long long)AT_FDCWD, PATH, O_RDONLY } };
	char memory[SCRATCH] = { 0 };
	int e;

	snprintf(memory, SCRATCH, "%s", path);
	if ((e = run(tid, saved, &c, memory)) == 0)
		close_last(tid, saved);
	return e;
}

static int
connect_to(pid_t tid, const struct user_regs_struct *saved, const char *where)
{
	struct call open = { "socket", SYS_socket, { AF_INET, SOCK_STREAM } };
	struct call c = { "connect", SYS_connect,
		{ 0, PATH, sizeof(struct sockaddr_in) } };
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char memory[SCRATCH] = { 0 };
	int e;

	in.sin_port = htons((uint16_t)strtoul(where, NULL, 10));
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", where);
	memcpy(memory, &in, sizeof(in));
	if (where[0] == '/') {
		open.arg[0] = AF_UNIX;
		c.arg[2] = sizeof(un);
		memcpy(memory, &un, sizeof(un));
	}
	if ((e = inject(tid, saved, &open)) != 0)
		return e;
	c.arg[0] = (unsigned long long)last;
	e = run(tid, saved, &c, memory);
	last = (int)c.arg[0];
	close_last(tid, saved);
	return e;
}

static int
fill(pid_t tid, const struct user_regs_struct *saved)
{
	static const struct call dup = { "dup", SYS_fcntl,
		{ 2, F_DUPFD_CLOEXEC, 0 } };
	int e;

	while ((e = inject(tid, saved, &dup)) == 0)
		continue;
	return e == EMFILE ? 0 : e;
}

static int
close_from(pid_t tid, const struct user_regs_struct *saved, const char *from)
{
	struct call c = { "close", SYS_close, { strtoull(from, NULL, 10) } };

	while (inject(tid, saved, &c) == 0)
		c.arg[0]++;
	return 0;
}

static const struct call *
find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	fprintf(stderr, "inject: no call %s\n", name);
	exit(2);
}

/* One word of the command line. */
static int
do_one(pid_t tid, const struct user_regs_struct *saved, const char *what)
{
	if (strncmp(what, "say:", 4) == 0)
		return say(tid, saved, what + 4);
	if (strncmp(what, "close:", 6) == 0)
		return close_from(tid, saved, what + 6);
	if (strncmp(what, "read:", 5) == 0)
		return read_path(tid, saved, what + 5);
	if (strncmp(what, "tcp:", 4) == 0)
		return connect_to(tid, saved, what + 4);
	if (strncmp(what, "unix:", 5) == 0)
		return connect_to(tid, saved, what + 5);
	if (strcmp(what, "fill") == 0)
		return fill(tid, saved);
	return inject(tid, saved, find(what));
}

static int
is_in_call(pid_t tid, const struct user_regs_struct *r)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, tid, r->rip - 2, NULL);
	return errno == 0 && (word & 0xffff) == 0x050f;
}

/* In a system call, as a thread that waits is.  One that is still at work goes on
 * until it waits: on a busy machine that may be a while. */
static void
stop(pid_t tid, struct user_regs_struct *r)
{
	int i;

	for (i = 0; i < STOPS; i++) {
		go_on(tid, PTRACE_INTERRUPT);
		await(tid, PTRACE_CONT);
		if (ptrace(PTRACE_GETREGS, tid, NULL, r) < 0)
			die("GETREGS");
		if (is_in_call(tid, r))
			return;
		go_on(tid, PTRACE_CONT);
		usleep(PAUSE_US);
	}
	fprintf(stderr, "inject: the thread is not in a call\n");
	exit(2);
}

int
main(int argc, char **argv)
{
	struct user_regs_struct saved;
	pid_t tid;
	int i;

	if (argc < 3)
		return 2;
	name_made();
	tid = (pid_t)strtol(argv[1], NULL, 10);
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0)
		die("SEIZE");
	stop(tid, &saved);
	for (i = 2; i < argc; i++)
		printf("%s %d\n", argv[i], do_one(tid, &saved, argv[i]));
	if (ptrace(PTRACE_SETREGS, tid, NULL, &saved) < 0)
		die("SETREGS");
	go_on(tid, PTRACE_DETACH);
	if (kept != 0)
		syscall(SYS_tkill, tid, kept);
	return 0;
}
