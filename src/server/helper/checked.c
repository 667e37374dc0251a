#include "server/helper/checked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "server/helper/verify_reply.h"

static enum err
put(struct verify_answer *a, const char *name, const char *value)
{
	return db_row_put(&a->row, name, value, strlen(value), &a->why);
}

static enum err
put_number(struct verify_answer *a, const char *name, unsigned long v)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", v);
	return put(a, name, text);
}

/* Is USER the name that was asked for, or what is before its @?  Another one
 * would be somebody else. */
static bool
is_same(const char *user, const char *name)
{
	size_t n = strlen(user);

	return n == 0 || strcmp(user, name) == 0 ||
	       (strncmp(user, name, n) == 0 && name[n] == '@');
}

static void
say_who(struct verify_answer *a)
{
	const char *home = getenv("HOME"), *user = getenv("USER");
	const char *name = getenv(CHECKED_NAME);

	if (user != NULL && (name == NULL || !is_same(user, name))) {
		err_set(&a->why, E_CONFIG,
		    "the program says another USER than was asked for");
		return;
	}
	if (put_number(a, "uid", geteuid()) == E_OK &&
	    put_number(a, "gid", getegid()) == E_OK &&
	    (home == NULL || put(a, "home", home) == E_OK))
		a->result = LOOKUP_FOUND;
}

int
checked_main(int fd)
{
	struct verify_answer a = { .result = LOOKUP_FAILED };

	say_who(&a);
	/* 1 would say that the password is not right. */
	return verify_reply_send(fd, &a) == E_OK ? 0 : EX_TEMPFAIL;
}
