#include "server/store/maildir/quota.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "server/store/maildir/dir.h"
#include "server/store/maildir/measure.h"

uint64_t
quota_octets(const char *file, uint64_t stored)
{
	uint64_t named;

	return maildir_named_octets(file, &named) ? named : stored;
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
