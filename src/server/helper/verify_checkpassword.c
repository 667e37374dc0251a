/*
 * A program that verifies passwords by the interface of D. J. Bernstein's
 * checkpassword (http://cr.yp.to/checkpwd/interface.html): see verify_driver.h.
 *
 * It reads the name, the password and a timestamp, each with a NUL, from descriptor
 * 3.  If they are right it becomes the user, sets HOME and USER, and executes what it
 * was given: us, who then say who we are (checked.h).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/helper/checked.h"
#include "server/helper/verify_driver.h"

enum {
	QUESTION_FD = 3,
	NOT_RIGHT = 1,
	LATER = 111,
};

static char self[MAIL_PATH_MAX]; /* where this program lies */

static enum err
prepare(const struct pam_conf *c, struct errbuf *eb)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	if (n <= 0)
		return err_sys(eb, E_IO, "/proc/self/exe");
	if (access(c->program, X_OK) < 0)
		return err_sys(eb, E_CONFIG, "%s", c->program);
	return E_OK;
}

/* It fits into a pipe, so nobody has to write while the program reads. */
static enum err
put_question(const struct verify_question *q, struct errbuf *eb)
{
	char text[sizeof(q->name) + sizeof(q->password) + 2];
	size_t name_n = strlen(q->name) + 1, n = name_n;
	int fd[2];
	ssize_t put;

	memcpy(text, q->name, name_n);
	n += strlen(q->password) + 1;
	memcpy(text + name_n, q->password, n - name_n);
	text[n++] = '\0'; /* no timestamp: it is the password itself */
	if (pipe(fd) < 0)
		return err_sys(eb, E_IO, "pipe");
	put = write(fd[1], text, n);
	explicit_bzero(text, sizeof(text));
	close(fd[1]);
	if (put != (ssize_t)n)
		return err_set(eb, E_IO, "pipe");
	if (fd[0] != QUESTION_FD &&
	    (dup2(fd[0], QUESTION_FD) < 0 || close(fd[0]) < 0))
		return err_sys(eb, E_IO, "pipe");
	return E_OK;
}

static void
verify(const struct pam_conf *c, const struct verify_question *q,
    struct verify_answer *a)
{
	char *const argv[] = { (char *)c->program, self, (char *)"-x",
		(char *)CHECKED_ROLE, NULL };

	/* Nothing is known there without a password. */
	if (!q->has_password) {
		a->result = LOOKUP_NOBODY;
		return;
	}
	setenv(CHECKED_NAME, q->name, 1);
	setenv("PROTO", "TCP", 1);
	if (q->peer[0] != '\0')
		setenv("TCPREMOTEIP", q->peer, 1);
	if (put_question(q, &a->why) != E_OK)
		return;
	execv(c->program, argv);
	err_sys(&a->why, E_CONFIG, "%s", c->program);
}

static void
ended(int status, struct verify_answer *a)
{
	a->result = LOOKUP_FAILED;
	if (WIFSIGNALED(status))
		err_set(&a->why, E_IO, "the program was ended by signal %d",
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) == NOT_RIGHT)
		a->result = LOOKUP_NOBODY;
	else if (WEXITSTATUS(status) == 0)
		err_set(&a->why, E_CONFIG,
		    "the program says 0, and has not executed what it was "
		    "given");
	else
		err_set(&a->why,
		    WEXITSTATUS(status) == LATER ? E_AGAIN : E_CONFIG,
		    "the program says %d", WEXITSTATUS(status));
}

extern const struct verify_driver verify_checkpassword;
const struct verify_driver verify_checkpassword = { prepare, verify, ended };
