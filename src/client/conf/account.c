#include "client/conf/account.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "sasl/sasl.h"

enum { NAME_MOST = 1023 };

/* It is a part of a path, and people read it. */
static bool
is_part_of_a_path(const char *name, size_t most)
{
	size_t n = strlen(name);

	if (n == 0 || n > most || !str_is_utf8(name, n))
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (*p == '/' || (unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

bool
account_name_is_good(const char *name)
{
	return is_part_of_a_path(name, NAME_MOST);
}

bool
account_uses_ticket(const struct account *a)
{
	return a->security == SECURITY_KPOP || strcmp(a->auth, "gssapi") == 0;
}

bool
account_uses_token(const struct account *a)
{
	return (a->token_command != NULL || a->oauth != NULL) &&
	       (strcmp(a->auth, "auto") == 0 ||
		   (sasl_flags(a->auth) & SASL_NEEDS_TOKEN) != 0);
}

/* The ports of POP3, POP3S and KPOP lead to the same one. */
char *
account_maildrop(char out[DIGEST_TEXT], const struct account *a)
{
	unsigned port = a->port == 995 || a->port == 1109 ? 110 : a->port;
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

/* ---- folders ---- */

bool
account_folder_is_good(const char *name)
{
	if (name[0] == '.')
		return false;
	return is_part_of_a_path(name, FOLDER_NAME_MAX);
}

const char *
account_folder(const struct account *a, struct slice address)
{
	const char *at = memrchr(address.p, '@', address.n);
	struct slice local = { address.p,
		at != NULL ? (size_t)(at - address.p) : address.n };

	for (char **p = a->folders; p != NULL && *p != NULL; p++)
		if (slice_caseeq(address, *p) || slice_caseeq(local, *p))
			return *p;
	return NULL;
}

/* ---- for programs ---- */

static const char *const ours[] = {
	"MALOTE_ACCOUNT=", "MALOTE_EMAIL=", "MALOTE_NEW="
};

enum { OURS = sizeof(ours) / sizeof(ours[0]) };

extern char **environ;

/* Is it ours to say? */
static bool
is_of_account(const char *v)
{
	for (size_t i = 0; i < OURS; i++)
		if (strncmp(v, ours[i], strlen(ours[i])) == 0)
			return true;
	return false;
}

char **
account_environment(const char *name, const char *email, uint64_t n_new)
{
	char number[24];
	const char *values[OURS] = { name, email, number };
	size_t n = OURS + 1, k = 0, room = 0;
	char **v, *text;

	snprintf(number, sizeof(number), "%" PRIu64, n_new);
	for (size_t i = 0; i < OURS; i++)
		room += strlen(ours[i]) + strlen(values[i]) + 1;
	for (char **e = environ; *e != NULL; e++)
		n++;
	v = malloc(n * sizeof(*v) + room);
	if (v == NULL)
		return NULL;
	text = (char *)(v + n);
	for (size_t i = 0; i < OURS; i++) {
		if (values[i] == number && n_new == 0)
			continue;
		v[k++] = text;
		text += sprintf(text, "%s%s", ours[i], values[i]) + 1;
	}
	for (char **e = environ; *e != NULL; e++)
		if (!is_of_account(*e))
			v[k++] = *e;
	v[k] = NULL;
	return v;
}
