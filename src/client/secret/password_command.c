/* A command that prints a secret. */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/str.h"
#include "client/secret/source.h"

enum {
	SAID_MAX = 400,           /* octets of standard error that are shown */
	OUTPUT_MAX = 1024 * 1024, /* of both; then it is without end */
	READ_MAX = 16,            /* pieces at a time */
	GRACE = 1,                /* seconds from SIGTERM to SIGKILL */
	NOT_RUN = 126,            /* exit codes of the shell */
	NOT_FOUND = 127,
};

enum ended { BY_ITSELF, LATE, ENDLESS, LONG_LINE };

struct command {
	struct secret *s;
	const char *setting;
	pid_t pid; /* also its process group; 0: it has ended */
	ev_child child;
	ev_timer timer;
	ev_io out, err;
	size_t total;
	bool has_line;
	enum ended ended; /* by us, and why */
	char said[SAID_MAX];
	size_t n_said;
};

/* ---- the process ---- */

/* The group goes on as long as any of it does. */
static void
kill_group(const struct command *c, int sig)
{
	kill(-c->pid, sig);
}

static void
set_signals(posix_spawnattr_t *attr)
{
	sigset_t set;

	sigemptyset(&set);
	posix_spawnattr_setsigmask(attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(attr, &set);
	/* In a group but not a session of its own it would be stopped when it
	 * asks at our terminal. */
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
					   POSIX_SPAWN_SETSIGDEF |
					   POSIX_SPAWN_SETSID);
}

static enum err
spawn(struct command *c, const char *text, int out, int err, struct errbuf *eb)
{
	const struct account *a = c->s->account;
	char **environment = account_environment(a->name, a->email, 0);
	char *const argv[] = { "sh", "-c", (char *)text, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int r;

	if (environment == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	if ((r = posix_spawn_file_actions_init(&files)) != 0)
		goto failed;
	posix_spawn_file_actions_addopen(
	    &files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if ((r = posix_spawnattr_init(&attr)) == 0) {
		set_signals(&attr);
		r = posix_spawn(
		    &c->pid, "/bin/sh", &files, &attr, argv, environment);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&files);
failed:
	free(environment);
	if (r == 0)
		return E_OK;
	c->pid = 0;
	errno = r;
	return err_sys(eb, E_IO, _("%s cannot be run"), c->setting);
}

/* ---- what it prints ---- */

static void
end_it(struct command *c, enum ended why)
{
	if (c->ended != BY_ITSELF)
		return;
	c->ended = why;
	kill_group(c, SIGTERM);
	ev_timer_stop(c->s->loop, &c->timer);
	ev_timer_set(&c->timer, GRACE, 0);
	ev_timer_start(c->s->loop, &c->timer);
}

/* Standard output: the first line is kept, the rest dropped. */
static void
take_out(struct command *c, const char *p, size_t n)
{
	struct secret *s = c->s;
	const char *eol = memchr(p, '\n', n);
	size_t want = eol != NULL ? (size_t)(eol - p) : n;

	if (c->has_line)
		return;
	c->has_line = eol != NULL;
	if (want > SECRET_MAX - s->n) {
		c->has_line = true;
		end_it(c, LONG_LINE);
		return;
	}
	memcpy(s->value + s->n, p, want);
	s->n += want;
}

static void
take_err(struct command *c, const char *p, size_t n)
{
	size_t room = sizeof(c->said) - c->n_said;

	if (n > room)
		n = room;
	memcpy(c->said + c->n_said, p, n);
	c->n_said += n;
}

static void
drain(struct command *c, ev_io *w,
    void (*take)(struct command *, const char *, size_t))
{
	char piece[4096];
	ssize_t n = 0;

	if (!ev_is_active(w))
		return;
	for (int i = 0;
	     i < READ_MAX && (n = read(w->fd, piece, sizeof(piece))) > 0; i++) {
		take(c, piece, (size_t)n);
		c->total += (size_t)n;
	}
	explicit_bzero(piece, sizeof(piece));
	if (c->total > OUTPUT_MAX)
		end_it(c, ENDLESS);
	if (c->total > OUTPUT_MAX || n == 0 ||
	    (n < 0 && errno != EAGAIN && errno != EINTR))
		ev_io_stop(c->s->loop, w);
}

static void
on_out(struct ev_loop *loop, ev_io *w, int revents)
{
	drain(w->data, w, take_out);
}

static void
on_err(struct ev_loop *loop, ev_io *w, int revents)
{
	drain(w->data, w, take_err);
}

/* ---- how it ends ---- */

/* What it said on standard error, in one line, behind ": ". */
static const char *
said(struct command *c, char *out, size_t size)
{
	size_t n = c->n_said;

	out[0] = '\0';
	while (n != 0 && strchr(" \r\n", c->said[n - 1]) != NULL)
		n--;
	for (size_t i = 0; i < n; i++)
		if (c->said[i] == '\n' || c->said[i] == '\t')
			c->said[i] = ' ';
	if (n != 0) {
		memcpy(out, ": ", 2);
		str_quote(out + 2, size - 2, c->said, n);
	}
	return out;
}

/* It was ended by us.  `also` is empty or ": " and what it said. */
static void
fail_ended(struct command *c, const char *also)
{
	struct secret *s = c->s;
	const char *setting = c->setting;

	if (c->ended == LATE)
		secret_fail(s, E_IO, _("%s did not end within %.0f s%s"),
		    setting, s->timeout, also);
	else if (c->ended == ENDLESS)
		secret_fail(
		    s, E_DENIED, _("%s prints without end%s"), setting, also);
	else
		secret_fail(s, E_DENIED,
		    _("%s printed a first line that is too long%s"), setting,
		    also);
}

/* The shell's own words for 126 and 127 are English. */
static void
fail_exit(struct command *c, int code, const char *also)
{
	struct secret *s = c->s;

	if (code == NOT_FOUND)
		secret_fail(s, E_DENIED,
		    _("%s names a command that is not there%s"), c->setting,
		    also);
	else if (code == NOT_RUN)
		secret_fail(s, E_DENIED,
		    _("%s names a command that cannot be run%s"), c->setting,
		    also);
	else
		secret_fail(s, E_DENIED, _("%s failed with exit code %d%s"),
		    c->setting, code, also);
}

static void
end_with(struct command *c, int status)
{
	struct secret *s = c->s;
	const char *setting = c->setting;
	char also[SAID_MAX + 8];

	said(c, also, sizeof(also));
	if (c->ended != BY_ITSELF)
		fail_ended(c, also);
	else if (WIFSIGNALED(status))
		secret_fail(s, E_DENIED, _("%s was ended by signal %d%s"),
		    setting, WTERMSIG(status), also);
	else if (WEXITSTATUS(status) != 0)
		fail_exit(c, WEXITSTATUS(status), also);
	else if (s->n == 0)
		secret_fail(
		    s, E_DENIED, _("%s printed nothing%s"), setting, also);
	else
		secret_end(s, setting);
}

/* What it left running may hold the pipes open: what is in them now is all. */
static void
on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	struct command *c = w->data;
	size_t before;

	ev_child_stop(loop, w);
	do {
		before = c->total;
		drain(c, &c->out, take_out);
	} while (c->ended == BY_ITSELF && c->total != before);
	drain(c, &c->err, take_err);
	if (c->ended != BY_ITSELF)
		kill_group(c, SIGKILL); /* what SIGTERM left */
	c->pid = 0;
	end_with(c, w->rstatus);
}

static void
command_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct command *c = w->data;

	if (c->ended == BY_ITSELF) {
		end_it(c, LATE);
		return;
	}
	kill_group(c, SIGKILL);
	c->pid = 0; /* the loop reaps it */
	end_with(c, 0);
}

/* ---- the source ---- */

static int
open_pipe(
    struct command *c, ev_io *w, void (*cb)(struct ev_loop *, ev_io *, int))
{
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	ev_io_init(w, cb, fd[0], EV_READ);
	w->data = c;
	return fd[1];
}

static void
command_watch(struct command *c)
{
	struct ev_loop *loop = c->s->loop;

	ev_child_init(&c->child, on_child, c->pid, 0);
	ev_timer_init(&c->timer, command_timer, c->s->timeout, 0);
	c->child.data = c->timer.data = c;
	ev_child_start(loop, &c->child);
	ev_timer_start(loop, &c->timer);
	ev_io_start(loop, &c->out);
	ev_io_start(loop, &c->err);
}

static enum err
command_start(struct secret *s, struct errbuf *eb)
{
	bool token = s->kind == SECRET_TOKEN;
	const char *text =
	    token ? s->account->token_command : s->account->password_command;
	struct command *c = s->own = calloc(1, sizeof(*c));
	int out, err = -1;
	enum err e;

	if (c == NULL)
		return err_set(eb, E_NOMEM, "%s", _("out of memory"));
	c->s = s;
	c->setting = token ? "token_command" : "password_command";
	c->out.fd = c->err.fd = -1;
	if ((out = open_pipe(c, &c->out, on_out)) < 0 ||
	    (err = open_pipe(c, &c->err, on_err)) < 0)
		e = err_sys(eb, E_IO, _("%s cannot be run"), c->setting);
	else
		e = spawn(c, text, out, err, eb);
	if (out >= 0)
		close(out);
	if (err >= 0)
		close(err);
	if (e == E_OK)
		command_watch(c);
	return e;
}

static void
command_stop(struct secret *s)
{
	struct command *c = s->own;

	if (c == NULL)
		return;
	if (c->pid != 0)
		kill_group(c, SIGKILL);
	ev_child_stop(s->loop, &c->child);
	ev_timer_stop(s->loop, &c->timer);
	ev_io_stop(s->loop, &c->out);
	ev_io_stop(s->loop, &c->err);
	if (c->out.fd >= 0)
		close(c->out.fd);
	if (c->err.fd >= 0)
		close(c->err.fd);
	free(c);
	s->own = NULL;
}

const struct secret_source secret_command = { command_start, command_stop };
