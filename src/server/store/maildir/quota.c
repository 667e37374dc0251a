#include "server/store/maildir/quota.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server/store/maildir/dir.h"
#include "server/store/maildir/names.h"

bool
quota_is_kept(int root)
{
	struct stat st;

	return fstatat(root, "maildirsize", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The number behind ",S=" in the base name. */
static bool
named_octets(const char *file, uint64_t *octets_r)
{
	size_t len = names_base_len(file), digits;

	for (size_t i = 0; i + 3 < len; i++) {
		if (strncmp(file + i, ",S=", 3) != 0)
			continue;
		digits = strspn(file + i + 3, "0123456789");
		return str_to_u64(
		    (struct slice){ file + i + 3, digits }, octets_r);
	}
	return false;
}

uint64_t
quota_octets(int dir, const char *file)
{
	struct stat st;
	uint64_t named;

	if (named_octets(file, &named))
		return named;
	return fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == 0
		   ? (uint64_t)st.st_size
		   : 0;
}

/* One write: others append at the same time. */
static enum err
append(int fd, uint64_t octets, uint32_t messages, struct errbuf *eb)
{
	char line[48];
	int n = snprintf(line, sizeof(line), "-%llu -%u\n",
	    (unsigned long long)octets, messages);

	return write(fd, line, (size_t)n) == n ? E_OK
					       : err_sys(eb, E_IO, "writing");
}

void
quota_removed(int root, uint64_t octets, uint32_t messages, const char *tag)
{
	struct errbuf eb;
	struct stat st;
	enum err e;
	int fd;

	e = maildir_file(
	    root, "maildirsize", O_WRONLY | O_APPEND, false, &fd, &st, &eb);
	if (e == E_NOENT)
		return;
	if (e == E_OK) {
		e = append(fd, octets, messages, &eb);
		close(fd);
	}
	if (e != E_OK)
		log_line(LOG_WARNING, "ev=maildirsize-not-told %s error=\"%s\"",
		    tag, eb.text);
}
