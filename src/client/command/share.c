#include "client/command/share.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* A character that addresses and names are made of. */
static bool
is_part(char c)
{
	return is_letter(c) ||
	       (c != '\0' && strchr(".!#$%&'*+/=?^_`{|}~-", c) != NULL);
}

static size_t
part_length(const char *p)
{
	size_t n = 0;

	while (is_part(p[n]))
		n++;
	return n;
}

/* Does c, and what is behind it as seen from a name, make that name a part of a
 * longer one, as of a server's? */
static bool
goes_on(char c, char behind)
{
	return is_letter(c) ||
	       (c != '\0' && strchr("._-", c) != NULL && is_letter(behind));
}

/* The length of the person's name at the server, if it stands at p; else 0.  It is
 * found in whatever quotes the server puts it. */
static size_t
name_at(const char *text, const char *p, const struct account *a)
{
	size_t n = strcspn(a->user, "@");
	char before = '\0', first = '\0';

	if (n == 0 || strncasecmp(p, a->user, n) != 0 ||
	    goes_on(p[n], p[n] != '\0' ? p[n + 1] : '\0'))
		return 0;
	if (p > text)
		before = p[-1];
	if (p > text + 1)
		first = p[-2];
	return goes_on(before, first) ? 0 : n;
}

/* The length of what stands before an @, if that begins at p; else 0. */
static size_t
local_part_at(const char *text, const char *p)
{
	size_t n = p == text || !is_part(p[-1]) ? part_length(p) : 0;

	return n != 0 && p[n] == '@' && is_part(p[n + 1]) ? n : 0;
}

static size_t
home_at(const char *p)
{
	const char *home = getenv("HOME");
	size_t n = home != NULL && home[0] == '/' ? strlen(home) : 0;

	return n > 1 && strncmp(p, home, n) == 0 ? n : 0;
}

static size_t
put(char *out, size_t size, size_t n, const char *text, size_t length)
{
	if (n + length >= size)
		length = size - n - 1;
	memcpy(out + n, text, length);
	return n + length;
}

char *
share_mask(char *out, size_t size, const char *line, const struct account *a)
{
	const char *p = line;
	size_t n = 0, length;

	while (*p != '\0') {
		if ((length = home_at(p)) != 0) {
			n = put(out, size, n, "~", 1);
		} else if ((length = local_part_at(line, p)) != 0 ||
			   (length = name_at(line, p, a)) != 0) {
			n = put(out, size, n, p, 1);
			n = put(out, size, n, "***", 3);
		} else {
			n = put(out, size, n, p, length = 1);
		}
		p += length;
	}
	out[n] = '\0';
	return out;
}
