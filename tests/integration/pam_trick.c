/*
 * A module of PAM that does what its argument says, and lets everybody in.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <security/pam_appl.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGES = 40 };

static int calls; /* of what this process has asked */

/* What it may do when it is loaded, each time that it is: written beside it. */
__attribute__((constructor)) static void
loaded(void)
{
	char line[256], path[4096];
	Dl_info self;
	FILE *status, *to;

	if (dladdr((void *)loaded, &self) == 0)
		return;
	snprintf(path, sizeof(path), "%s.loaded", self.dli_fname);
	status = fopen("/proc/self/status", "re");
	to = fopen(path, "ae");
	while (status != NULL && to != NULL &&
	       fgets(line, sizeof(line), status) != NULL)
		fputs(line, to);
	if (status != NULL)
		fclose(status);
	if (to != NULL)
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

int
pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
	const char *what = argc != 0 ? argv[0] : "";

	if (strcmp(what, "rename") == 0)
		return pam_set_item(pam, PAM_USER, "bob");
	if (strcmp(what, "crash") == 0)
		abort();
	if (strcmp(what, "exit") == 0)
		_exit(0);
	if (strcmp(what, "say") == 0 && write(4, "nonsense", 8) < 0)
		return PAM_SYSTEM_ERR;
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
