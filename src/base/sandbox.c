#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/format.h"
#include "base/log.h"

/* Newer than Debian 12's headers. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

/* The same of the network. */
enum {
	NET_ABI = 4,
	NET_RULE = 2,
	NET_BIND_TCP = 1,
	NET_CONNECT_TCP = 2,
};

struct net_attr {
	uint64_t files, net;
};

struct net_port {
	uint64_t rights, port;
};

/* What malloc, threads, the loop and the end of a process need.  epoll_create1:
 * libev makes a new epoll set when it gets an event for a descriptor that it
 * has closed while another process still holds it. */
static const char *const base_calls[] = { "brk", "clock_gettime",
	"clock_nanosleep", "close", "epoll_create1", "epoll_ctl", "epoll_pwait",
	"epoll_wait", "exit", "exit_group", "futex", "getpid", "getrandom",
	"gettid", "gettimeofday", "madvise", "membarrier", "munmap",
	"nanosleep", "poll", "read", "recvmmsg", "restart_syscall", "rseq",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_yield",
	"sendmmsg", "set_robust_list", "sigaltstack", "timerfd_settime",
	"write", "writev" };

/* What no update of a library brings, but somebody who has broken in tries: it
 * ends the process. */
static const char *const deadly_calls[] = { "add_key", "bind", "bpf", "chroot",
	"connect", "execve", "execveat", "fork", "init_module", "finit_module",
	"io_uring_setup", "kexec_load", "keyctl", "listen", "mount",
	"move_mount", "open_by_handle_at", "open_tree", "perf_event_open",
	"pidfd_getfd", "pivot_root", "process_vm_readv", "process_vm_writev",
#ifndef MALOTE_SANITIZE
	"ptrace",
#endif
	"reboot", "request_key", "setgid", "setns", "setregid", "setresgid",
	"setresuid", "setreuid", "setuid", "socket", "umount2", "unshare",
	"userfaultfd", "vfork" };

/* What nobody needs who is asked whether a password is right. */
static const char *const refused_calls[] = { "accept", "accept4", "acct",
	"adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime",
	"delete_module", "finit_module", "fsmount", "fsopen", "init_module",
	"io_uring_setup", "ioperm", "iopl", "kexec_file_load", "kexec_load",
	"listen", "mknod", "mknodat", "mount", "mount_setattr", "move_mount",
	"open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
	"pivot_root", "process_vm_readv", "process_vm_writev",
#ifndef MALOTE_SANITIZE
	"ptrace",
#endif
	"quotactl", "reboot", "setdomainname", "sethostname", "setns",
	"settimeofday", "swapoff", "swapon", "umount2", "unshare",
	"userfaultfd", "vhangup" };

#ifdef MALOTE_SANITIZE
static const char *const sanitizer_calls[] = { "arch_prctl", "clone", "clone3",
	"fcntl", "getppid", "getrlimit", "getuid", "ioctl", "kill", "lseek",
	"newfstatat", "openat", "pipe2", "prctl", "prlimit64", "ptrace",
	"readlink", "readlinkat", "sched_getaffinity", "sched_getparam",
	"sched_getscheduler", "sysinfo", "tgkill", "tkill", "uname", "wait4" };
#endif

/* Octets that a process may have however small the machine is. */
enum { MEMORY_MIN = 1024 * 1024 * 1024 };

/* The user that this process has become, which it cannot leave. */
static uid_t became = (uid_t)-1;

void
sandbox_no_core(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Makes a directory the root and removes it: nothing can be put into a
 * directory that was removed. */
static enum err
enter_empty_root(struct errbuf *eb)
{
	char dir[] = "/tmp/malote-empty-XXXXXX";

	if (mkdtemp(dir) == NULL)
		return err_sys(eb, E_IO, "mkdtemp %s", dir);
	if (chdir(dir) < 0 || rmdir(dir) < 0 || chroot(".") < 0)
		return err_sys(eb, E_IO, "empty root");
	return E_OK;
}

/* What is executed gets no rights back. */
static enum err
take_no_more(struct errbuf *eb)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
		   ? err_sys(eb, E_IO, "no_new_privs")
		   : E_OK;
}

/* kept: of those that it has. */
static enum err
drop_capabilities(uint32_t kept, struct errbuf *eb)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps) < 0)
		return err_sys(eb, E_IO, "capget");
	kept &= caps[0].permitted;
	memset(caps, 0, sizeof(caps));
	caps[0].effective = caps[0].permitted = kept;
	if (syscall(SYS_capset, &head, caps) < 0)
		return err_sys(eb, E_IO, "capset");
	return E_OK;
}

enum err
sandbox_stay_root(struct errbuf *eb)
{
	static const uint32_t kept = 1u << CAP_DAC_READ_SEARCH |
				     1u << CAP_SETUID | 1u << CAP_SETGID |
				     1u << CAP_KILL;
	enum err e;

	if ((e = take_no_more(eb)) != E_OK)
		return e;
	if (setgroups(0, NULL) < 0)
		return err_sys(eb, E_IO, "setgroups");
	if ((e = drop_capabilities(kept, eb)) == E_OK)
		sandbox_no_core();
	return e;
}

enum err
sandbox_become(uid_t uid, gid_t gid, bool empty_root, struct errbuf *eb)
{
	enum err e = take_no_more(eb);

	if (e != E_OK)
		return e;
	if (geteuid() == 0) {
		if (empty_root && (e = enter_empty_root(eb)) != E_OK)
			return e;
		if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			return err_sys(
			    eb, E_IO, "become %ld:%ld", (long)uid, (long)gid);
	} else if (geteuid() != uid) {
		return err_set(
		    eb, E_CONFIG, "only root can become uid %ld", (long)uid);
	}
	if ((e = drop_capabilities(0, eb)) != E_OK)
		return e;
	sandbox_no_core(); /* a change of user makes a process dumpable again */
	became = uid;
	return E_OK;
}

uid_t
sandbox_uid(void)
{
	return became != (uid_t)-1 ? became : geteuid();
}

static long
landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
}

bool
sandbox_can_filter(void)
{
	static const uint32_t deadly = SECCOMP_RET_KILL_PROCESS;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &deadly) == 0;
}

const char *
sandbox_lacking(void)
{
	long abi = landlock_abi();

	return abi < 0   ? "files (no Landlock)"
	       : abi < 3 ? "truncation of files"
			 : NULL;
}

enum err
sandbox_memory(uint32_t mib, struct errbuf *eb)
{
#ifndef MALOTE_SANITIZE /* their shadow is memory too */
	rlim_t pages = (rlim_t)sysconf(_SC_PHYS_PAGES);
	rlim_t most = pages / 2 * (rlim_t)sysconf(_SC_PAGESIZE);
	rlim_t octets = (rlim_t)mib << 20;
	struct rlimit limit;

	if (most < MEMORY_MIN)
		most = MEMORY_MIN;
	if (octets < most)
		most = octets;
	/* Whoever started us may have set a lower one. */
	if (getrlimit(RLIMIT_DATA, &limit) < 0 || limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_DATA, &limit) < 0)
		return err_sys(eb, E_IO, "RLIMIT_DATA");
#endif
	return E_OK;
}

/* What this kernel's Landlock can take away. */
static uint64_t
landlock_rights(long abi)
{
	static const uint64_t by_abi[] = { 0,
		(LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
		LANDLOCK_ACCESS_FS_REFER, LANDLOCK_ACCESS_FS_TRUNCATE, 0,
		LANDLOCK_ACCESS_FS_IOCTL_DEV };
	uint64_t rights = 0;

	for (long i = 0;
	     i <= abi && i < (long)(sizeof(by_abi) / sizeof(by_abi[0])); i++)
		rights |= by_abi[i];
	return rights;
}

static enum err
landlock_permit(long set, const char *path, uint64_t rights, struct errbuf *eb)
{
	struct landlock_path_beneath_attr below = { .allowed_access = rights };
	struct stat st;
	enum err e = E_OK;

	below.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (below.parent_fd < 0 || fstat(below.parent_fd, &st) < 0)
		return err_sys(eb, E_CONFIG, "%s", path);
	if (!S_ISDIR(st.st_mode)) /* of a file there is nothing to list */
		below.allowed_access &= ~LANDLOCK_ACCESS_FS_READ_DIR;
	if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH,
		&below, 0) < 0)
		e = err_sys(eb, E_IO, "landlock rule for %s", path);
	close(below.parent_fd);
	return e;
}

enum { NO_LANDLOCK = -2 };

static long
landlock_set(const void *attr, size_t n, struct errbuf *eb)
{
	long set = syscall(SYS_landlock_create_ruleset, attr, n, 0);

	if (set < 0)
		err_sys(eb, E_IO, "landlock");
	return set;
}

/* A set that takes away *rights_r, all that there are; -1: it cannot be had. */
static long
landlock_begin(uint64_t *rights_r, struct errbuf *eb)
{
	struct landlock_ruleset_attr attr = { 0 };
	long abi = landlock_abi();

	if (abi < 0)
		return NO_LANDLOCK;
	attr.handled_access_fs = *rights_r = landlock_rights(abi);
	return landlock_set(&attr, sizeof(attr), eb);
}

/* e: what has come of the set so far; E_OK: it holds from now on. */
static enum err
landlock_end(long set, enum err e, struct errbuf *eb)
{
	if (set < 0)
		return E_IO;
	if (e == E_OK && syscall(SYS_landlock_restrict_self, set, 0) < 0)
		e = err_sys(eb, E_IO, "landlock");
	close((int)set);
	return e;
}

enum err
sandbox_files(const char *root, struct errbuf *eb)
{
	/* In the mail root nothing is executed, and no device or socket is
	 * made. */
	static const uint64_t never =
	    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
	    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK |
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |
	    LANDLOCK_ACCESS_FS_IOCTL_DEV;
	enum err e = E_OK;
	uint64_t rights;
	long set;

	if ((set = landlock_begin(&rights, eb)) == NO_LANDLOCK)
		return E_OK;
	if (set >= 0 && root != NULL)
		e = landlock_permit(set, root, rights & ~never, eb);
	return landlock_end(set, e, eb);
}

enum err
sandbox_reads(const char *const *paths, size_t n, struct errbuf *eb)
{
	static const uint64_t reads =
	    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	enum err e = E_OK;
	uint64_t rights;
	long set;

	if ((set = landlock_begin(&rights, eb)) == NO_LANDLOCK)
		return E_OK;
	for (size_t i = 0; set >= 0 && i < n && e == E_OK; i++)
		if (access(paths[i], F_OK) == 0)
			e = landlock_permit(set, paths[i], reads, eb);
	return landlock_end(set, e, eb);
}

enum err
sandbox_ports(const uint16_t *ports, size_t n, struct errbuf *eb)
{
	const struct net_attr attr = { 0, NET_BIND_TCP | NET_CONNECT_TCP };
	enum err e = E_OK;
	long set;

	if (landlock_abi() < NET_ABI)
		return E_OK;
	set = landlock_set(&attr, sizeof(attr), eb);
	for (size_t i = 0; set >= 0 && i < n && e == E_OK; i++) {
		const struct net_port one = { NET_CONNECT_TCP, ports[i] };

		if (syscall(SYS_landlock_add_rule, set, NET_RULE, &one, 0) < 0)
			e = err_sys(eb, E_IO, "landlock rule for a port");
	}
	return landlock_end(set, e, eb);
}

/* ---- system calls ---- */

/* What a call that is not permitted answers, and that it is logged once: an
 * update of a library may have brought it, and must not end the process. */
static void
on_refused(int signum, siginfo_t *info, void *context)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	ucontext_t *uc = context;
	char line[96];
	int n;

#if defined(__x86_64__)
	uc->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	uc->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#endif
	if (atomic_flag_test_and_set(&said))
		return;
	n = format(line, sizeof(line), "W %s ev=call-refused number=%d\n",
	    log_role(), info->si_syscall);
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* it is refused in any case */
}

/* Where the answer of a call cannot be set, the kernel refuses without a
 * word. */
static uint32_t
refusal(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
	struct sigaction act = { .sa_sigaction = on_refused,
		.sa_flags = SA_SIGINFO | SA_NODEFER };

	if (sigaction(SIGSYS, &act, NULL) == 0)
		return SCMP_ACT_TRAP;
#endif
	return SCMP_ACT_ERRNO(EPERM);
}

static enum err
rule(scmp_filter_ctx ctx, uint32_t action, const char *name,
    const struct scmp_arg_cmp *arg, struct errbuf *eb)
{
	int nr = seccomp_syscall_resolve_name(name), r;

	if (nr == __NR_SCMP_ERROR) /* this architecture lacks it */
		return E_OK;
	r = seccomp_rule_add_array(ctx, action, nr, arg != NULL ? 1 : 0, arg);
	return r < 0 ? err_set(eb, E_IO, "seccomp: %s: %s", name, strerror(-r))
		     : E_OK;
}

static enum err
rules(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n,
    struct errbuf *eb)
{
	enum err e = E_OK;

	for (size_t i = 0; i < n && e == E_OK; i++)
		e = rule(ctx, action, names[i], NULL, eb);
	return e;
}

static bool
has(const char *const *names, size_t n, const char *name)
{
	while (n > 0)
		if (strcmp(names[--n], name) == 0)
			return true;
	return false;
}

/* Those that are permitted with some arguments only. */
static enum err
narrow_rules(scmp_filter_ctx ctx, struct errbuf *eb)
{
	static const unsigned commands[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL,
		F_GET_SEALS, F_DUPFD_CLOEXEC, F_GETLK, F_SETLK, F_OFD_SETLK,
		F_OFD_SETLKW, F_ADD_SEALS };
	/* What the peer of a connection has not acknowledged yet. */
	const struct scmp_arg_cmp unsent = SCMP_A1_32(SCMP_CMP_EQ, SIOCOUTQ, 0);
	const struct scmp_arg_cmp not_executable =
	    SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	enum err e = rule(ctx, SCMP_ACT_ALLOW, "mmap", &not_executable, eb);

	if (e == E_OK)
		e = rule(ctx, SCMP_ACT_ALLOW, "mprotect", &not_executable, eb);
	if (e == E_OK)
		e = rule(ctx, SCMP_ACT_ALLOW, "ioctl", &unsent, eb);
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		const struct scmp_arg_cmp command =
		    SCMP_A1_32(SCMP_CMP_EQ, commands[i], 0);

		if (e == E_OK)
			e = rule(ctx, SCMP_ACT_ALLOW, "fcntl", &command, eb);
	}
	return e;
}

#define ALL(names) names, sizeof(names) / sizeof((names)[0])

/* All but those that this process is there to make. */
static enum err
deadly_rules(
    scmp_filter_ctx ctx, const char *const *names, size_t n, struct errbuf *eb)
{
	enum err e = E_OK;

	for (size_t i = 0;
	     i < sizeof(deadly_calls) / sizeof(deadly_calls[0]) && e == E_OK;
	     i++)
		if (!has(names, n, deadly_calls[i]))
			e = rule(ctx, SCMP_ACT_KILL_PROCESS, deadly_calls[i],
			    NULL, eb);
	return e;
}

/* Takes ctx; e: what has come of it so far. */
static enum err
load_filter(scmp_filter_ctx ctx, enum err e, struct errbuf *eb)
{
	int r;

	if (e == E_OK && (r = seccomp_load(ctx)) < 0)
		e = err_set(eb, E_IO, "seccomp: %s", strerror(-r));
	seccomp_release(ctx);
	return e;
}

enum err
sandbox_refuse_calls(struct errbuf *eb)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (ctx == NULL)
		return err_set(eb, E_NOMEM, "seccomp");
	return load_filter(
	    ctx, rules(ctx, SCMP_ACT_ERRNO(EPERM), ALL(refused_calls), eb), eb);
}

enum err
sandbox_calls(const char *const *names, size_t n, struct errbuf *eb)
{
	scmp_filter_ctx ctx = seccomp_init(refusal());
	enum err e;

	if (ctx == NULL)
		return err_set(eb, E_NOMEM, "seccomp");
	/* Each system call walks the filter; a tree is the shortest way. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	e = rules(ctx, SCMP_ACT_ALLOW, ALL(base_calls), eb);
	if (e == E_OK)
		e = narrow_rules(ctx, eb);
	if (e == E_OK)
		e = rules(ctx, SCMP_ACT_ALLOW, names, n, eb);
	/* realloc() tries it and does without. */
	if (e == E_OK && !has(names, n, "mremap"))
		e = rule(ctx, SCMP_ACT_ERRNO(ENOMEM), "mremap", NULL, eb);
	if (e == E_OK)
		e = deadly_rules(ctx, names, n, eb);
#ifdef MALOTE_SANITIZE
	if (e == E_OK)
		e = rules(ctx, SCMP_ACT_ALLOW, ALL(sanitizer_calls), eb);
#endif
	return load_filter(ctx, e, eb);
}
