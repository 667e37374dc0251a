#include "client/secret/refused.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/slurp.h"
#include "client/conf/account.h"

enum { PATH = 4096, FILE_MAX = 4096 };

/* ---- what is offered ---- */

/* Its NUL too: "ab" and "c" are not "a" and "bc". */
static void
mark_text(crypto_hash_sha256_state *h, const char *text)
{
	if (text == NULL)
		text = "";
	crypto_hash_sha256_update(
	    h, (const unsigned char *)text, strlen(text) + 1);
}

/* Its path, and when it was written: another certificate may lie where the
 * refused one was. */
static void
mark_file(crypto_hash_sha256_state *h, const char *path)
{
	struct stat st;
	char when[64] = "";

	if (path != NULL && stat(path, &st) == 0)
		snprintf(when, sizeof(when), "%lld %ld",
		    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	mark_text(h, path);
	mark_text(h, when);
}

unsigned
refused_mark(const struct account *a, const char *secret, int64_t at)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state h;
	char words[64];

	snprintf(words, sizeof(words), "%lld %u %d", (long long)at, a->port,
	    (int)a->security);
	crypto_hash_sha256_init(&h);
	mark_text(&h, words);
	mark_text(&h, a->server);
	mark_text(&h, a->user);
	mark_text(&h, a->auth);
	mark_file(&h, a->client_certificate);
	mark_text(&h, secret);
	crypto_hash_sha256_final(&h, digest);
	sodium_memzero(&h, sizeof(h));
	return (unsigned)digest[0] << 8 | digest[1];
}

/* ---- its file ---- */

/* By server and user.  False: too long. */
static bool
path_of(char path[PATH], const char *state_dir, const struct account *a,
    const char *end)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state h;
	char name[33], port[16];

	snprintf(port, sizeof(port), "%u", a->port);
	crypto_hash_sha256_init(&h);
	mark_text(&h, a->server);
	mark_text(&h, port);
	mark_text(&h, a->user);
	crypto_hash_sha256_final(&h, digest);
	sodium_bin2hex(name, sizeof(name), digest, sizeof(name) / 2);
	return snprintf(path, PATH, "%s/refused/%s%s", state_dir, name, end) <
	       PATH;
}

static bool
write_file(const char *path, const char *text)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t n = strlen(text);
	bool good;

	if (fd < 0)
		return false;
	good = write(fd, text, n) == (ssize_t)n;
	return close(fd) == 0 && good;
}

void
refused_note(const char *state_dir, const struct account *login, int64_t at,
    unsigned mark, const char *words)
{
	char folder[PATH], path[PATH], made[PATH], text[FILE_MAX];

	if (snprintf(folder, PATH, "%s/refused", state_dir) >= PATH ||
	    !path_of(path, state_dir, login, "") ||
	    !path_of(made, state_dir, login, ".new") ||
	    (mkdir(folder, 0700) != 0 && errno != EEXIST))
		return;
	snprintf(text, sizeof(text), "%lld %u\n%s", (long long)at, mark, words);
	if (!write_file(made, text) || rename(made, path) != 0)
		unlink(made);
}

void
refused_forget(const char *state_dir, const struct account *login)
{
	char path[PATH];

	if (path_of(path, state_dir, login, ""))
		unlink(path);
}

/* False: there is none, or it cannot be read. */
static bool
read_file(const char *state_dir, const struct account *login, int64_t *at_r,
    unsigned *mark_r, char why_r[REFUSED_WORDS])
{
	char path[PATH], *end;
	struct slurp file;
	bool good = false;

	if (!path_of(path, state_dir, login, "") ||
	    slurp(path, FILE_MAX, &file, NULL) != E_OK)
		return false;
	*at_r = strtoll(file.text, &end, 10);
	if (*end == ' ') {
		*mark_r = (unsigned)strtoul(end + 1, &end, 10);
		good = *end == '\n';
	}
	if (good)
		snprintf(why_r, REFUSED_WORDS, "%s", end + 1);
	free(file.text);
	return good;
}

bool
refused_before(const char *state_dir, const struct account *login,
    const char *secret, char why_r[REFUSED_WORDS])
{
	int64_t at;
	unsigned mark;

	return read_file(state_dir, login, &at, &mark, why_r) &&
	       mark == refused_mark(login, secret, at);
}

bool
refused_is_noted(const char *state_dir, const struct account *login,
    char why_r[REFUSED_WORDS])
{
	int64_t at;
	unsigned mark;

	return read_file(state_dir, login, &at, &mark, why_r);
}

void
refused_say(char *out, size_t size, const char *why, const char *account)
{
	snprintf(out, size,
	    _("%.560s; it is not tried again until the password or the account "
	      "changes, or you run malote on a terminal, or elsewhere: malote "
	      "collect --accept %s"),
	    why, account);
}
