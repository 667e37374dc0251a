/* The filter of system calls, in a process of its own for each call. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/sandbox.h"

enum { PAGE = 4096 };

static long
fcntl_with(long command)
{
	return syscall(SYS_fcntl, STDERR_FILENO, command, getpid());
}

static long
map(long prot)
{
	return syscall(
	    SYS_mmap, NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long
protect(long prot)
{
	static char page[2 * PAGE];

	return syscall(SYS_mprotect,
	    ((uintptr_t)page + PAGE - 1) & ~(uintptr_t)(PAGE - 1), PAGE, prot);
}

static long
plain(long number)
{
	return syscall(number, 0, 0, 0, 0, 0);
}

/* Its wait status; *text_r: what it logged. */
static int
run(long (*call)(long), long arg, int want, char text[256])
{
	static const char *const more[] = { "getppid" };
	struct errbuf eb;
	int log[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(log), 0);
	if ((pid = fork()) == 0) {
		dup2(log[1], STDERR_FILENO);
		close(log[0]);
		close(log[1]);
		log_open(STDERR_FILENO, "test");
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    sandbox_calls(more, 1, &eb) != E_OK)
			_exit(9);
		for (int i = 0; i < 3; i++) { /* logged once */
			errno = 0;
			if ((call(arg) < 0 ? errno : 0) != want)
				_exit(1);
		}
		_exit(0);
	}
	close(log[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true((n = read(log[0], text, 255)) >= 0);
	text[n] = '\0';
	close(log[0]);
	return status;
}

static void
permitted(long (*call)(long), long arg)
{
	char text[256];

	assert_int_equal(run(call, arg, 0, text), 0);
	assert_string_equal(text, "");
}

static void
refused(long (*call)(long), long arg, long number)
{
	char text[256], want[64];

	assert_int_equal(run(call, arg, EPERM, text), 0);
#if defined(__x86_64__) || defined(__aarch64__)
	snprintf(
	    want, sizeof(want), "W test ev=call-refused number=%ld\n", number);
	assert_string_equal(text, want);
#endif
}

static void
what_is_permitted(void **state)
{
	(void)state;
	permitted(plain, SYS_getpid);
	permitted(plain, SYS_getppid); /* it was asked for */
	permitted(fcntl_with, F_GETFL);
	permitted(map, PROT_READ | PROT_WRITE);
	permitted(protect, PROT_READ | PROT_WRITE);
}

static void
the_unknown_is_refused(void **state)
{
	(void)state;
	refused(plain, SYS_getpgid, SYS_getpgid);
	refused(plain, SYS_accept, SYS_accept);
#ifndef MALOTE_SANITIZE
	refused(fcntl_with, F_SETOWN, SYS_fcntl);
	refused(fcntl_with, F_SETSIG, SYS_fcntl);
#endif
	refused(map, PROT_READ | PROT_EXEC, SYS_mmap);
	refused(protect, PROT_READ | PROT_WRITE | PROT_EXEC, SYS_mprotect);
}

static void
realloc_is_not_logged(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(run(plain, SYS_mremap, ENOMEM, text), 0);
	assert_string_equal(text, "");
}

static void
attacks_are_deadly(void **state)
{
	static const long deadly[] = {
		SYS_add_key,
		SYS_bind,
		SYS_bpf,
		SYS_chroot,
		SYS_connect,
		SYS_execve,
		SYS_execveat,
		SYS_init_module,
		SYS_finit_module,
		SYS_kexec_load,
		SYS_keyctl,
		SYS_listen,
		SYS_mount,
		SYS_open_by_handle_at,
		SYS_perf_event_open,
		SYS_pivot_root,
		SYS_process_vm_readv,
		SYS_process_vm_writev,
		SYS_reboot,
		SYS_request_key,
		SYS_setgid,
		SYS_setns,
		SYS_setregid,
		SYS_setresgid,
		SYS_setresuid,
		SYS_setreuid,
		SYS_setuid,
		SYS_socket,
		SYS_umount2,
		SYS_unshare,
		SYS_userfaultfd,
#ifndef MALOTE_SANITIZE
		SYS_ptrace,
#endif
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		int status = run(plain, deadly[i], 0, text);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("call %ld: status %x", deadly[i], status);
	}
}

static void
memory_has_an_end(void **state)
{
	struct rlimit limit;
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0) {
		if (sandbox_memory(UINT32_MAX, NULL) != E_OK ||
		    getrlimit(RLIMIT_DATA, &limit) < 0)
			_exit(9);
#ifndef MALOTE_SANITIZE
		if (limit.rlim_max == RLIM_INFINITY ||
		    limit.rlim_cur < 1024 * 1024 * 1024)
			_exit(1);
		if (sandbox_memory(64, NULL) != E_OK ||
		    getrlimit(RLIMIT_DATA, &limit) < 0 ||
		    limit.rlim_cur != 64 << 20 || limit.rlim_max != 64 << 20)
			_exit(2);
		if (mmap(NULL, 65 << 20, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ||
		    errno != ENOMEM)
			_exit(3);
		if (sandbox_memory(UINT32_MAX, NULL) != E_OK ||
		    getrlimit(RLIMIT_DATA, &limit) < 0 ||
		    limit.rlim_cur != 64 << 20)
			_exit(4);
#endif
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_permitted),
		cmocka_unit_test(the_unknown_is_refused),
		cmocka_unit_test(realloc_is_not_logged),
		cmocka_unit_test(attacks_are_deadly),
		cmocka_unit_test(memory_has_an_end),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
