#include "client/setup/keep.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"
#include "client/deliver/execute.h"
#include "client/secret/secret.h"

enum { PATH_ROOM = 4096, PASS_TIMEOUT = 60, PASS_NUMBER = 12 };

#define PASS_FOLDER "malote/"

const char *
keep_word(enum keep_place p)
{
	static const char *const words[] = { "keyring", "pass", "file", "ask" };

	return words[p];
}

const char *
keep_title(enum keep_place p)
{
	static const char *const titles[] = {
		N_("in the keyring of the desktop"),
		N_("in pass, the password manager"),
		N_("in malote.conf, which only you can read then"),
		N_("nowhere: malote asks each time"),
	};

	return _(titles[p]);
}

/* ---- what is here ---- */

/* A bus of the session is where a keyring would be. */
static bool
has_bus(void)
{
	char path[PATH_ROOM];

	if (getenv("DBUS_SESSION_BUS_ADDRESS") != NULL)
		return true;
	snprintf(path, sizeof(path), "/run/user/%u/bus", (unsigned)geteuid());
	return access(path, F_OK) == 0;
}

static bool
has_program(const char *name)
{
	char file[PATH_ROOM];
	const char *p = getenv("PATH");
	size_t n;

	for (; p != NULL; p = p[n] == ':' ? p + n + 1 : NULL) {
		n = strcspn(p, ":");
		snprintf(file, sizeof(file), "%.*s/%s", (int)n, p, name);
		if (n != 0 && access(file, X_OK) == 0)
			return true;
	}
	return false;
}

/* pass has been set up. */
static bool
has_pass(void)
{
	const char *store = getenv("PASSWORD_STORE_DIR");
	const char *home = getenv("HOME");
	char file[PATH_ROOM];

	if (store != NULL)
		snprintf(file, sizeof(file), "%s/.gpg-id", store);
	else
		snprintf(file, sizeof(file), "%s/.password-store/.gpg-id",
		    home != NULL ? home : "");
	return access(file, R_OK) == 0 && has_program("pass");
}

bool
keep_is_here(enum keep_place p)
{
	switch (p) {
	case KEEP_KEYRING: return has_bus();
	case KEEP_PASS: return has_pass();
	default: return true;
	}
}

/* ---- keeping ---- */

static void
set_secret(struct draft *d, enum draft_secret secret, const char *value)
{
	explicit_bzero(d->value, sizeof(d->value));
	snprintf(d->value, sizeof(d->value), "%s", value);
	d->secret = secret;
}

/* Nothing in it means anything to a shell. */
static void
pass_name_of(char *out, size_t size, const char *account)
{
	size_t n = (size_t)snprintf(out, size, PASS_FOLDER);

	for (; *account != '\0' && n + 1 < size; account++)
		out[n++] =
		    isascii(*account) && (isalnum(*account) ||
					     strchr("@._+-", *account) != NULL)
			? *account
			: '_';
	out[n] = '\0';
}

static bool
is_used(const struct client_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n; i++)
		if (conf->v[i].password_command != NULL &&
		    strstr(conf->v[i].password_command, name) != NULL)
			return true;
	return false;
}

/* The name in pass.  An account that was renamed since, or whose name differs in
 * what is left out, may have its password under the usual one. */
static void
pass_name(
    char *out, size_t size, const char *account, const struct client_conf *conf)
{
	size_t n;

	pass_name_of(out, size - PASS_NUMBER, account);
	n = strlen(out);
	for (unsigned i = 2; is_used(conf, out); i++)
		snprintf(out + n, size - n, "-%u", i);
}

static int
memory_with(const char *text)
{
	int fd = memfd_create("password", MFD_CLOEXEC);
	size_t n = strlen(text);

	if (fd < 0)
		return -1;
	if (write(fd, text, n) == (ssize_t)n && write(fd, "\n", 1) == 1 &&
	    lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	close(fd);
	return -1;
}

static enum err
pass_failed(const struct run_result *r, struct errbuf *eb)
{
	switch (r->how) {
	case RUN_EXITED:
		return err_set(eb, E_IO, _("pass ended with exit code %d: %s"),
		    r->value, r->words);
	case RUN_TIMEOUT:
		return err_set(
		    eb, E_IO, _("pass did not end within %d s"), PASS_TIMEOUT);
	case RUN_NO_EXEC:
		return err_set(
		    eb, E_IO, _("pass cannot be run: %s"), strerror(r->value));
	default:
		return err_set(
		    eb, E_IO, _("pass was ended by signal %d"), r->value);
	}
}

static enum err
keep_in_pass(struct draft *d, const struct client_conf *conf, struct errbuf *eb)
{
	char name[OFFER_USER + 32], command[OFFER_USER + 48];
	char *const argv[] = { "pass", "insert", "--multiline", "--force", name,
		NULL };
	struct run_result r;
	int fd = memory_with(d->value);
	enum err e;

	if (fd < 0)
		return err_sys(eb, E_IO, "memfd_create");
	pass_name(name, sizeof(name), d->name, conf);
	e = run_command(argv, environ, fd, PASS_TIMEOUT, &r, eb);
	close(fd);
	if (e != E_OK)
		return e;
	if (r.how != RUN_EXITED || r.value != 0)
		return pass_failed(&r, eb);
	snprintf(command, sizeof(command), "pass show %s", name);
	set_secret(d, DRAFT_PASSWORD_COMMAND, command);
	return E_OK;
}

static enum err
keep_in_file(struct draft *d, const char *file, struct errbuf *eb)
{
	struct stat st;

	if (stat(file, &st) == 0) {
		if (st.st_uid != geteuid())
			return err_set(eb, E_DENIED,
			    _("%s belongs to somebody else"), file);
		if ((st.st_mode & 077) != 0 && chmod(file, 0600) < 0)
			return err_sys(eb, E_IO, "chmod 600 %s", file);
	} else if (errno != ENOENT) {
		return err_sys(eb, E_IO, "%s", file);
	}
	d->secret = DRAFT_PASSWORD;
	return E_OK;
}

enum err
keep_password(enum keep_place p, struct draft *d,
    const struct client_conf *conf, const struct account *a, struct errbuf *eb)
{
	enum err e = E_OK;

	switch (p) {
	case KEEP_KEYRING:
		e = secret_keep(a, d->value, eb);
		if (e == E_OK)
			set_secret(d, DRAFT_KEYRING, "yes");
		return e;
	case KEEP_PASS: return keep_in_pass(d, conf, eb);
	case KEEP_FILE: return keep_in_file(d, conf->file, eb);
	default: set_secret(d, DRAFT_ASKED, ""); return e;
	}
}
