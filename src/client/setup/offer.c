#include "client/setup/offer.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

bool
offer_set_server(struct offer *o, const char *host)
{
	return host_canonical(o->server, host);
}

bool
offer_set_port(struct offer *o, const char *digits)
{
	uint32_t port;

	if (!str_to_u32((struct slice){ digits, strlen(digits) }, &port) ||
	    port == 0 || port > UINT16_MAX)
		return false;
	o->port = (uint16_t)port;
	return true;
}

/* May it be shown on a terminal?  Neither control characters, those of UTF-8
 * included, nor what changes the direction of letters behind it. */
static bool
is_harmless(const char *text)
{
	static const char *const marks[] = { "\u200e", "\u200f", "\u202a",
		"\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067",
		"\u2068", "\u2069" };

	for (const unsigned char *p = (const void *)text; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
			return false;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strstr(text, marks[i]) != NULL)
			return false;
	return true;
}

bool
offer_set_user(struct offer *o, const char *user)
{
	size_t n = strlen(user);

	if (n == 0 || n >= sizeof(o->user) || !str_is_utf8(user, n) ||
	    !is_harmless(user))
		return false;
	memcpy(o->user, user, n + 1);
	return true;
}
