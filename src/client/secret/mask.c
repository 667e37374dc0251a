/* Secrets in words that a server may have repeated. */
#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "client/secret/secret.h"

enum {
	STARS = 3,
	SHORT = 4, /* octets, below which it counts as a whole word only */
};

/* Octets of the secret at p: all, or as much as was left when the text was cut,
 * which then ends, or has a quotation mark behind it.  0: it is not there. */
static size_t
match(const char *p, struct slice secret)
{
	size_t n = 0;

	while (n < secret.n && p[n] != '\0' &&
	       str_lower1(p[n]) == str_lower1(secret.p[n]))
		n++;
	if (n == secret.n)
		return n;
	if (n < SHORT)
		return 0;
	n += strncmp(p + n, "...", 3) == 0 ? 3 : 0;
	return p[n] == '\0' || p[n] == '"' ? n : 0;
}

static bool
is_letter(char c)
{
	return (str_lower1(c) >= 'a' && str_lower1(c) <= 'z') ||
	       (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* What is as short is also a part of other words. */
static bool
is_other_word(const char *text, const char *p, size_t n)
{
	return n < SHORT &&
	       ((p != text && is_letter(p[-1])) || is_letter(p[n]));
}

/* more: of what follows this goes, too. */
static void
mask_form(char *text, struct slice secret, const char *more)
{
	char *to = text;
	size_t n;

	if (secret.n == 0)
		return;
	for (const char *p = text; *p != '\0';) {
		n = match(p, secret);
		if (n == 0 || is_other_word(text, p, n)) {
			*to++ = *p++;
			continue;
		}
		p += n + strspn(p + n, more);
		for (size_t i = 0; i < n && i < STARS; i++)
			*to++ = '*';
	}
	*to = '\0';
}

void
secret_mask(char *text, struct slice secret)
{
	static const char base64[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789+/=";
	size_t room = 4 * secret.n + 1;
	char *form = malloc(room);

	if (form == NULL) {
		text[0] = '\0';
		return;
	}
	str_quote(form, room, secret.p, secret.n);
	mask_form(text, (struct slice){ form, strlen(form) }, "");
	b64_encode(form, secret.p, secret.n);
	/* What is behind its last whole group depends on what follows. */
	mask_form(text, (struct slice){ form, secret.n / 3 * 4 }, base64);
	explicit_bzero(form, room);
	free(form);
}
