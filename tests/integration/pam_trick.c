/*
 * A module of PAM that does what its argument says, of a second one for that user
 * only, and lets everybody in.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGES = 40 };

static int calls; /* of what this process has asked */

/* A file beside it. */
static FILE *
open_beside(const char *ending)
{
	char path[4096];
	Dl_info self;

	if (dladdr((void *)open_beside, &self) == 0)
		return NULL;
	snprintf(path, sizeof(path), "%s.%s", self.dli_fname, ending);
	return fopen(path, "ae");
}

/* What it may do when it is loaded, each time that it is. */
__attribute__((constructor)) static void
loaded(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	FILE *to = open_beside("loaded");
	char line[256];

	while (status != NULL && to != NULL &&
	       fgets(line, sizeof(line), status) != NULL)
		fputs(line, to);
	if (status != NULL)
		fclose(status);
	if (to != NULL)
		fclose(to);
}

/* Who was asked. */
static void
note_asked(void)
{
	FILE *to = open_beside("asked");

	if (to == NULL)
		return;
	fprintf(to, "%d\n", getpid());
	fclose(to);
}

/* It asks for more than anybody would answer. */
static int
talk(pam_handle_t *pam)
{
	const struct pam_message one = { PAM_PROMPT_ECHO_OFF, "Password: " };
	const struct pam_message *all[MESSAGES];
	struct pam_response *r = NULL;
	const struct pam_conv *conv;

	for (int i = 0; i < MESSAGES; i++)
		all[i] = &one;
	pam_get_item(pam, PAM_CONV, (const void **)&conv);
	return conv->conv(MESSAGES, all, &r, conv->appdata_ptr);
}

/* Has it more files than what it is given? */
static int
count_files(void)
{
	for (int fd = 5; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return PAM_SYSTEM_ERR;
	return PAM_SUCCESS;
}

static void
do_nothing(int n)
{
}

static void *
sleep_long(void *arg)
{
	sleep(1000);
	return NULL;
}

static void
leave_thread(void)
{
	pthread_t id;

	pthread_create(&id, NULL, sleep_long, NULL);
}

static void
leave_child(void)
{
	if (fork() == 0) {
		sleep_long(NULL);
		_exit(0);
	}
}

static void
leave_grandchild(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		leave_child();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
leave_blocked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void
leave_limit(void)
{
	struct rlimit few = { 64, 64 };

	setrlimit(RLIMIT_NOFILE, &few);
}

static void
leave_replaced(void)
{
	close(0);
	open("/dev/zero", O_RDONLY);
}

/* The password, deep enough that nothing else comes to lie there. */
static int __attribute__((noinline)) leave_on_stack(pam_handle_t *pam)
{
	volatile char much[32 * 1024];
	const char *word = NULL;
	int r = pam_get_authtok(pam, PAM_AUTHTOK, &word, NULL);

	if (r != PAM_SUCCESS || word == NULL)
		return PAM_SYSTEM_ERR;
	for (size_t i = 0; word[i] != '\0'; i++)
		much[1024 + i] = word[i];
	return PAM_SUCCESS;
}

/* What is no fault of it: it must not be seen by the next one. */
static int
set_variable(void)
{
	if (getenv("TRICK") != NULL || getenv("PATH") == NULL)
		return PAM_SYSTEM_ERR;
	setenv("TRICK", "1", 1);
	unsetenv("PATH");
	return PAM_SUCCESS;
}

/* False: it is none of these. */
static int
leave(const char *what)
{
	gid_t group = 1;

	if (strcmp(what, "file") == 0)
		open("/dev/zero", O_RDONLY);
	else if (strcmp(what, "replaced") == 0)
		leave_replaced();
	else if (strcmp(what, "umask") == 0)
		umask(0);
	else if (strcmp(what, "folder") == 0)
		return chdir("/tmp") == 0;
	else if (strcmp(what, "handler") == 0)
		signal(SIGUSR1, do_nothing);
	else if (strcmp(what, "blocked") == 0)
		leave_blocked();
	else if (strcmp(what, "timer") == 0)
		alarm(1000);
	else if (strcmp(what, "thread") == 0)
		leave_thread();
	else if (strcmp(what, "child") == 0)
		leave_child();
	else if (strcmp(what, "grandchild") == 0)
		leave_grandchild();
	else if (strcmp(what, "limit") == 0)
		leave_limit();
	else if (strcmp(what, "name") == 0)
		prctl(PR_SET_NAME, "trick");
	else if (strcmp(what, "groups") == 0)
		return setgroups(1, &group) == 0;
	else
		return 0;
	return 1;
}

/* Is the user the one that it is to do it for? */
static int
concerns(pam_handle_t *pam, const char *name)
{
	const char *user;

	return pam_get_user(pam, &user, NULL) == PAM_SUCCESS &&
	       strcmp(user, name) == 0;
}

int
pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	const char *what = argc != 0 ? argv[0] : "";

	note_asked();
	if (argc > 1 && !concerns(pam, argv[1]))
		return PAM_SUCCESS;
	if (leave(what))
		return PAM_SUCCESS;
	if (strcmp(what, "hang") == 0)
		sleep_long(NULL);
	if (strcmp(what, "late") == 0 && calls++ != 0)
		sleep(7);
	if (strcmp(what, "stack") == 0)
		return leave_on_stack(pam);
	if (strcmp(what, "variable") == 0)
		return set_variable();
	if (strcmp(what, "rename") == 0)
		return pam_set_item(pam, PAM_USER, "bob");
	if (strcmp(what, "crash") == 0)
		abort();
	if (strcmp(what, "exit") == 0)
		_exit(0);
	if (strcmp(what, "say") == 0 && write(4, "nonsense", 8) < 0)
		return PAM_SYSTEM_ERR;
	if (strcmp(what, "shut") == 0)
		closefrom(0);
	if (strcmp(what, "code") == 0)
		return 4711; /* there is no such one */
	if (strcmp(what, "slow") == 0)
		usleep(100000);
	if (strcmp(what, "files") == 0)
		return count_files();
	if (strcmp(what, "first") == 0)
		return calls++ == 0 ? PAM_SUCCESS : PAM_SYSTEM_ERR;
	return strcmp(what, "talk") == 0 ? talk(pam) : PAM_SUCCESS;
}

int
pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	return PAM_SUCCESS;
}
