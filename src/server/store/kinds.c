#include "server/store/kinds.h"

#include <string.h>

#include "server/store/host/host_drop.h"
#include "server/store/maildir/open.h"

/* A new kind of store is a folder and a row here. */
static const struct store_kind *const kinds[] = { &maildir_kind, &host_kind };

/* Returns what stands behind the prefix. */
static const char *
choose_kind(struct location *l, const char *mail)
{
	l->kind = kinds[0];
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i]->prefix);

		if (strncmp(mail, kinds[i]->prefix, n) == 0) {
			l->kind = kinds[i];
			return mail + n;
		}
	}
	return mail;
}

/* Copies an absolute path of len octets without what is doubled or does
 * nothing. */
static bool
clean_path(char out[MAIL_PATH_MAX], const char *path, size_t len, size_t *n_r)
{
	const char *end = path + len;
	size_t n = 0;

	if (len == 0 || path[0] != '/')
		return false;
	for (;;) {
		path += strspn(path, "/");
		if (path >= end)
			break;
		len = strcspn(path, "/");
		if (len > (size_t)(end - path))
			len = (size_t)(end - path);
		if ((len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.') ||
		    n + len + 2 > MAIL_PATH_MAX)
			return false;
		out[n++] = '/';
		memcpy(out + n, path, len);
		n += len;
		path += len;
	}
	out[n] = '\0';
	*n_r = n;
	return true;
}

/* Of one Maildir, from the root of all. */
static bool
parse_path(char out[MAIL_PATH_MAX], const char *path, size_t len,
    const struct store_conf *conf, size_t *n_r)
{
	const char *root = conf->root;
	size_t n, root_n = strlen(root);

	if (!clean_path(out, path, len, &n))
		return false;
	while (root_n > 0 && root[root_n - 1] == '/')
		root_n--;
	if (n <= root_n || strncmp(out, root, root_n) != 0 ||
	    out[root_n] != '/')
		return false;
	n -= root_n + 1;
	memmove(out, out + root_n + 1, n + 1);
	*n_r = n;
	if (!conf->follow_maildrop)
		return true;
	if (n + sizeof("/.") > MAIL_PATH_MAX)
		return false;
	memcpy(out + n, "/.", sizeof("/."));
	*n_r += 2;
	return true;
}

/* The paths of a whole host have colons between them; another has none. */
bool
location_parse(
    struct location *l, const char *mail, const struct store_conf *conf)
{
	const char *rest = choose_kind(l, mail);
	const char *colon = l->kind == &host_kind ? ":" : "";
	size_t at = 0;

	for (;;) {
		char path[MAIL_PATH_MAX];
		size_t len = strcspn(rest, colon), n;

		if (!parse_path(path, rest, len, conf, &n) ||
		    at + n + 2 > sizeof(l->path))
			return false;
		memcpy(l->path + at, path, n + 1);
		at += n;
		rest += len;
		if (*rest == '\0')
			return true;
		l->path[at++] = ':';
		rest++;
	}
}
