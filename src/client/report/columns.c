#include "client/report/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/* The octets of the character at p, at least one; its width. */
static size_t
character(const char *p, int *width_r)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n = mbrtowc(&c, p, strlen(p), &state);
	int width = n != (size_t)-1 && n != (size_t)-2 ? wcwidth(c) : -1;

	*width_r = width >= 0 ? width : 1;
	return n == (size_t)-1 || n == (size_t)-2 || n == 0 ? 1 : n;
}

int
columns_of(const char *text)
{
	int all = 0, width;

	while (*text != '\0') {
		text += character(text, &width);
		all += width;
	}
	return all;
}

char *
columns_cut(char *out, size_t size, const char *text, int width)
{
	int room = columns_of(text) > width ? width - 1 : width, one;
	size_t n = 0, octets;

	while (text[n] != '\0') {
		octets = character(text + n, &one);
		if (one > room || n + octets + 2 > size)
			break;
		room -= one;
		n += octets;
	}
	memcpy(out, text, n);
	snprintf(
	    out + n, size - n, "%s", text[n] != '\0' && width > 0 ? "~" : "");
	return out;
}

void
columns_print(const char *text, int width)
{
	int n = columns_of(text);

	printf("%s%*s", text, n < width ? width - n : 0, "");
}

int
columns_there(void)
{
	struct winsize w;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0)
		return 0;
	return w.ws_col;
}
