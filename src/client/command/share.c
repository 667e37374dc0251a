#include "client/command/share.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A character that addresses and names are made of. */
static bool
is_part(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ||
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

static bool
is_word(const char *p, size_t n, const char *word)
{
	size_t w = strlen(word);

	return n == w && w != 0 && strncmp(p, word, w) == 0;
}

/* Is it what stands before an @, or the person's name at the server? */
static bool
is_personal(const char *p, size_t n, const struct account *a)
{
	char local[256];
	size_t l = strcspn(a->user, "@");

	if (l < sizeof(local)) {
		memcpy(local, a->user, l);
		local[l] = '\0';
	} else {
		local[0] = '\0';
	}
	return (n != 0 && p[n] == '@' && is_part(p[n + 1])) ||
	       is_word(p, n, local);
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
	size_t n = 0, part, home;

	while (*line != '\0') {
		if ((home = home_at(line)) != 0) {
			n = put(out, size, n, "~", 1);
			line += home;
			continue;
		}
		part = part_length(line);
		if (is_personal(line, part, a)) {
			n = put(out, size, n, line, 1);
			n = put(out, size, n, "***", 3);
		} else {
			part += part == 0;
			n = put(out, size, n, line, part);
		}
		line += part;
	}
	out[n] = '\0';
	return out;
}
