#include "server/store/unmounted.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "server/conf/mail_marker.h"

static bool
is_below(const char *path, const char *mount, size_t n)
{
	return strncmp(path, mount, n) == 0 &&
	       (path[n] == '/' || path[n] == '\0');
}

static bool
is_marked(const char *mount, size_t n)
{
	char marker[MAIL_PATH_MAX + sizeof(MAIL_ROOT_MARKER)];
	struct stat st;

	snprintf(
	    marker, sizeof(marker), "%.*s/" MAIL_ROOT_MARKER, (int)n, mount);
	return lstat(marker, &st) == 0 || errno != ENOENT;
}

enum err
unmounted_check(
    const struct store_conf *conf, const char *path, struct errbuf *eb)
{
	size_t n;

	for (const char *p = conf->mounts; *p != '\0'; p += n + 1) {
		n = strcspn(p, "\n");
		if (is_below(path, p, n) && !is_marked(p, n))
			return err_set(eb, E_IO,
			    "%s/%.*s had a marker and has none now: is its "
			    "file system mounted? If not, mount it; if this "
			    "is the right folder all the same: malotectl root "
			    "accept %s/%.*s",
			    conf->root, (int)n, p, conf->root, (int)n, p);
	}
	return E_OK;
}
