/* The client's configuration: whatever it holds, the complaint begins with the
 * file's name, and what is taken is whole. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/conf/client_conf.h"
#include "client/conf/dest_login.h"
#include "client/conf/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char file[32];

static void
check(bool right)
{
	if (!right)
		__builtin_trap();
}

static void
check_words(void *arg, bool is_error, const char *words)
{
	*(bool *)arg |= is_error;
	check(strncmp(words, file, strlen(file)) == 0 &&
	      strpbrk(words, "\r\n\033") == NULL);
}

static void
check_account(const struct account *a)
{
	const struct dest *d = &a->dest;

	check(a->line != 0 && a->name[0] != '\0' && a->email != NULL &&
	      a->server[0] != '\0' && a->user[0] != '\0' && a->port != 0 &&
	      a->auth != NULL && a->timeout != 0 && a->session_timeout != 0 &&
	      a->interval != 0 && a->max_size != 0 && a->keep >= 0);
	check(a->password == NULL || strpbrk(a->password, "\r\n") == NULL);
	check((a->oauth == NULL) == (a->client == NULL));
	check(a->sdps == (a->folders != NULL));
	for (char **f = a->folders; f != NULL && *f != NULL; f++)
		check(account_folder_is_good(*f));
	for (size_t i = 0; a->rules[i] != NULL; i++)
		check(
		    a->rules[i]->match != NULL && rule_place(a->rules, i) <= i);
	switch (d->kind) {
	case DEST_MAILDIR:
	case DEST_MBOX: check(d->path[0] == '/'); break;
	case DEST_COMMAND: check(d->argv[0][0] != '\0'); break;
	case DEST_LMTP:
		check((d->path == NULL) != (d->host == NULL || d->port == 0));
		break;
	case DEST_IMAP:
	case DEST_IMAPS:
	case DEST_GMAIL:
	case DEST_JMAP:
		check(d->port != 0 && d->mailbox[0] != '\0');
		check(strcmp(d->at->login.server, d->host) == 0 &&
		      d->at->login.user[0] != '\0' &&
		      d->at->login.auth != NULL);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int fd = -1;
	struct client_conf conf;
	bool said = false;
	enum err e;

	if (fd < 0)
		fd = memfd_create("conf", MFD_CLOEXEC);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, n, 0) != (ssize_t)n ||
	    fchmod(fd, 0600) < 0)
		abort();
	e = client_conf_load(&conf, file, check_words, &said);
	check(said == (e != E_OK));
	check((e == E_OK) == (conf.n != 0));
	for (size_t i = 0; i < conf.n; i++) {
		check_account(&conf.v[i]);
		check(client_conf_find(&conf, conf.v[i].name) == &conf.v[i]);
	}
	client_conf_free(&conf);
	return 0;
}
