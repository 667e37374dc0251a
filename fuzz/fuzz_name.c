/*
 * A login name.  The first octet chooses the rule.  What comes out is its own
 * form, and as part of a path it stays below the root.
 */
#include <stdlib.h>
#include <string.h>

#include "server/users/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_letters(const char *name)
{
	if (name[0] == '\0' || name[0] == '.' || name[0] == '#' ||
	    strlen(name) > NAME_MAX_OCTETS || strstr(name, "@.") != NULL ||
	    strchr(name, '@') != strrchr(name, '@') ||
	    !str_is_utf8(name, strlen(name)))
		abort();
	for (const char *p = name; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '/' ||
		    *p == ':')
			abort();
}

static void
check_path(const char *name)
{
	static const char *const mails[] = { "maildir:/srv/mail/%d/%n",
		"maildir:/srv/mail/%u", "maildir:/srv/mail/%n",
		"maildir:/srv/mail/x%n/%d" };
	char mail[MAIL_PATH_MAX];
	const char *in_root = mail + strlen("maildir:/srv/mail/");

	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		if (name_mail(mail, mails[i], "/srv/mail", name, "", NULL) !=
		    E_OK) {
			if (strchr(name, '@') != NULL)
				abort(); /* nothing is wrong with it */
			continue;
		}
		if (strncmp(mail, "maildir:/srv/mail/", 18) != 0 ||
		    in_root[0] == '.' || strstr(in_root, "/.") != NULL ||
		    strstr(in_root, "//") != NULL)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data + 1, size - 1 };
	char name[NAME_MAX_OCTETS + 1], again[NAME_MAX_OCTETS + 1];
	struct name_rule rule = { 0 };
	struct errbuf eb = { "" };

	if (size == 0)
		return 0;
	rule.lower = data[0] & 1;
	rule.domain = data[0] & 2 ? "example.org" : "";
	rule.more = data[0] & 4 ? "'\\.!#%\"$&*+,-;<=>?[]^_`{|}~()" : "";
	rule.separators = data[0] & 8 ? "%#/!:+" : "";
	if (name_normalize(&rule, in, name, &eb) != E_OK) {
		if (eb.text[0] == '\0')
			abort();
		return 0;
	}
	check_letters(name);
	check_path(name);
	in = (struct slice){ name, strlen(name) };
	if (name_normalize(&rule, in, again, NULL) != E_OK ||
	    strcmp(name, again) != 0)
		abort();
	return 0;
}
