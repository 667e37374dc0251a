#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* What malloc, threads, the loop and the end of a process need.  epoll_create1:
 * libev makes a new epoll set when it gets an event for a descriptor that it
 * has closed while another process still holds it. */
static const char *const base_calls[] = { "brk", "clock_gettime",
	"clock_nanosleep", "close", "epoll_create1", "epoll_ctl", "epoll_pwait",
	"epoll_wait", "exit", "exit_group", "fcntl", "futex", "getpid",
	"getrandom", "gettid", "gettimeofday", "madvise", "membarrier", "mmap",
	"mprotect", "mremap", "munmap", "nanosleep", "poll", "read", "recvmmsg",
	"recvmsg", "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask",
	"rt_sigreturn", "sched_yield", "sendmmsg", "sendmsg", "set_robust_list",
	"sigaltstack", "timerfd_settime", "write", "writev" };

#ifdef MALOTE_SANITIZE
static const char *const sanitizer_calls[] = { "arch_prctl", "clone", "clone3",
	"getppid", "getrlimit", "getuid", "ioctl", "kill", "lseek",
	"newfstatat", "openat", "pipe2", "prctl", "prlimit64", "ptrace",
	"readlink", "readlinkat", "sched_getaffinity", "sched_getparam",
	"sched_getscheduler", "sysinfo", "tgkill", "tkill", "uname", "wait4" };
#endif

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

static enum err
drop_capabilities(struct errbuf *eb)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct none[2];

	memset(none, 0, sizeof(none));
	if (syscall(SYS_capset, &head, none) < 0)
		return err_sys(eb, E_IO, "capset");
	return E_OK;
}

enum err
sandbox_become(uid_t uid, gid_t gid, bool empty_root, struct errbuf *eb)
{
	enum err e;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(eb, E_IO, "no_new_privs");
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
	if ((e = drop_capabilities(eb)) != E_OK)
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

enum err
sandbox_files(const char *root, const char **lacking_r, struct errbuf *eb)
{
	static const uint64_t by_abi[] = { 0,
		(LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
		LANDLOCK_ACCESS_FS_REFER, LANDLOCK_ACCESS_FS_TRUNCATE, 0,
		LANDLOCK_ACCESS_FS_IOCTL_DEV };
	struct landlock_ruleset_attr attr = { 0 };
	struct landlock_path_beneath_attr below = { 0 };
	long abi, set;

	*lacking_r = NULL;
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0) {
		*lacking_r = "files (no Landlock)";
		return E_OK;
	}
	if (abi < 3)
		*lacking_r = "truncation of files";
	for (long i = 0;
	     i <= abi && i < (long)(sizeof(by_abi) / sizeof(by_abi[0])); i++)
		attr.handled_access_fs |= by_abi[i];
	set = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (set < 0)
		return err_sys(eb, E_IO, "landlock");
	if (root != NULL) {
		/* In the mail root nothing is executed, and no device or socket
		 * is made. */
		below.allowed_access =
		    attr.handled_access_fs &
		    (uint64_t) ~(LANDLOCK_ACCESS_FS_EXECUTE |
				 LANDLOCK_ACCESS_FS_MAKE_CHAR |
				 LANDLOCK_ACCESS_FS_MAKE_BLOCK |
				 LANDLOCK_ACCESS_FS_MAKE_SOCK |
				 LANDLOCK_ACCESS_FS_MAKE_FIFO |
				 LANDLOCK_ACCESS_FS_MAKE_SYM |
				 LANDLOCK_ACCESS_FS_IOCTL_DEV);
		below.parent_fd = open(root, O_PATH | O_CLOEXEC);
		if (below.parent_fd < 0)
			return err_sys(eb, E_CONFIG, "mail root %s", root);
		if (syscall(SYS_landlock_add_rule, set,
			LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0)
			return err_sys(eb, E_IO, "landlock rule for %s", root);
		close(below.parent_fd);
	}
	if (syscall(SYS_landlock_restrict_self, set, 0) < 0)
		return err_sys(eb, E_IO, "landlock");
	close((int)set);
	return E_OK;
}

/* A name that this architecture lacks is skipped. */
static enum err
allow(
    scmp_filter_ctx ctx, const char *const *names, size_t n, struct errbuf *eb)
{
	for (size_t i = 0; i < n; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);
		int r;

		if (nr == __NR_SCMP_ERROR)
			continue;
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		if (r < 0)
			return err_set(eb, E_IO, "seccomp: %s: %s", names[i],
			    strerror(-r));
	}
	return E_OK;
}

enum err
sandbox_calls(const char *const *names, size_t n, struct errbuf *eb)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	enum err e;
	int r;

	if (ctx == NULL)
		return err_set(eb, E_NOMEM, "seccomp");
	/* Each system call walks the filter; a tree is the shortest way. */
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	e = allow(
	    ctx, base_calls, sizeof(base_calls) / sizeof(base_calls[0]), eb);
	if (e == E_OK)
		e = allow(ctx, names, n, eb);
#ifdef MALOTE_SANITIZE
	if (e == E_OK)
		e = allow(ctx, sanitizer_calls,
		    sizeof(sanitizer_calls) / sizeof(sanitizer_calls[0]), eb);
#endif
	if (e == E_OK && (r = seccomp_load(ctx)) < 0)
		e = err_set(eb, E_IO, "seccomp: %s", strerror(-r));
	seccomp_release(ctx);
	return e;
}
