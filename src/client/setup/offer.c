#include "client/setup/offer.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

bool
offer_set_server(struct offer *o, const char *host)
{
	char ascii[HOST_MAX];
	size_t n;

	if (host_ascii(ascii, host, NULL) != E_OK)
		return false;
	n = strlen(ascii);
	if (n != 0 && ascii[n - 1] == '.')
		n--;
	for (size_t i = 0; i < n; i++)
		o->server[i] = str_lower1(ascii[i]);
	o->server[n] = '\0';
	return n != 0;
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

bool
offer_set_user(struct offer *o, const char *user)
{
	size_t n = strlen(user);

	if (n == 0 || n >= sizeof(o->user) || !str_is_utf8(user, n))
		return false;
	for (const char *p = user; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	memcpy(o->user, user, n + 1);
	return true;
}
