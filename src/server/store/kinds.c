#include "server/store/kinds.h"

#include <string.h>

#include "server/store/maildir/open.h"

/* A new kind of store is a folder and a row here. */
static const struct store_kind *const kinds[] = { &maildir_kind };

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

/* Copies an absolute path without what is doubled or does nothing. */
static bool
clean_path(char out[MAIL_PATH_MAX], const char *path, size_t *n_r)
{
	size_t n = 0;

	if (path[0] != '/')
		return false;
	while (*path != '\0') {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if ((len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.') ||
		    n + len + 2 > MAIL_PATH_MAX)
			return false;
		if (len == 0)
			break;
		out[n++] = '/';
		memcpy(out + n, path, len);
		n += len;
		path += len;
	}
	out[n] = '\0';
	*n_r = n;
	return true;
}

bool
location_parse(
    struct location *l, const char *mail, const struct store_conf *conf)
{
	const char *root = conf->root;
	size_t n, root_n = strlen(root);
	char *out = l->path;

	if (!clean_path(out, choose_kind(l, mail), &n))
		return false;
	while (root_n > 0 && root[root_n - 1] == '/')
		root_n--;
	if (n <= root_n || strncmp(out, root, root_n) != 0 ||
	    out[root_n] != '/')
		return false;
	n -= root_n + 1;
	memmove(out, out + root_n + 1, n + 1);
	if (!conf->follow_maildrop)
		return true;
	if (n + sizeof("/.") > MAIL_PATH_MAX)
		return false;
	memcpy(out + n, "/.", sizeof("/."));
	return true;
}
