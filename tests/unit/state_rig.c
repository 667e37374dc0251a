#include "state_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>

char state_home[64], state_dir[96], state_file[128];

int
state_set_up(void **state)
{
	(void)state;
	strcpy(state_home, "/tmp/malote-state-XXXXXX");
	if (mkdtemp(state_home) == NULL)
		return -1;
	snprintf(state_dir, sizeof(state_dir), "%s/a/b", state_home);
	snprintf(state_file, sizeof(state_file), "%s/state.db", state_dir);
	return 0;
}

int
state_tear_down(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", state_home);
	return system(command) == 0 ? 0 : -1;
}

struct state *
state_open_it(bool expect_aside)
{
	struct errbuf eb = { "" };
	struct state *s = NULL;
	bool aside = !expect_aside;

	if (state_open(&s, state_dir, &aside, &eb) != E_OK)
		print_message("%s\n", eb.text);
	assert_non_null(s);
	assert_int_equal(aside, expect_aside);
	return s;
}

static bool
is_configured(const void *arg, const char *name, const char *maildrop)
{
	for (const struct configured *c = arg; c->name != NULL; c++)
		if (strcmp(c->maildrop, maildrop) == 0 &&
		    (name == NULL || strcmp(c->name, name) == 0))
			return true;
	return false;
}

struct state_account
state_account_in(
    struct state *s, const struct configured *all, const char *name)
{
	struct state_key key = { .configured = is_configured, .arg = all };
	struct state_account a;

	while (strcmp(all->name, name) != 0)
		all++;
	key.name = name;
	key.maildrop = all->maildrop;
	assert_int_equal(state_account(s, &key, &a, NULL), E_OK);
	return a;
}

struct state_account
state_account_of(struct state *s, const char *name)
{
	const struct configured all[] = { { name, name }, { NULL, NULL } };

	return state_account_in(s, all, name);
}

struct digest
digest_n(unsigned n)
{
	return digest_of((struct slice){ (const char *)&n, sizeof(n) });
}

unsigned
state_count_files(const char *part, const char *end)
{
	DIR *d = opendir(state_dir);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name), tail = strlen(end);

		n += strstr(e->d_name, part) != NULL && len > tail &&
		     strcmp(e->d_name + len - tail, end) == 0;
	}
	closedir(d);
	return n;
}

void
state_sql(const char *words)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(state_file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, words, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}
