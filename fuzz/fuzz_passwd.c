/*
 * A users file; every user that came out is found again.  The first octet
 * chooses the rule for names.
 */
#include <stdlib.h>
#include <string.h>

#include "server/auth/auth.h"
#include "server/users/passwd.h"
#include "server/users/scheme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
complain(void *arg, enum users_fault fault, unsigned line, const char *what)
{
	(void)arg;
	if (line == 0 || what[0] == '\0')
		abort();
}

static void
look(const struct users *u, const struct name_rule *rule, struct slice text)
{
	char name[NAME_MAX_OCTETS + 1], mail[MAIL_PATH_MAX];
	struct slice f[PASSWD_FIELDS], line;
	size_t found = 0;

	while (passwd_line(&text, &line)) {
		const struct user *user;

		if (!passwd_split(line, f) ||
		    name_normalize(rule, f[PASSWD_NAME], name, NULL) != E_OK ||
		    (user = users_find(u, name)) == NULL)
			continue;
		found++;
		if (strcmp(user->name, name) != 0)
			abort();
		user_is_allowed_from(user, "192.0.2.1");
		if (name_mail(mail,
			user->mail[0] != '\0' ? user->mail : "maildir:~/%d/%n",
			"/srv/mail", name, user->home, NULL) == E_OK &&
		    (strncmp(mail, "maildir:/srv/mail/", 18) != 0 ||
			strstr(mail, "/../") != NULL))
			abort();
	}
	if (found < users_count(u))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct name_rule rule = { true, "", "", "" };
	struct slice text = { (const char *)data + 1, size - 1 };
	struct users *u;

	if (size == 0)
		return 0;
	rule.lower = data[0] & 1;
	rule.domain = data[0] & 2 ? "example.org" : "";
	rule.more = data[0] & 4 ? "'\\." : "";
	rule.separators = data[0] & 8 ? "%" : "";
	if (users_parse(&u, text, &rule, complain, NULL) != E_OK)
		return 0;
	look(u, &rule, text);
	users_free(u);
	return 0;
}
