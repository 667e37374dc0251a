#include "client/setup/talk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/i18n.h"

enum { LINE = 4096, WORDS = 4096, NARROW = 40, WIDE = 80 };

#define SPACE " \t\r\n"

/* ---- asking ---- */

bool
talk_is_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* The rest of a line that is too long is not the answer to the next question. */
static void
skip_rest(const char *line)
{
	int c = 0;

	if (strchr(line, '\n') != NULL)
		return;
	while (c != EOF && c != '\n')
		c = getchar();
}

bool
talk_ask(char *out, size_t size, const char *question)
{
	char line[LINE], *p = line;
	size_t n;

	fputs(question, stdout);
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL) {
		putchar('\n');
		return false;
	}
	skip_rest(line);
	p += strspn(p, SPACE);
	n = strlen(p);
	while (n != 0 && strchr(SPACE, p[n - 1]) != NULL)
		n--;
	if (n == 0)
		return true;
	n = n < size ? n : size - 1;
	memcpy(out, p, n);
	out[n] = '\0';
	return true;
}

enum talk_answer
talk_confirm(bool usual, const char *fmt, ...)
{
	char question[WORDS], answer[8];
	const char *marks = usual ? _(" [Y/n] ") : _(" [y/N] ");
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(question, sizeof(question) - 32, fmt, ap);
	va_end(ap);
	n = strlen(question);
	snprintf(question + n, sizeof(question) - n, "%s", marks);
	for (;;) {
		answer[0] = '\0';
		if (!talk_ask(answer, sizeof(answer), question))
			return TALK_LEFT;
		if (answer[0] == '\0')
			return usual ? TALK_YES : TALK_NO;
		if (strchr("yY", answer[0]) != NULL ||
		    strchr(_("yY"), answer[0]) != NULL)
			return TALK_YES;
		if (strchr("nN", answer[0]) != NULL)
			return TALK_NO;
	}
}

/* ---- saying ---- */

static bool quiet;

void
talk_be_quiet(void)
{
	quiet = true;
}

void
talk_print(const char *fmt, ...)
{
	va_list ap;

	if (quiet)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
}

static int
columns(void)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0 || ws.ws_col < NARROW)
		return WIDE;
	return ws.ws_col < WIDE ? ws.ws_col : WIDE;
}

/* How many columns n octets take. */
static int
width(const char *p, size_t n)
{
	mbstate_t state = { 0 };
	int columns_n = 0, w;
	wchar_t c;
	size_t k;

	for (; n != 0; p += k, n -= k) {
		k = mbrtowc(&c, p, n, &state);
		if (k == 0 || k == (size_t)-1 || k == (size_t)-2)
			return columns_n + (int)n;
		w = wcwidth(c);
		columns_n += w > 0 ? w : 0;
	}
	return columns_n;
}

void
talk_say(const char *first, const char *fmt, ...)
{
	char words[WORDS];
	int most = columns() - 1, indent = width(first, strlen(first));
	int at = indent;
	size_t n;
	va_list ap;

	if (quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	fputs(first, stdout);
	for (const char *p = words; *p != '\0'; p += n + strspn(p + n, " ")) {
		n = strcspn(p, " ");
		if (at > indent && at + 1 + width(p, n) > most) {
			printf("\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			putchar(' ');
			at++;
		}
		fwrite(p, 1, n, stdout);
		at += width(p, n);
	}
	putchar('\n');
}
