#include "server/ctl/ask.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"
#include "server/conf/spelling.h"

/* One line without its end; what is behind it stays where it is. */
static enum err
read_line(char out[ASK_ROOM], struct errbuf *eb)
{
	size_t n = 0;
	char c;

	for (;;) {
		ssize_t r = read(STDIN_FILENO, &c, 1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(eb, E_IO, "standard input");
		if (r == 0 || c == '\n')
			break;
		if (n == ASK_ROOM - 1)
			return err_set(eb, E_FORMAT,
			    "a password may have %d octets", PASSWORD_MAX);
		out[n++] = c;
	}
	/* The end of a line of a file from Windows. */
	if (n != 0 && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
	return text_password((struct slice){ out, n }, eb);
}

/* ---- at a terminal ---- */

static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static struct termios with_echo;

/* A terminal must not be left without echo. */
static void
on_signal(int sig)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &with_echo);
	signal(sig, SIG_DFL);
	raise(sig);
}

static enum err
ask_once(const char *prompt, char out[ASK_ROOM], struct errbuf *eb)
{
	struct sigaction old[SIGNALS], sa = { .sa_handler = on_signal };
	struct termios without;
	enum err e;

	if (tcgetattr(STDIN_FILENO, &with_echo) < 0)
		return err_sys(eb, E_IO, "terminal");
	without = with_echo;
	without.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &sa, &old[i]);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &without);
	fputs(prompt, stderr);
	e = read_line(out, eb);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &with_echo);
	fputc('\n', stderr);
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &old[i], NULL);
	return e;
}

enum err
ask_password_once(char out[ASK_ROOM], struct errbuf *eb)
{
	return isatty(STDIN_FILENO) ? ask_once("Password: ", out, eb)
				    : read_line(out, eb);
}

enum err
ask_password(char out[ASK_ROOM], struct errbuf *eb)
{
	char again[ASK_ROOM];
	enum err e;

	if (!isatty(STDIN_FILENO))
		return read_line(out, eb);
	if ((e = ask_once("Password: ", out, eb)) != E_OK)
		return e;
	e = ask_once("The same again: ", again, eb);
	if (e == E_OK && strcmp(out, again) != 0)
		e = err_set(eb, E_FORMAT, "that was not the same");
	explicit_bzero(again, sizeof(again));
	return e;
}
