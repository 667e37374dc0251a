/*
 * A command that takes the message on its standard input (sysexits.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/conf/account.h"
#include "client/deliver/execute.h"
#include "client/deliver/kind.h"

enum {
	SHOWN = 120,
	SLOWEST = 256 * 1024, /* octets a second that a command must take */
};

struct command {
	char **argv;
	bool trusted; /* it has taken a message since it last failed */
	char **environment;
};

static size_t
count_words(char *const v[])
{
	size_t n = 0;

	while (v[n] != NULL)
		n++;
	return n;
}

static enum err
copy_argv(struct command *c, char *const argv[])
{
	size_t n = count_words(argv);

	if ((c->argv = calloc(n + 1, sizeof(*c->argv))) == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < n; i++)
		if ((c->argv[i] = strdup(argv[i])) == NULL)
			return E_NOMEM;
	return E_OK;
}

static enum err
open_command(struct delivery *d, const struct dest *dest,
    const struct delivery_env *env, struct errbuf *eb)
{
	struct command *c = calloc(1, sizeof(*c));

	d->own = c;
	if (c == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if (dest->argv == NULL || dest->argv[0] == NULL)
		return err_set(eb, E_CONFIG, _("there is no command"));
	c->environment = account_environment(env->account, env->email, 0);
	if (c->environment == NULL || copy_argv(c, dest->argv) != E_OK)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	return E_OK;
}

static void
close_command(struct delivery *d)
{
	struct command *c = d->own;

	for (size_t i = 0; c->argv != NULL && c->argv[i] != NULL; i++)
		free(c->argv[i]);
	free(c->argv);
	free(c->environment);
	free(c);
}

/* ---- before any message ---- */

static bool
is_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	if (S_ISREG(st.st_mode))
		return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
	errno = EACCES;
	return false;
}

/* As execvp() will; errno says why not. */
static bool
is_found(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char file[PATH_MAX];
	int why = ENOENT;

	if (strchr(name, '/') != NULL)
		return is_program(name);
	if (path == NULL)
		return true; /* it has a path of its own */
	for (;; path = end + 1) {
		end = strchrnul(path, ':');
		snprintf(file, sizeof(file), "%.*s/%s",
		    end > path ? (int)(end - path) : 1, end > path ? path : ".",
		    name);
		if (is_program(file))
			return true;
		why = errno == EACCES ? EACCES : why;
		if (*end == '\0')
			break;
	}
	errno = why;
	return false;
}

static enum err
cannot_run(const struct command *c, int why, struct errbuf *eb)
{
	bool never = why == ENOENT || why == ENOTDIR || why == EACCES ||
		     why == ENOEXEC || why == ELOOP;

	errno = why;
	return err_sys(
	    eb, never ? E_CONFIG : E_IO, _("cannot run %.80s"), c->argv[0]);
}

static enum err
try_command(struct delivery *d, struct errbuf *eb)
{
	struct command *c = d->own;

	return is_found(c->argv[0]) ? E_OK : cannot_run(c, errno, eb);
}

/* ---- a message ---- */

/* ": " and its first line, safe to be seen; or empty. */
static void
show_words(char out[SHOWN], const struct run_result *r)
{
	const char *end = memchr(r->words, '\n', r->n);
	size_t n = end != NULL ? (size_t)(end - r->words) : r->n;

	out[0] = '\0';
	if (n == 0)
		return;
	memcpy(out, ": ", 2);
	str_quote(out + 2, SHOWN - 2, r->words, n);
}

/* Would another message have the same end?  (126 and 127 are a shell's.) */
static bool
is_for_all(int status)
{
	switch (status) {
	case EX_USAGE:
	case EX_UNAVAILABLE:
	case EX_OSERR:
	case EX_OSFILE:
	case EX_CANTCREAT:
	case EX_IOERR:
	case EX_TEMPFAIL:
	case EX_NOPERM:
	case EX_CONFIG:
	case 126:
	case 127: return true;
	default: return false;
	}
}

/* E_OK: taken; E_DENIED: not this message; else the command takes none. */
static enum err
judge(const struct command *c, const struct run_result *r, unsigned timeout,
    struct errbuf *eb)
{
	char words[SHOWN];

	show_words(words, r);
	switch (r->how) {
	case RUN_NO_EXEC: return cannot_run(c, r->value, eb);
	case RUN_TIMEOUT:
		return err_set(eb, E_AGAIN,
		    _("the command took more than %u s%s"), timeout, words);
	case RUN_SIGNALED:
		return err_set(eb, E_AGAIN,
		    _("the command died of signal %d%s"), r->value, words);
	case RUN_EXITED: break;
	}
	if (r->value == EX_OK)
		return E_OK;
	return err_set(eb, is_for_all(r->value) ? E_AGAIN : E_DENIED,
	    _("the command ended with status %d%s"), r->value, words);
}

static enum err
run(struct delivery *d, const struct parcel *p, struct errbuf *eb)
{
	struct command *c = d->own;
	struct run_result r;
	unsigned timeout = d->timeout + (unsigned)(p->octets / SLOWEST);
	enum err e;
	int fd;

	if ((e = parcel_open(d, p, &fd, eb)) != E_OK)
		return e == E_DENIED ? E_IO : e;
	e = run_command(c->argv, c->environment, fd, timeout, &r, eb);
	close(fd);
	return e == E_OK ? judge(c, &r, timeout, eb) : e;
}

static void
hand_over(struct delivery *d, struct parcel *p)
{
	struct command *c = d->own;
	struct errbuf eb;
	enum err e = run(d, p, &eb);

	if (e == E_OK) {
		parcel_stored(d, p);
		c->trusted = true;
		return;
	}
	/* Where others were taken it may be the message: the next one tells. */
	if (e == E_AGAIN && c->trusted)
		c->trusted = false;
	else if (e != E_DENIED)
		delivery_fail(d, e, &eb);
	parcel_fail(p, e == E_DENIED ? e : E_AGAIN, "%s", eb.text);
}

static void
publish_command(struct delivery *d, struct parcel **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!parcel_is_late(d, v[i]))
			hand_over(d, v[i]);
}

const struct kind kind_command = {
	.open = open_command,
	.close = close_command,
	.try = try_command,
	.publish = publish_command,
	.recover = files_recover,
};
