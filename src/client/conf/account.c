#include "client/conf/account.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"

/* The two ports of POP3 lead to the same one. */
char *
account_maildrop(char out[DIGEST_TEXT], const struct account *a)
{
	unsigned port = a->port == 995 ? 110 : a->port;
	char *text;
	int n = asprintf(&text, "%s\n%u\n%s", a->server, port, a->user);

	out[0] = '\0';
	if (n < 0)
		return NULL;
	for (char *p = text; *p != '\n'; p++)
		*p = str_lower1(*p);
	digest_text(out, digest_of((struct slice){ text, (size_t)n }));
	free(text);
	return out;
}
