/* The configuration changed as text: what was taken before is taken after it,
 * and only what was meant has changed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/conf/client_conf.h"
#include "client/setup/conf_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char file[64];

static void
check(bool right)
{
	if (!right)
		__builtin_trap();
}

static void
overlook(void *arg, bool is_error, const char *words)
{
	(void)arg;
	(void)is_error;
	(void)words;
}

static void
write_file(const void *data, size_t n)
{
	FILE *f;

	unlink(file);
	if ((f = fopen(file, "w")) == NULL || fwrite(data, 1, n, f) != n ||
	    fclose(f) != 0)
		abort();
}

/* The accounts of the text are those of `was` but for the one of that number:
 * it is called otherwise, or (name NULL) gone. */
static void
check_accounts(const struct conf_edit *ed, const struct client_conf *was,
    size_t number, const char *name)
{
	struct client_conf now;
	size_t left = was->n - (name == NULL);
	enum err e;

	write_file(ed->text, ed->n);
	e = client_conf_load(&now, file, overlook, NULL);
	check((e == E_OK) == (left != 0));
	check(now.n == left);
	for (size_t i = 0; i < left; i++) {
		size_t old = i + (name == NULL && i >= number);

		check(strcmp(now.v[i].name, name != NULL && i == number
						? name
						: was->v[old].name) == 0);
		check(strcmp(now.v[i].user, was->v[old].user) == 0 &&
		      strcmp(now.v[i].server, was->v[old].server) == 0);
	}
	client_conf_free(&now);
}

static void
change(const struct client_conf *was, size_t number, const char *name)
{
	struct conf_edit ed;
	struct conf_block b;
	struct errbuf eb;

	check(conf_edit_open(&ed, file, &eb) == E_OK);
	check(conf_edit_block(&ed, number, &b));
	check(!conf_edit_block(&ed, was->n, &(struct conf_block){ 0 }));
	check((name != NULL ? conf_edit_rename(&ed, &b, name, &eb)
			    : conf_edit_remove(&ed, &b, &eb)) == E_OK);
	check_accounts(&ed, was, number, name);
	conf_edit_close(&ed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct client_conf conf;

	if (file[0] == '\0')
		snprintf(file, sizeof(file), "/dev/shm/fuzz-conf-edit-%d",
		    (int)getpid());
	write_file(data, n);
	if (client_conf_load(&conf, file, overlook, NULL) == E_OK) {
		for (size_t i = 0; i < conf.n && i < 4; i++) {
			write_file(data, n);
			change(&conf, i, "it's\"\\ ${x}");
			write_file(data, n);
			change(&conf, i, NULL);
		}
		client_conf_free(&conf);
	}
	unlink(file);
	return 0;
}
