#include "client_conf_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

char dir[] = "/tmp/malote-client-conf-XXXXXX";
char file[64];
char warned[2048];
char said[4096];
char first[1024];
struct client_conf conf;

int
make_folder(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/t.conf", dir);
	return setenv("HOME", "/home/ana", 1);
}

int
remove_folder(void **state)
{
	(void)state;
	client_conf_free(&conf);
	unlink(file);
	return rmdir(dir);
}

void
write_file(const char *text, mode_t mode)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(file, mode), 0);
}

static void
hear(void *arg, bool is_error, const char *words)
{
	char *to = is_error ? said : warned;
	size_t n = strlen(to), room = is_error ? sizeof(said) : sizeof(warned);

	assert_ptr_equal(arg, &conf);
	snprintf(to + n, room - n, "%s\n", words);
	if (is_error && n == 0)
		snprintf(first, sizeof(first), "%s", words);
}

enum err
read_file(const char *path)
{
	client_conf_free(&conf);
	warned[0] = said[0] = first[0] = '\0';
	return client_conf_load(&conf, path, hear, &conf);
}

enum err
load(const char *text, mode_t mode)
{
	write_file(text, mode);
	return read_file(file);
}

const struct account *
account(const char *text)
{
	if (load(text, 0600) != E_OK)
		fail_msg("of:\n%s\nis said: %s", text, first);
	return &conf.v[0];
}

const char *
with(const char *lines)
{
	static char text[8192];

	snprintf(text, sizeof(text),
	    "account \"a\" { email = \"ana@example.org\" server = \"pop\"\n"
	    "%s\n}\n",
	    lines);
	return text;
}

void
expect_refused(const char *text, const char *fault)
{
	char want[512];

	if (load(text, 0600) != E_CONFIG)
		fail_msg("of:\n%s\nis said nothing", text);
	snprintf(want, sizeof(want), "%s:%s", file, fault);
	if (strcmp(first, want) != 0)
		fail_msg(
		    "of:\n%s\nis said:\n%s\nwanted:\n%s", text, first, want);
	assert_int_equal(conf.n, 0);
	assert_null(conf.v);
}

void
expect_each_refused(const char *const (*rows)[2])
{
	for (; (*rows)[0] != NULL; rows++)
		expect_refused(with((*rows)[0]), (*rows)[1]);
}
