#include "server/conf/keytab.h"

#include <unistd.h>

#include "base/slurp.h"

enum err
keytab_look(const char *path, struct stat *st, struct errbuf *eb)
{
	unsigned char head[2];
	int fd;
	enum err e = slurp_open(path, &fd, st, eb);

	if (e != E_OK)
		return e;
	/* The format's version; the second octet is the order of its numbers. */
	if (read(fd, head, sizeof(head)) != sizeof(head) || head[0] != 5 ||
	    (head[1] != 1 && head[1] != 2))
		e = err_set(eb, E_FORMAT, "it is no keytab");
	close(fd);
	return e;
}
