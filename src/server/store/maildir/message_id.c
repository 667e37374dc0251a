#include "server/store/maildir/message_id.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of the message; behind many Received: and signatures it may begin late. */
enum { HEAD = 16 * 1024 };

static const char field[] = "Message-ID:";

enum { FIELD = sizeof(field) - 1 };

/* From the first angle bracket to the last, within the lines of the field. */
static struct slice
value(struct slice rest)
{
	const char *open, *end = rest.p, *last = rest.p + rest.n, *close;

	do
		if ((end = memchr(end, '\n', (size_t)(last - end))) == NULL)
			return (struct slice){ NULL, 0 };
	while (++end < last && (*end == ' ' || *end == '\t'));
	open = memchr(rest.p, '<', (size_t)(end - rest.p));
	if (open == NULL ||
	    (close = memchr(open, '>', (size_t)(end - open))) == NULL ||
	    close - open >= MESSAGE_ID_MAX)
		return (struct slice){ NULL, 0 };
	return (struct slice){ open, (size_t)(close - open) + 1 };
}

struct slice
message_id(struct slice head)
{
	const char *lf;

	while (head.n > FIELD && head.p[0] != '\n' && head.p[0] != '\r') {
		if (strncasecmp(head.p, field, FIELD) == 0)
			return value(
			    (struct slice){ head.p + FIELD, head.n - FIELD });
		if ((lf = memchr(head.p, '\n', head.n)) == NULL)
			break;
		head.n -= (size_t)(lf + 1 - head.p);
		head.p = lf + 1;
	}
	return (struct slice){ NULL, 0 };
}

void
message_facts(struct message_facts *out, int dir, const char *name)
{
	char head[HEAD];
	struct slice id;
	struct stat st;
	ssize_t n;
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	out->size = out->id_len = 0;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (n = pread(fd, head, sizeof(head), 0)) > 0) {
		id = message_id((struct slice){ head, (size_t)n });
		out->size = (uint64_t)st.st_size;
		out->id_len = id.n;
		if (id.n != 0)
			memcpy(out->id, id.p, id.n);
	}
	close(fd);
}
